"""The verbs of pre-therapy prediction: virtual patients to learn from, training of the projection, and predicting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, shown_progress


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("dataset-predict")(dataset_predict)


def dataset_predict(
    out: Annotated[Path, typer.Option(help="Folder for the patients; one that was stopped goes on.")],
    patients: Annotated[int, typer.Option(help="How many.")] = 48,
    seed: Annotated[int, typer.Option(help="Seed of the first; the others follow.")] = 1,
    kind: Annotated[
        list[str] | None, typer.Option(help="Anatomies in turn, once for each; left out: torso, male, obese, slim.")
    ] = None,
    test_share: Annotated[float, typer.Option(help="Share of patients kept for judging.")] = 0.25,
    processes: Annotated[int, typer.Option(help="Patients made at the same time, one core each.")] = 1,
    as_json: Json = False,
) -> None:
    """Theranostic virtual patients: PET [SUV], CT, organs, dose [Gy] of 1 GBq by msv8."""
    from RPTDosimetryLib.prediction.theranostic_dataset import (
        TRAINING_KINDS,
        TheranosticDataset,
        write_theranostic_dataset,
    )

    wanted = TheranosticDataset(patients, tuple(kind or TRAINING_KINDS), seed, test_share, processes)
    with shown_progress(quiet=as_json) as progress:
        answer = write_theranostic_dataset(wanted, out, progress)
    if as_json:
        print_json(answer)
        return
    print(
        f"{answer['root']}: {answer['patients']} patients, {answer['made']} made now, {answer['stood']} stood already."
    )
