"""The verb dose-rate: absorbed dose rate of each time point, and dose as its integral."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.steps import DensityIn, HuIn
from RPTDosimetryLib.cli.terminal import Json, print_json, print_warnings, rows_text, shown_progress
from RPTDosimetryLib.dose.engine import engine_names
from RPTDosimetryLib.tia.registry import model_names


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("dose-rate")(dose_rate)


def dose_rate(
    activity: Annotated[list[Path], typer.Option(help="Activity at scan time, Bq/mL; once for each time point.")],
    out: Annotated[Path, typer.Option(help="Folder for dose_rate_1.nrrd … [Gy/s] and dose.nrrd [Gy].")],
    time_h: Annotated[
        list[float] | None, typer.Option(help="Hours since administration, for each activity image in turn.")
    ] = None,
    engine: Annotated[str, typer.Option(help=f"One of: {', '.join(engine_names())}.")] = "msv8",
    nuclide: Annotated[str, typer.Option(help="For example Lu-177, Tb-161, Y-90, I-131.")] = "Lu-177",
    hu: HuIn = None,
    density: DensityIn = None,
    material: Annotated[Path | None, typer.Option(help="Labels of materials, with --density.")] = None,
    materials_json: Annotated[Path | None, typer.Option(help="What the labels are made of.")] = None,
    model: Annotated[str, typer.Option(help=f"Over time: auto, or one of {', '.join(model_names())}.")] = "auto",
    as_json: Json = False,
) -> None:
    """Absorbed dose rate [Gy/s] of each time point and, of several, the dose [Gy] as its integral over time."""
    from RPTDosimetryLib.dose.engine import DoseSettings
    from RPTDosimetryLib.dose.from_maps import DoseRateRequest, PatientFiles, dose_rate_from_maps
    from RPTDosimetryLib.tia.settings import TiaSettings

    files = PatientFiles(hu, density, material, materials_json)
    settings = DoseSettings(engine=engine, integrate="dose_rate")
    request = DoseRateRequest(activity, time_h or (), files, nuclide, settings, TiaSettings(model=model))
    with shown_progress(quiet=as_json) as progress:
        answer = dose_rate_from_maps(request, out, progress)
    if as_json:
        print_json(answer)
        return
    dose = answer["dose"]
    print_warnings(answer["warnings"] if dose is None else dose["warnings"])
    print(rows_text(("time_h", "mean_gy_per_s", "max_gy_per_s", "out"), answer["dose_rates"]))
    if dose is not None:
        print(f"{dose['out']}: {dose['method']} Highest dose {dose['max_gy']:.4g} Gy.")
