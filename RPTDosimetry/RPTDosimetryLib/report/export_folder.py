"""Results of a finished run as other systems take them: one folder, all that was asked for or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.files import require_folder, whole_folder, write_csv
from RPTDosimetryLib.records import DoseMap, Progress, Voi, silent
from RPTDosimetryLib.report.deidentify import deidentified_identity, deidentified_record
from RPTDosimetryLib.report.dicom_identity import identity_of_record
from RPTDosimetryLib.report.dicom_object import Exported
from RPTDosimetryLib.report.documents import REPORT_HTML, REPORT_PDF, TITLE, document_of
from RPTDosimetryLib.report.html_writer import write_html
from RPTDosimetryLib.report.provenance import json_text, sha256_of, sha256_of_files
from RPTDosimetryLib.report.run_record import PROVENANCE, RunRecord, read_run_record
from RPTDosimetryLib.report.voi_layers import LAYERS, read_layers
from RPTDosimetryLib.study.image_files import header_text, read_image, write_image

SEG, SR, STRUCTURES, PDF, RT_DOSE = (
    "vois_seg.dcm",
    "measurements_sr.dcm",
    "vois_rtstruct.dcm",
    "report_pdf.dcm",
    "dose_rtdose.dcm",
)
TABLE_JSON, TABLE_CSV, MANIFEST = "organ_doses.json", "organ_doses.csv", "export.json"
#: Of organ_doses.json; docs/schema has its JSON Schema.
TABLE_FORMAT: Final = "rptdosimetry organ doses 1"
_MAPS: Final = {
    "dose_gy": "Gy",
    "dose_standard_error_gy": "Gy",
    "bed_gy": "Gy",
    "eqd2_gy": "Gy",
    "cumulative_dose_gy": "Gy",
    "cumulative_bed_gy": "Gy",
    "tia_bq_s": "Bq·s",
    "density_g_per_cm3": "g/cm3",
}
_WORDS: Final = ("name", "kind", "code", "lesions", "reviewed_by", "u_not_included")


@dataclass(frozen=True)
class ExportChoice:
    """What to write. key: the secret of a de-identified export; None leaves the identity as it is."""

    rtdose: bool = False
    seg: bool = False
    sr: bool = False
    pdf: bool = False
    rtstruct: bool = False
    nifti: bool = False
    nrrd: bool = False
    tables: bool = False
    key: str | None = None


class _Source:
    """A run while it is exported: what several files need is read once."""

    def __init__(self, record: RunRecord, choice: ExportChoice) -> None:
        self.original = record
        identity = identity_of_record(record.told["patient"])
        self.choice = choice
        self.record = record
        created: datetime | None = datetime.fromisoformat(record.told["written"])
        content = sha256_of(record.folder / PROVENANCE)
        if choice.key is not None:
            identity = deidentified_identity(identity, choice.key)
            self.record = deidentified_record(record, identity, choice.key)
            created, content = None, f"{content} {choice.key}"
        self.exported = Exported(identity, created, content)

    @cached_property
    def vois(self) -> tuple[Voi, ...]:
        """The volumes; a de-identified export has their cleaned names and no reviewers."""
        found = read_layers(self.original.file(LAYERS), self.original.step("vois"))
        if self.choice.key is None:
            return found
        told = self.record.step("vois")
        return tuple(
            replace(voi, name=row["name"], source=row["source"], review=None)
            for voi, row in zip(found, told, strict=True)
        )

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The organ table with figures as numbers, in the order of the volumes."""
        known = {field.name for field in fields(OrganDose)} - {"warnings"}
        rows = [
            {name: _value(name, text) for name, text in row.items() if name in known}
            for row in self.original.rows(TABLE_CSV)
        ]
        if self.choice.key is not None:
            names = {
                a["name"]: b["name"] for a, b in zip(self.original.step("vois"), self.record.step("vois"), strict=True)
            }
            rows = [{**row, "name": names[row["name"]], "reviewed_by": None} for row in rows]
        return rows

    @property
    def by_name(self) -> Mapping[str, Mapping[str, Any]]:
        """The organ table by volume."""
        return {row["name"]: row for row in self.rows}


def export_record(path: Path, out: Path, choice: ExportChoice, progress: Progress = silent) -> dict[str, Any]:
    """Write what was chosen, and export.json that lists it, into ``out``; the run's files are held to their SHA-256.

    A de-identified export always has the record and the report as well, de-identified. Raises ReportError: nothing
    chosen, ``out`` is the folder of the run, a file missing or changed, a record of another format.
    """
    wanted = [name for name in WRITERS if getattr(choice, name)]
    if not wanted:
        raise ReportError(f"Nothing to export was chosen: say at least one of {', '.join('--' + n for n in WRITERS)}.")
    require_folder(out)
    record = read_run_record(path)
    if out.resolve() == record.folder.resolve():
        raise ReportError(f"{out} is the folder of the run itself: choose another folder for the export.")
    record.require_unchanged()
    source = _Source(record, choice)
    with whole_folder(out) as folder:
        if choice.key is not None:
            _write_deidentified(source, folder)
        for number, name in enumerate(wanted):
            progress(number / len(wanted), f"Writing {name}")
            WRITERS[name](source, folder)
        files = sha256_of_files([file for file in folder.iterdir() if file.is_file()], folder)
        manifest = {
            "deidentified": source.record.told.get("deidentified"),
            "patient_id": str(source.exported.identity.attributes.PatientID),
            "study_instance_uid": str(source.exported.identity.attributes.StudyInstanceUID),
            "warnings": [text for text in (record.other_version, *_missing(source)) if text],
            "files_sha256": files,
        }
        (folder / MANIFEST).write_text(json_text(manifest) + "\n", encoding="utf-8")
    progress(1.0, "Exported")
    return {"out": out, **manifest}


