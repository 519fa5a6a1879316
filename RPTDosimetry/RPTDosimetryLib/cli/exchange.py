"""Verbs that pass results on: a dose map as RT Dose, a run repeated from its record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, shown_progress


def add_to(app: typer.Typer) -> None:
    """Register the verbs of this file."""
    for verb in (replay, rtdose):
        app.command()(verb)


def replay(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="provenance.json of a run, or its results folder.")],
    study: Annotated[Path | None, typer.Option(help="Where the study lies now; left out: where it lay then.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the new results in this folder; left out: none kept.")] = None,
    as_json: Json = False,
) -> None:
    """Repeat a run from its record: bit for bit, or what differs; exit code 1 when a result differs."""
    from RPTDosimetryLib.replay import replay as repeat

    with shown_progress(quiet=as_json) as progress:
        found = repeat(record, study, out, progress)
    if as_json:
        print_json(found.answer())
    else:
        print(found.text())
    if not found.identical:
        raise typer.Exit(1)


def rtdose(
    dose: Annotated[Path, typer.Argument(metavar="DOSE_IMAGE", help="Absorbed dose [Gy]: NRRD, NIfTI, MHD, RTDOSE.")],
    like: Annotated[Path, typer.Option(help="DICOM file or folder: patient, study and frame of reference.")],
    out: Annotated[Path, typer.Option(help="RT Dose file to write.")],
    bits: Annotated[int, typer.Option(help="16 or 32 a voxel; 16 loses 0.0008 % of the maximum at most.")] = 16,
    as_json: Json = False,
) -> None:
    """A dose map as DICOM RT Dose, with the identity of the patient's images."""
    from RPTDosimetryLib.report.rtdose_file import rtdose_from_file

    answer = rtdose_from_file(dose, like, out, bits)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print(f"{answer['out']}: RT Dose of {answer['grid']}, highest dose {answer['maximum_gy']:.4g} Gy, stored to within")
    print(f"{answer['largest_error_gy']:.2g} Gy, frame of reference {answer['frame_of_reference_uid']}.")
