"""Gamma index of two absorbed-dose maps: how far apart they are in dose and place at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, EvaluationError
from RPTDosimetryLib.evaluation.comparable import checked_mask, require_comparable
from RPTDosimetryLib.evaluation.gamma_points import search_points
from RPTDosimetryLib.records import Cancelled, Image, Progress, never, silent

#: γ = 1 passes. Doses are float32, whose rounding alone moves a γ of 1 at 1 % by 1e-5.
PASSES_UP_TO = 1.0 + 1e-4
#: Voxels of one job: some hundredths of a second, so that threads share evenly and a stop is soon heard.
_JOB = 2048


@dataclass(frozen=True)
class GammaSettings:
    """Criteria of the comparison; pass is γ ≤ 1.

    dose_percent: of the normalisation dose (global: reference_dose_gy, or the reference's maximum where that is None),
    or of the reference dose of each voxel (local). cutoff_percent: of the normalisation dose; reference voxels below it
    are not judged. maximum_gamma: γ is searched and given up to here, from 1 on. steps_per_dta: points are
    dta_mm/steps_per_dta apart.
    """

    dose_percent: float = 1.0
    dta_mm: float = 4.795
    local: bool = False
    cutoff_percent: float = 10.0
    maximum_gamma: float = 2.0
    reference_dose_gy: float | None = None
    steps_per_dta: int = 10

    def __post_init__(self) -> None:
        for name in ("dose_percent", "dta_mm", "maximum_gamma", "steps_per_dta", "reference_dose_gy"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise EvaluationError(f"Gamma: {name} is {value}; give a number above 0.")
        if self.maximum_gamma < 1.0:
            raise EvaluationError(
                f"Gamma: a maximum of {self.maximum_gamma:g} cannot tell pass from fail; give 1 or more."
            )
        if not 0.0 <= self.cutoff_percent <= 100.0:
            raise EvaluationError(f"Gamma: the cut-off is {self.cutoff_percent} %; give a share from 0 to 100 %.")


@dataclass(frozen=True)
class GammaCounts:
    """Voxels of a volume (voxels), those with a γ (judged), those with γ ≤ 1 (passed), those with γ at the maximum."""

    voxels: int
    judged: int
    passed: int
    at_maximum: int
    mean_gamma: float | None
    highest_gamma: float | None

    @property
    def pass_rate(self) -> float | None:
        """passed/judged, 0 to 1; None where nothing was judged."""
        return self.passed / self.judged if self.judged else None


@dataclass(frozen=True)
class GammaResult:
    """γ of every judged voxel; NaN below the cut-off and outside the mask.

    counts: over the mask, or over the whole map without one. normalisation_gy: the dose that percents of the cut-off
    and of a global criterion refer to.
    """

    gamma_index: Image
    counts: GammaCounts
    settings: GammaSettings
    normalisation_gy: float
    cutoff_gy: float
    warnings: tuple[str, ...] = ()

    @property
    def judged(self) -> int:
        """Voxels with a γ."""
        return self.counts.judged

    @property
    def passed(self) -> int:
        """Voxels with γ ≤ 1."""
        return self.counts.passed

    @property
    def pass_rate(self) -> float | None:
        """passed/judged, 0 to 1; None where nothing was judged."""
        return self.counts.pass_rate

    def counts_in(self, mask: NDArray[np.bool_]) -> GammaCounts:
        """The same figures of a part of the map (z, y, x)."""
        return gamma_counts(self.gamma_index.voxels[mask], self.settings.maximum_gamma)


def gamma_index(
    reference: Image,
    evaluated: Image,
    settings: GammaSettings | None = None,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> GammaResult:
    """γ(r) = min over p of √[((D_e(p) − D_r(r))/ΔD)² + (|p − r|/DTA)²] for the reference's voxels; Low 1998.

    Both maps [Gy] on one grid of any spacing. D_e between voxel centres is trilinear; p runs over shells of
    steps_per_dta points a DTA up to maximum_gamma · DTA and never leaves the image. Where mask is given, γ is given
    inside it; the search looks outside it too. Raises GridMismatchError on different grids; EvaluationError for a
    reference without dose, an empty mask, values that are not numbers, or a grid of one slice; CancelledError.
    """
    settings = settings or GammaSettings()
    inside = _checked_mask(reference, evaluated, mask)
    normalisation_gy = settings.reference_dose_gy or float(reference.voxels.max())
    cutoff_gy = normalisation_gy * settings.cutoff_percent / 100.0
    reference_gy, evaluated_gy = (np.ascontiguousarray(i.voxels, dtype=np.float32) for i in (reference, evaluated))
    judged = inside & (reference_gy >= np.float32(cutoff_gy))
    if settings.local:
        judged &= reference_gy > 0.0
    gamma = np.full(reference.grid.shape_zyx, np.nan, dtype=np.float32)
    share = settings.dose_percent / 100.0
    allowed = (0.0, share) if settings.local else (share * normalisation_gy, 0.0)
    z_mm, y_mm, x_mm = reference.grid.spacing_mm[::-1]
    criteria = (allowed, (z_mm, y_mm, x_mm), settings)
    _search_all(reference_gy, evaluated_gy, judged, criteria, gamma, (progress, cancelled))
    counts = gamma_counts(gamma[inside], settings.maximum_gamma)
    warnings = tuple(_warnings(reference, settings, counts))
    return GammaResult(reference.with_voxels(gamma, "1"), counts, settings, normalisation_gy, cutoff_gy, warnings)


def gamma_counts(gamma: NDArray[np.floating], maximum_gamma: float) -> GammaCounts:
    """What a set of γ values says; NaN is not judged."""
    judged = gamma[np.isfinite(gamma)]
    mean = float(judged.mean(dtype=np.float64)) if judged.size else None
    highest = float(judged.max()) if judged.size else None
    passed = int(np.count_nonzero(judged <= PASSES_UP_TO))
    at_maximum = int(np.count_nonzero(judged >= np.float32(maximum_gamma)))
    return GammaCounts(gamma.size, judged.size, passed, at_maximum, mean, highest)


def _search_all(
    reference_gy: NDArray[np.float32],
    evaluated_gy: NDArray[np.float32],
    judged: NDArray[np.bool_],
    criteria: tuple[tuple[float, float], tuple[float, float, float], GammaSettings],
    gamma: NDArray[np.float32],
    watch: tuple[Progress, Cancelled],
) -> None:
    """Fill ``gamma`` where ``judged``, on all cores."""
    from RPTDosimetryLib.evaluation.gamma_search import search

    allowed, spacing_mm, settings = criteria
    progress, cancelled = watch
    points = search_points(spacing_mm, settings.dta_mm, settings.steps_per_dta, settings.maximum_gamma)
    bounds = _cell_bounds(evaluated_gy, judged, points.reach)
    axes_mm = tuple(np.arange(n) * mm for n, mm in zip(evaluated_gy.shape, spacing_mm, strict=True))
    limits = (points.reach, axes_mm, float(settings.maximum_gamma))
    packed = (points.cell, points.distance2, points.first, points.fraction, points.offset_mm)
    voxels = np.flatnonzero(judged)
    out = gamma.reshape(-1)

    def job(first: int) -> None:
        search(voxels[first : first + _JOB], reference_gy, evaluated_gy, bounds, allowed, packed, limits, out)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        jobs = [pool.submit(job, first) for first in range(0, voxels.size, _JOB)]
        for number, done in enumerate(jobs, 1):
            if cancelled():
                pool.shutdown(cancel_futures=True)
                raise CancelledError("The gamma index was stopped; nothing was kept.")
            done.result()
            progress(number / len(jobs), "Gamma index")


def _cell_bounds(
    dose_gy: NDArray[np.float32], judged: NDArray[np.bool_], reach: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest of the eight voxels at the corners of each cell, (z − 1, y − 1, x − 1) each.

    Only cells that a judged voxel reaches are filled.
    """
    whole = tuple(np.empty([n - 1 for n in dose_gy.shape], dtype=np.float32) for _ in range(2))
    box = _box(judged, reach)
    low = high = dose_gy[box]
    for axis in range(3):
        before, after = (slice(None, -1), slice(1, None))
        one, other = ((slice(None),) * axis + (part,) for part in (before, after))
        low, high = np.minimum(low[one], low[other]), np.maximum(high[one], high[other])
    cells = tuple(slice(part.start, part.start + n) for part, n in zip(box, low.shape, strict=True))
    whole[0][cells], whole[1][cells] = low, high
    return whole[0], whole[1]


def _box(judged: NDArray[np.bool_], reach: NDArray[np.int64]) -> tuple[slice, ...]:
    """The part of the image between the outermost judged voxels, and as far beyond as their search reaches."""
    box = []
    for axis in range(3):
        along = np.flatnonzero(judged.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = (int(along[0]), int(along[-1])) if along.size else (0, 0)
        low, high = first - int(reach[axis]), last + int(reach[axis]) + 1
        box.append(slice(max(min(low, judged.shape[axis] - 2), 0), max(high, 2)))
    return tuple(box)


def _checked_mask(reference: Image, evaluated: Image, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """The voxels asked for, once both maps are known to be doses that can be compared."""
    require_comparable(reference, evaluated)
    if min(reference.grid.shape_zyx) < 2:
        raise EvaluationError(
            f"The gamma index looks between voxels in three directions: a grid of {reference.grid} has only one slice."
        )
    return checked_mask(reference, mask)


def _warnings(reference: Image, settings: GammaSettings, counts: GammaCounts) -> Iterator[str]:
    widest = max(reference.grid.spacing_mm)
    # a voxel of 4.7952 mm is no reason to warn at the usual 4.795 mm
    if settings.dta_mm < 0.99 * widest:
        yield (
            f"The DTA of {settings.dta_mm:g} mm is below the voxel size ({widest:.4g} mm): within a DTA the evaluated "
            "dose is known only by interpolation between voxel centres, so γ judges little beyond the dose difference."
        )
    if counts.judged == 0:
        yield "No voxel reaches the dose cut-off, so there is no pass rate."


def above_cutoff(everywhere: GammaResult, reference: Image, cutoff_percent: float) -> GammaResult:
    """A result that was computed without cut-off, judged only from ``cutoff_percent`` on (γ itself stays the same)."""
    settings = replace(everywhere.settings, cutoff_percent=cutoff_percent)
    cutoff_gy = everywhere.normalisation_gy * cutoff_percent / 100.0
    gamma = np.where(
        reference.voxels.astype(np.float32) >= np.float32(cutoff_gy), everywhere.gamma_index.voxels, np.nan
    )
    found = gamma_counts(gamma, settings.maximum_gamma)
    counts = replace(found, voxels=everywhere.counts.voxels)
    warnings = tuple(_warnings(reference, settings, counts))
    image = everywhere.gamma_index.with_voxels(gamma.astype(np.float32))
    return GammaResult(image, counts, settings, everywhere.normalisation_gy, cutoff_gy, warnings)
