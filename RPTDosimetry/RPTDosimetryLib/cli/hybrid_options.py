"""Options of the hybrid engine, the same for every verb that has them; left out, the configuration decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from RPTDosimetryLib.dose.hybrid_settings import HybridSettings
from RPTDosimetryLib.errors import DoseError

PANEL = "Hybrid"
Model = Annotated[
    str | None, typer.Option(help="A shipped model's name, or the folder of your own.", rich_help_panel=PANEL)
]
WhenOutside = Annotated[
    str | None,
    typer.Option(help="A patient unlike the training's: msv (plain MSV-8), or use.", rich_help_panel=PANEL),
]
OutMaps = Annotated[
    Path | None,
    typer.Option(help="Folder for correction, spread of the members and attribution [Gy].", rich_help_panel=PANEL),
]


def with_options(
    settings: HybridSettings, engine: str, model: str | None, when_outside: str | None, device: str | None
) -> HybridSettings:
    """The settings with the options that were given. Raises DoseError where they are given to another engine."""
    if engine != "hybrid":
        if model is not None or when_outside is not None:
            raise DoseError(f"Engine {engine} takes no --model or --when-outside: give --engine hybrid.")
        return settings
    if when_outside not in (None, "msv", "use"):
        raise DoseError(f"--when-outside {when_outside}: choose msv or use.")
    given: dict[str, Any] = {"model": model, "when_outside": when_outside, "device": device}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})