def _missing(source: _Source) -> list[str]:
    """What a reader of the files will miss: said, not filled in."""
    identity, said = source.exported.identity, []
    if source.choice.key is None and identity.missing:
        said.append(f"The images do not state {', '.join(identity.missing)}: these stay empty in the written files.")
    if not identity.images:
        said.append(
            "The images of the study are not DICOM: written files refer to no image, and their UIDs are made up."
        )
    return said


def _write_rtdose(source: _Source, folder: Path) -> None:
    from RPTDosimetryLib.report.rtdose import RtDoseOptions, write_rtdose

    step, path = source.record.step("dose"), source.original.file("dose_gy.nrrd")
    hidden = source.choice.key is not None
    dose = DoseMap(read_image(path, "Gy"), step["engine"], "" if hidden else step["method"], step["nuclide"])
    write_rtdose(dose, folder / RT_DOSE, source.exported.identity, RtDoseOptions(created=source.exported.created))


def _write_seg(source: _Source, folder: Path) -> None:
    from RPTDosimetryLib.report.seg import write_seg

    write_seg(source.vois, folder / SEG, source.exported)


def _write_sr(source: _Source, folder: Path) -> None:
    """The measurement report refers to the segments: the same SEG, written beside it where it was not asked for."""
    from RPTDosimetryLib.report.measurement_report import write_measurement_report
    from RPTDosimetryLib.report.seg import write_seg

    seg = write_seg(source.vois, folder / SEG, source.exported)
    reviewer = str((source.record.told.get("report") or {}).get("reviewer") or "")
    write_measurement_report(source.vois, source.by_name, seg, folder / SR, source.exported, reviewer)


def _write_structures(source: _Source, folder: Path) -> None:
    from RPTDosimetryLib.report.structure_set import write_structure_set

    write_structure_set(source.vois, folder / STRUCTURES, source.exported)


def _write_pdf(source: _Source, folder: Path) -> None:
    from RPTDosimetryLib.report.encapsulated_pdf import write_encapsulated_pdf
    from RPTDosimetryLib.report.pdf_writer import write_pdf

    if not (folder / REPORT_PDF).exists():
        write_pdf(document_of(source.record), folder / REPORT_PDF)
    write_encapsulated_pdf(folder / REPORT_PDF, folder / PDF, source.exported, TITLE)


def _write_maps(source: _Source, folder: Path, ending: str) -> None:
    for name, unit in _MAPS.items():
        if source.original.has(f"{name}.nrrd"):
            path = source.original.file(f"{name}.nrrd")
            method = "" if source.choice.key is not None else header_text(path, "method")
            write_image(read_image(path, unit, "keep"), folder / f"{name}{ending}", method)
    write_image(read_image(source.original.file("vois.nrrd"), "1"), folder / f"vois{ending}")
    labels = {str(voi["label"]): voi["name"] for voi in source.record.step("vois")}
    (folder / "vois.json").write_text(json_text(labels) + "\n", encoding="utf-8")


def _write_tables(source: _Source, folder: Path) -> None:
    rows = source.rows
    write_csv([list(rows[0]), *([*row.values()] for row in rows)], folder / TABLE_CSV)
    told = {"format": TABLE_FORMAT, "method": source.record.step("dose")["method"], "volumes": rows}
    (folder / TABLE_JSON).write_text(json_text(told) + "\n", encoding="utf-8")


def _write_deidentified(source: _Source, folder: Path) -> None:
    from RPTDosimetryLib.report.pdf_writer import write_pdf

    (folder / PROVENANCE).write_text(json_text(source.record.told) + "\n", encoding="utf-8")
    document = document_of(source.record)
    write_html(document, folder / REPORT_HTML)
    write_pdf(document, folder / REPORT_PDF)


def _value(name: str, text: str) -> Any:
    if text == "":
        return None
    if name in _WORDS:
        return text
    return int(text) if name == "voxels" else json.loads(text)


#: What each choice writes; --nifti and --nrrd both write the maps.
WRITERS: Final[Mapping[str, Callable[[_Source, Path], None]]] = {
    "rtdose": _write_rtdose,
    "seg": _write_seg,
    "sr": _write_sr,
    "pdf": _write_pdf,
    "rtstruct": _write_structures,
    "nifti": lambda source, folder: _write_maps(source, folder, ".nii.gz"),
    "nrrd": lambda source, folder: _write_maps(source, folder, ".nrrd"),
    "tables": _write_tables,
}
