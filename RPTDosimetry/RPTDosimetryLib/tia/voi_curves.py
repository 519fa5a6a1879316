"""Time-activity curves of VOIs, and their fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import ActivitySeries, KineticFit, TimeActivityCurve, Voi
from RPTDosimetryLib.tia.bootstrap import BootstrapSettings, bootstrap
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.series_checks import check_vois, checked_series
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.tia.voi_lambda import voi_lambda


def voi_curves(series: ActivitySeries, vois: Sequence[Voi]) -> dict[str, TimeActivityCurve]:
    """Total activity in each mask at each scan [Bq] = Σ concentration·voxel volume.

    Raises KineticsError, VoiError (empty mask, two of one name), GridMismatchError.
    """
    ordered, _ = checked_series(series)
    check_vois(ordered, vois)
    volume_ml = ordered.activities[0].grid.voxel_volume_ml
    curves = {}
    for voi in vois:
        sums = [image.voxels[voi.mask].sum(dtype=np.float64) * volume_ml for image in ordered.activities]
        curves[voi.name] = TimeActivityCurve(
            ordered.time_s, np.asarray(sums, dtype=np.float64), ordered.nuclide, ordered.lambda_phys_per_s
        )
    return curves


def fit_vois(series: ActivitySeries, vois: Sequence[Voi], settings: TiaSettings | None = None) -> dict[str, KineticFit]:
    """The curve of each VOI fitted with the settings' model for its kind; "auto" chooses by AICc or by the kind.

    mansouri and the tail "voi_lambda" take the λ of the VOI's voxels, as the map does. A VOI without any activity gets
    Ã = 0 and a warning. With settings.bootstrap each fit carries the interval of a bootstrap, or says why it has none.
    Raises KineticsError, naming the VOI.
    """
    settings = settings or TiaSettings()
    ordered, _ = checked_series(series)
    fits = {}
    for voi, curve in zip(vois, voi_curves(ordered, vois).values(), strict=True):
        if not curve.activity_bq.any():
            fits[voi.name] = _nothing(voi)
            continue
        chosen, said, model = settings, tuple[str, ...](), settings.model_for(voi.kind)
        if settings.tail_half_life_h is None and (
            model == "mansouri" or (model == "trapezoid" and settings.tail == "voi_lambda")
        ):
            found = voi_lambda(voi.name, voi.mask, ordered)
            chosen, said = replace(settings, tail_half_life_h=found.half_life_h), found.warnings
        try:
            fit = fit_curve(curve, model, chosen, voi.kind)
        except KineticsError as error:
            raise KineticsError(f"{voi.name}: {error}") from error
        fits[voi.name] = _with_bootstrap(replace(fit, warnings=said + fit.warnings), curve, chosen)
    return fits


def _with_bootstrap(fit: KineticFit, curve: TimeActivityCurve, settings: TiaSettings) -> KineticFit:
    if not settings.bootstrap:
        return fit
    how = BootstrapSettings(replicates=settings.bootstrap, seed=settings.bootstrap_seed)
    try:
        found = bootstrap(curve, fit.model, settings, how)
    except KineticsError as error:
        return replace(fit, warnings=(*fit.warnings, str(error)))
    return replace(fit, bootstrap_se_bq_s=found.tia_se_bq_s, tia_interval_bq_s=found.interval_bq_s)


def _zero(time_s: NDArray[Any]) -> NDArray[np.float64]:
    return np.zeros(np.shape(time_s))


def _nothing(voi: Voi) -> KineticFit:
    return KineticFit(
        "none", 0.0, {}, 0.0, _zero, warnings=(f"{voi.name} holds no activity in any scan; its Ã is zero.",)
    )
