"""The verb that builds a data set of virtual patients for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, shown_progress


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(dataset)


def dataset(
    out: Annotated[Path, typer.Argument(help="Folder of the data set; the same command goes on where it stopped.")],
    patients: Annotated[int, typer.Option(help="Virtual patients.")] = 72,
    seed: Annotated[int, typer.Option(help="Seed of the whole cohort.")] = 1,
    decays: Annotated[float, typer.Option(help="Decays simulated for each patient.")] = 2e8,
    nuclide: Annotated[str, typer.Option(help="For example Lu-177.")] = "Lu-177",
    flattening: Annotated[float, typer.Option(help="Share of histories spread evenly over active voxels.")] = 0.5,
    photon_share: Annotated[float, typer.Option(help="Photon histories relative to what decays emit.")] = 1.0,
    device: Annotated[str, typer.Option(help="cpu, or cuda for an NVIDIA GPU.")] = "cpu",
    workers: Annotated[int, typer.Option(help="Processes, each with its share of the cores.")] = 1,
    real: Annotated[
        Path | None, typer.Option(help="Instead: the real anatomies of this folder, for judging (am/, CTs).")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="To learn from (again for each): male, female, obese, slim (if none is given), short, dense, implant."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Virtual patients with CT, activity, SSV, MSV and Monte Carlo doses, for training and judging networks."""
    from RPTDosimetryLib.learning.build_patient import BuildSettings
    from RPTDosimetryLib.learning.cohort_parameters import TRAINING_KINDS
    from RPTDosimetryLib.learning.data_set import DataSetPlan, build_data_set

    build = BuildSettings(decays, nuclide, flattening, photon_share)
    plan = DataSetPlan(patients, seed, build, None if real is None else str(real), tuple(kind or TRAINING_KINDS))
    with shown_progress(quiet=as_json) as progress:
        answer = build_data_set(plan, out, workers, device, progress)
    if as_json:
        print_json(answer)
        return
    built = f"{answer['built']} of {answer['patients']} patients built now"
    print(f"{answer['out']}: {built}, settings {answer['settings_hash']}.")
