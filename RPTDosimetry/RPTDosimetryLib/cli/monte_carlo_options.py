"""Options of the Monte Carlo engine, the same for every verb that has them; left out, the configuration decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
from RPTDosimetryLib.errors import DoseError

PANEL = "Monte Carlo"
Histories = Annotated[
    float | None,
    typer.Option(help="Decays to simulate, such as 1e8; with --target-se the most.", rich_help_panel=PANEL),
]
TargetSe = Annotated[
    float | None,
    typer.Option(help="Stop at this relative standard error: 0.01 is 1 %.", rich_help_panel=PANEL),
]
TargetVolume = Annotated[
    list[str] | None,
    typer.Option(help="Volume whose mean it is the error of, may be repeated; else voxels.", rich_help_panel=PANEL),
]
Media = Annotated[str | None, typer.Option(help="Composition by the HU bins of msv8 or msv20.", rich_help_panel=PANEL)]
PhotonShare = Annotated[
    float | None, typer.Option(help="Photon histories relative to what decays emit.", rich_help_panel=PANEL)
]
Flattening = Annotated[
    float | None, typer.Option(help="Share of histories spread evenly over active voxels.", rich_help_panel=PANEL)
]
Refine = Annotated[
    int | None, typer.Option(help="Density on so many times finer voxels along each axis.", rich_help_panel=PANEL)
]
Seed = Annotated[int | None, typer.Option(help="Seed of the random numbers.", rich_help_panel=PANEL)]
Device = Annotated[str | None, typer.Option(help="cpu, or cuda for an NVIDIA GPU.", rich_help_panel=PANEL)]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="File that keeps what is done when a run is stopped, to go on from.", rich_help_panel=PANEL),
]


def with_options(settings: MonteCarloSettings, **given: Any) -> MonteCarloSettings:
    """The settings with the options that were given. Raises DosimetryError children for impossible ones."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if "target_volumes" in chosen:
        chosen["target_volumes"] = tuple(chosen["target_volumes"])
    return replace(settings, **chosen)


def require_engine(engine: str, settings: MonteCarloSettings) -> None:
    """Raise DoseError where options of the Monte Carlo are given to another engine, which would ignore them."""
    if engine != "monte_carlo" and settings != MonteCarloSettings():
        raise DoseError(
            f"Engine {engine} has no options of the Monte Carlo: give --engine monte_carlo, or leave them out."
        )
