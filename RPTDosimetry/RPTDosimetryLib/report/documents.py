"""The report of a run: one document from its record, written as HTML and as PDF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib import __version__
from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.files import require_folder, whole_folder
from RPTDosimetryLib.records import Progress, silent
from RPTDosimetryLib.report.document import Block, Document, PageBreak
from RPTDosimetryLib.report.html_writer import write_html
from RPTDosimetryLib.report.pdf_writer import write_pdf
from RPTDosimetryLib.report.run_record import RunRecord, read_run_record
from RPTDosimetryLib.report.sections.assurance import record_blocks, responsibility_blocks
from RPTDosimetryLib.report.sections.checklist import checklist_blocks
from RPTDosimetryLib.report.sections.consequences import comparison_blocks, protection_blocks, radiobiology_blocks
from RPTDosimetryLib.report.sections.dose import dose_blocks, result_blocks
from RPTDosimetryLib.report.sections.kinetics import kinetics_blocks
from RPTDosimetryLib.report.sections.measurement import calibration_blocks, registration_blocks
from RPTDosimetryLib.report.sections.patient import image_blocks, patient_blocks, patient_line
from RPTDosimetryLib.report.sections.uncertainty import uncertainty_blocks
from RPTDosimetryLib.report.sections.volumes import unreviewed_notice, volume_blocks

REPORT_HTML, REPORT_PDF = "report.html", "report.pdf"
TITLE: Final = "Dosimetry report"

#: In the order of reading: the result first, then how it came about, then what it rests on.
SECTIONS: Final[tuple[Callable[[RunRecord], list[Block]], ...]] = (
    patient_blocks,
    result_blocks,
    dose_blocks,
    volume_blocks,
    image_blocks,
    calibration_blocks,
    registration_blocks,
    kinetics_blocks,
    radiobiology_blocks,
    uncertainty_blocks,
    protection_blocks,
    comparison_blocks,
    responsibility_blocks,
    checklist_blocks,
    record_blocks,
)
#: Sections that begin on a page of their own.
_OWN_PAGE: Final = (dose_blocks, kinetics_blocks, protection_blocks, checklist_blocks)


def document_of(record: RunRecord) -> Document:
    """Every section. Raises ReportError: a file of the run is missing or changed, or the record lacks a step."""
    blocks: list[Block] = []
    for section in SECTIONS:
        if section in _OWN_PAGE:
            blocks.append(PageBreak())
        try:
            blocks += section(record)
        except (KeyError, TypeError, IndexError) as error:
            raise ReportError(
                f"{record.folder}: the record lacks what {section.__name__} of a report needs ({error!r}): "
                "repeat the run (rptdosimetry replay) and use its record."
            ) from error
    told: Mapping[str, Any] = record.told.get("report") or {}
    return Document(
        title=TITLE,
        patient=patient_line(record),
        written=_written(record),
        disclaimer=str(record.told["disclaimer"]),
        blocks=tuple(blocks),
        notice=str(told.get("notice") or "") or unreviewed_notice(record),
    )


def _written(record: RunRecord) -> str:
    then = record.told["versions"]["SlicerRPTDosimetry"]
    now = f", written by {__version__}" if record.other_version else ""
    return f"Computed {record.told['written']} by SlicerRPTDosimetry {then}{now}"


def write_documents(record: RunRecord, folder: Path, progress: Progress = silent) -> tuple[Path, Path]:
    """report.html and report.pdf in a folder that is protected as a whole."""
    document = document_of(record)
    write_html(document, folder / REPORT_HTML)
    progress(0.4, "Writing the report as PDF")
    write_pdf(document, folder / REPORT_PDF)
    return folder / REPORT_HTML, folder / REPORT_PDF


def report_of_record(path: Path, out: Path | None = None, progress: Progress = silent) -> dict[str, Any]:
    """Both documents anew from a finished run: in its folder, or in ``out``; both or neither.

    Every file of the run is held to its SHA-256 first. Raises ReportError.
    """
    record = read_run_record(path)
    record.require_unchanged()
    folder = record.folder if out is None else out
    require_folder(folder)
    progress(0.1, "Writing the report as HTML")
    with whole_folder(folder) as temporary:
        write_documents(record, temporary, progress)
    progress(1.0, "Report written")
    return {
        "record": record.folder / "provenance.json",
        "html": folder / REPORT_HTML,
        "pdf": folder / REPORT_PDF,
        "warnings": [text for text in (record.other_version,) if text],
    }
