"""Time-integrated activity voxel by voxel: from a series of activity images to a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, KineticsError
from RPTDosimetryLib.records import ActivitySeries, Cancelled, Image, Progress, TiaMap, Voi, never, silent
from RPTDosimetryLib.tia.columns import ActivityColumns, Notes, merged
from RPTDosimetryLib.tia.models.mansouri import KNOT_S, knot_warnings
from RPTDosimetryLib.tia.quantity import ACTIVITY, Quantity
from RPTDosimetryLib.tia.registry import KineticModel, kinetic_model
from RPTDosimetryLib.tia.series_checks import check_vois, checked_series
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.tia.single_scan import nearest_scan
from RPTDosimetryLib.tia.voi_lambda import VoiLambda, lambda_by_voxel

__all__ = ["TiaSettings", "integrate"]

#: Columns are float64 and this many at a time: tens of megabytes for ten scans.
VOXELS_A_CHUNK = 300_000


def integrate(
    series: ActivitySeries,
    vois: Sequence[Voi],
    settings: TiaSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
    quantity: Quantity = ACTIVITY,
) -> TiaMap:
    """Ã of every voxel [Bq·s per voxel] = ∫_0^∞ A(t) dt, A = concentration·voxel volume, with settings.model.

    "auto": two scans give two_point; more give mansouri, or kim where mansouri has no two scans from 24 h on. VOIs give
    the λ of their voxels' tails (mansouri, or tail "voi_lambda"). A voxel that is zero in every scan gets zero; how
    many voxels met a bound or a rule of their model, and what share of Ã they hold, stands in the warnings.
    quantity: what the images are of, in place of activity; the map is then its integral, in that unit.
    Raises KineticsError, VoiError, GridMismatchError, CancelledError.
    """
    settings = settings or TiaSettings()
    ordered, said = checked_series(series, quantity)
    check_vois(ordered, vois)
    model, choice = _model_for_map(settings, ordered.time_s)
    lambdas: NDArray[np.float64] | None = None
    found: list[VoiLambda] = []
    if _needs_voi_lambda(model, settings):
        progress(0.0, "Effective half-lives of the VOIs")
        lambdas, found = lambda_by_voxel(ordered, vois)
    whole = _Map(ordered, model, settings, quantity, lambdas)
    tia, extrapolated, notes = whole.integrated(progress, cancelled)
    warnings = [*said, *choice]
    if model.name == "mansouri":
        warnings += knot_warnings(ordered.time_s)
    warnings += [text for voi in found for text in voi.warnings]
    warnings += _counted(notes, tia, quantity)
    image = Image(tia, ordered.activities[0].grid, quantity.integral_unit)
    return TiaMap(image, model.name, extrapolated, tuple(warnings), _parameters(settings, found))


@dataclass(frozen=True)
class _Map:
    series: ActivitySeries
    model: KineticModel
    settings: TiaSettings
    quantity: Quantity
    lambdas: NDArray[np.float64] | None

    def integrated(
        self, progress: Progress, cancelled: Cancelled
    ) -> tuple[NDArray[np.float32], float, dict[str, tuple[int, float]]]:
        """(Ã (z, y, x), share of it after the last scan, notes)."""
        shape = self.series.activities[0].grid.shape_zyx
        tia = np.zeros(shape, dtype=np.float32)
        flat, tail_sum, tia_sum = tia.reshape(-1), 0.0, 0.0
        notes: list[Notes] = []
        for first in range(0, flat.size, VOXELS_A_CHUNK):
            if cancelled():
                raise CancelledError("The integration over time was cancelled; nothing was kept.")
            progress(first / flat.size, f"Integrating {self.quantity.name} over time ({self.model.name})")
            part = slice(first, min(first + VOXELS_A_CHUNK, flat.size))
            columns, active = self._columns(part)
            if active.any():
                result = self.model.integrate_columns(columns, self.settings)
                flat[part][active] = result.tia_bq_s
                tail_sum += float(result.tail_bq_s.sum())
                tia_sum += float(result.tia_bq_s.sum())
                notes.append(result.notes)
        progress(1.0, f"Integrated {self.quantity.name} over time")
        return tia, tail_sum / tia_sum, merged(notes)

    def _columns(self, part: slice) -> tuple[ActivityColumns, NDArray[np.bool_]]:
        """Active voxels of a part of the flattened grid, per voxel [Bq], and which they are."""
        grid = self.series.activities[0].grid
        activity = np.stack([image.voxels.reshape(-1)[part] for image in self.series.activities]).astype(np.float64)
        active = np.asarray(activity.any(axis=0))
        columns = ActivityColumns(
            activity[:, active] * self.quantity.per_voxel(grid),
            self.series.time_s,
            self.series.nuclide,
            self.series.lambda_phys_per_s,
            None if self.lambdas is None else self.lambdas.reshape(-1)[part][active],
        )
        return columns, active


def _model_for_map(settings: TiaSettings, time_s: NDArray[np.float64]) -> tuple[KineticModel, tuple[str, ...]]:
    if settings.weighting == "standard_error":
        raise KineticsError(
            "Weighting by standard errors is for curves that carry them: choose none, poisson or relative for a map."
        )
    if settings.model != "auto":
        return kinetic_model(settings.model), ()
    if time_s.size == 1:
        raise KineticsError(
            "One time point does not say how activity changes: ask for haenscheid, or for madsen with "
            "population_half_life_h, by name, or add scans."
        )
    if time_s.size == 2:
        return kinetic_model("two_point"), ("Model of the map: two_point, as there are two time points.",)
    if time_s.size - nearest_scan(time_s, KNOT_S) < 2:
        return kinetic_model("kim"), ("Model of the map: kim, as fewer than two scans are left from 24 h on.",)
    return kinetic_model("mansouri"), ()


def _needs_voi_lambda(model: KineticModel, settings: TiaSettings) -> bool:
    takes = model.name == "mansouri" or (model.name == "trapezoid" and settings.tail == "voi_lambda")
    return takes and settings.tail_half_life_h is None


def _counted(notes: Notes, tia_bq_s: NDArray[np.float32], quantity: Quantity) -> list[str]:
    active, whole = int(np.count_nonzero(tia_bq_s)), float(tia_bq_s.sum(dtype=np.float64))
    return [
        f"{count} of {active} active voxels ({held / whole:.2%} of the {quantity.integral_name}) {text}."
        for text, (count, held) in notes.items()
    ]


def _parameters(settings: TiaSettings, found: Sequence[VoiLambda]) -> dict[str, Any]:
    told: dict[str, Any] = {"weighting": settings.weighting}
    if found:
        told["voi_effective_half_life_h"] = {voi.name: voi.half_life_h for voi in found}
        told["voi_lambda_deviation_per_s"] = {voi.name: voi.deviation_per_s for voi in found}
        told["voi_lambda_voxels"] = {voi.name: voi.n_voxels for voi in found}
    return told
