"""The kinetic models by name. Adding one is one file in models/: its name is the model's, its MODEL is the model."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Protocol

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia import models
from RPTDosimetryLib.tia.columns import ActivityColumns, IntegratedColumns
from RPTDosimetryLib.tia.settings import FitSettings


class KineticModel(Protocol):
    """A way to integrate activity from t = 0 to infinity.

    min_points: scans it needs. n_parameters: of a least-squares fit, None where nothing is fitted by least squares
    (then no AICc).
    """

    @property
    def name(self) -> str:
        """As the command line knows it."""

    @property
    def min_points(self) -> int:
        """Scans needed."""

    @property
    def n_parameters(self) -> int | None:
        """Free parameters of the fit."""

    def fit(self, curve: TimeActivityCurve, settings: FitSettings) -> KineticFit:
        """One curve (checked, in order of time). Raises KineticsError."""

    def integrate_columns(self, columns: ActivityColumns, settings: FitSettings) -> IntegratedColumns:
        """Many curves with the same scan times; the same result as fit for each. Raises KineticsError."""


def model_names() -> tuple[str, ...]:
    """Names of all models, without importing them."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(models.__path__)))


def kinetic_model(name: str) -> KineticModel:
    """The model of that name. Raises KineticsError that lists the names."""
    if name not in model_names():
        raise KineticsError(f"Unknown kinetic model {name!r}: choose auto or one of {', '.join(model_names())}.")
    model: KineticModel = import_module(f"{models.__name__}.{name}").MODEL
    return model
