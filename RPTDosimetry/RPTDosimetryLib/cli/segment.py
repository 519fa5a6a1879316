"""The verbs on volumes of interest: organs of a CT, and what a study has drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, rows_text, shown_progress


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (segment, volumes):
        app.command()(verb)


def segment(
    ct: Annotated[Path, typer.Argument(help="CT in HU: an image file, or a folder with one CT series.")],
    out: Annotated[Path, typer.Option(help="Labels to write (.nrrd), on the CT's grid, with their names.")],
    organs: Annotated[Literal["totalsegmentator"], typer.Option(help="Who draws them.")] = "totalsegmentator",
    roi: Annotated[
        list[str] | None, typer.Option(help="One class, such as kidney_left; repeat. All if left out.")
    ] = None,
    fast: Annotated[bool, typer.Option(help="3 mm voxels in place of 1.5 mm.")] = False,
    device: Annotated[str, typer.Option(help="gpu, gpu:N, cpu or mps.")] = "gpu",
    as_json: Json = False,
) -> None:
    """Draw the organs of a CT with TotalSegmentator, where it is installed."""
    from RPTDosimetryLib.vois.label_file import segment_to_file
    from RPTDosimetryLib.vois.total_segmentator import TotalSegmentatorSettings

    settings = TotalSegmentatorSettings(tuple(roi or ()), fast, device)
    with shown_progress(quiet=as_json) as progress:
        answer = segment_to_file(ct, out, settings, progress)
    if as_json:
        print_json({**answer, "organs_by": organs})
        return
    print_warnings(answer["warnings"])
    print(rows_text(("label", "name", "canonical_name", "volume_ml"), answer["organs"]))
    print(f"{answer['out']}: {answer['method']}, volumes in mL")


def volumes(
    study: Annotated[Path, typer.Argument(help="Folder with the SPECT/CT files.")],
    config: Annotated[Path | None, typer.Option(help="TOML with the sections study and vois.")] = None,
    as_json: Json = False,
) -> None:
    """The structures that a study has drawn, with canonical name, code and volume in mL."""
    from RPTDosimetryLib.configuration import read_settings
    from RPTDosimetryLib.study.read_study import read_study
    from RPTDosimetryLib.vois.listing import drawn_volumes

    settings = read_settings(config)
    answer = drawn_volumes(read_study(study, settings.study), settings.vois.lesion_pattern)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    rows = [
        {**row, "code": row["code"] and f"{row['code']['value']} {row['code']['scheme']}"} for row in answer["volumes"]
    ]
    columns = ("time_point", "name", "canonical_name", "code", "kind", "volume_ml", "source")
    print(rows_text(columns, rows) if rows else "The study holds no structures.")
