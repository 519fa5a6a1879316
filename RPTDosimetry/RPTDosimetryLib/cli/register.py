"""The verb ``rptdosimetry register``: time points on one grid, with pictures and transforms to correct."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, rows_text, shown_progress


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(register)


def register(
    study: Annotated[Path, typer.Argument(help="Folder with the SPECT/CT files, in counts or Bq/mL.")],
    out: Annotated[Path, typer.Option(help="Folder for registered images [Bq/mL], transforms, pictures and table.")],
    config: Annotated[
        Path | None, typer.Option(help="TOML; its sections study, calibration, beds and registration count.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="rigid, affine, bspline or none; wins over the file.")] = None,
    through: Annotated[str | None, typer.Option(help="spect or ct: the images that are compared.")] = None,
    transforms: Annotated[Path | None, typer.Option(help="Folder with transform_N.tfm, taken as they are.")] = None,
    as_json: Json = False,
) -> None:
    """Bring every time point of a study onto one of them, and write what can be checked, corrected and run again."""
    from RPTDosimetryLib.configuration import read_settings, settings_from
    from RPTDosimetryLib.files import require_folder
    from RPTDosimetryLib.pipeline import quantify
    from RPTDosimetryLib.records import part_of
    from RPTDosimetryLib.registration.register import register as register_study
    from RPTDosimetryLib.report.registration_folder import write_registration

    settings = read_settings(config)
    words = {key: value for key, value in (("method", method), ("through", through)) if value is not None}
    checked = settings_from({"registration": words}, "register").registration  # refuses other words
    chosen = replace(settings.registration, **{key: getattr(checked, key) for key in words})
    if transforms is not None:
        chosen = replace(chosen, transforms=transforms)
    require_folder(out)
    with shown_progress(quiet=as_json) as progress:
        found = quantify(study, settings, part_of(progress, 0.0, 0.2)).study
        registered = register_study(found, chosen, part_of(progress, 0.2, 0.7))
        answer = write_registration(registered, out, part_of(progress, 0.7, 1.0))
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    print(f"{answer['out']}: time points on the grid of time point {answer['reference']}")
    columns = ("number", "method", "through", "mutual_information_before", "mutual_information_after",
               "detail_correlation", "displacement_mm", "rotation_deg", "cut_fraction", "total_mbq")  # fmt: skip
    print(rows_text(columns, answer["time_points"]))
