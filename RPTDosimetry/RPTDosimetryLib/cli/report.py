"""Verbs on a finished run: its report written again, and its results as other systems take them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, shown_progress

Record = Annotated[Path, typer.Argument(metavar="RECORD", help="provenance.json of a run, or its results folder.")]


def add_to(app: typer.Typer) -> None:
    """Register the verbs of this file."""
    for verb in (report, export):
        app.command()(verb)


def report(
    record: Record,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; left out: the run's own.")] = None,
    as_json: Json = False,
) -> None:
    """The report of a run, HTML and PDF, written again from its record; a changed result file is an error."""
    from RPTDosimetryLib.report.documents import report_of_record

    with shown_progress(quiet=as_json) as progress:
        answer = report_of_record(record, out, progress)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print(f"Report to read {answer['html']}\nReport to print and file {answer['pdf']}")


def export(
    record: Record,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    rtdose: Annotated[bool, typer.Option("--rtdose", help="Dose as DICOM RT Dose.")] = False,
    seg: Annotated[bool, typer.Option("--seg", help="Volumes as DICOM segmentation.")] = False,
    sr: Annotated[bool, typer.Option("--sr", help="Measurements by volume, coded (TID 1500); with its SEG.")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="The report as PDF, plain and inside DICOM.")] = False,
    rtstruct: Annotated[bool, typer.Option("--rtstruct", help="Volumes as DICOM RT structure set.")] = False,
    nifti: Annotated[bool, typer.Option("--nifti", help="Maps as NIfTI.")] = False,
    nrrd: Annotated[bool, typer.Option("--nrrd", help="Maps as NRRD.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Organ doses as CSV and JSON.")] = False,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Without names, IDs, dates and free text; UIDs remapped.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Results of a run as RT Dose, SEG, SR, PDF in DICOM, RTSTRUCT, NIfTI, NRRD or tables; all chosen or none."""
    import secrets

    from RPTDosimetryLib.report.export_folder import ExportChoice, export_record

    key = secrets.token_hex(16) if deidentify else None
    choice = ExportChoice(rtdose, seg, sr, pdf, rtstruct, nifti, nrrd, tables, key)
    with shown_progress(quiet=as_json) as progress:
        answer = export_record(record, out, choice, progress)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print("\n".join(f"{out / name}" for name in answer["files_sha256"]))
