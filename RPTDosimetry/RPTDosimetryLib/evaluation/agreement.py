"""How far organ doses of two maps are apart: errors of each organ, and their spread over organs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.evaluation.dvh import Dvh, dvh, dvh_r2
from RPTDosimetryLib.evaluation.image_metrics import VoxelComparison, VoxelMetrics
from RPTDosimetryLib.evaluation.organ_table import DoseSummary, dose_summary
from RPTDosimetryLib.evaluation.partial_volume import covered_dose, parts_of
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.physics.media import SCHNEIDER_8
from RPTDosimetryLib.records import Image, Voi

#: Fewer organs have no limits of agreement worth printing.
FEWEST_ORGANS = 3
#: ± this many standard deviations hold 95 % of a normal distribution (Bland and Altman 1986).
LIMITS_SD = 1.96


@dataclass(frozen=True)
class OrganAgreement:
    """One organ in both maps. Errors are evaluated − reference, percents of the reference's figure.

    Means are mass-weighted where a density is given (mass_g is None otherwise); air by density then counts in air_ml
    and volume_ml only, in dose and metrics not. A percent is None where the reference's figure is 0. Homogeneity index:
    (D2 − D98)/D50; dvh_r2: how well the evaluated cumulative histogram follows the reference's (dvh.dvh_r2).
    """

    name: str
    kind: str
    voxels: int
    volume_ml: float
    air_ml: float
    mass_g: float | None
    reference_mean_gy: float
    evaluated_mean_gy: float
    error_gy: float
    error_percent: float | None
    absolute_error_gy: float
    absolute_error_percent: float | None
    d98_error_gy: float
    d98_error_percent: float | None
    d50_error_gy: float
    d50_error_percent: float | None
    d2_error_gy: float
    d2_error_percent: float | None
    metrics: VoxelMetrics
    reference_homogeneity_index: float | None = None
    evaluated_homogeneity_index: float | None = None
    dvh_r2: float | None = None


@dataclass(frozen=True)
class BlandAltman:
    """Differences over organs: mean, sample standard deviation, and mean ± 1.96 standard deviations."""

    organs: int
    unit: str
    mean_difference: float
    standard_deviation: float
    lower_limit: float
    upper_limit: float


def organ_agreement(
    reference: Image,
    evaluated: Image,
    vois: Sequence[Voi],
    density: Image | None = None,
    comparison: VoxelComparison | None = None,
    parts: int | None = None,
) -> list[OrganAgreement]:
    """One row a volume, in their order. comparison: of the same maps, where one is at hand.

    parts: each voxel is cut into parts along each axis, and those at the edge of a volume count by their share
    (partial_volume.py) in means, D_x, homogeneity and R², unless it has more than MOST_VOXELS; None: whole voxels.
    metrics are of whole voxels always.

    Raises GridMismatchError, EvaluationError (also a volume with doses below 0), VoiError (empty, only air).
    """
    comparison = comparison or VoxelComparison(reference, evaluated)
    if density is not None:
        require_same_grid(reference.grid, density.grid, "Dose and density")
    rows = []
    for voi in vois:
        require_same_grid(reference.grid, voi.grid, f"Dose and the mask of {voi.name}")
        tissue = _tissue(voi, density)
        cut = parts_of(voi, parts)
        both = [_figures(image, voi, tissue, density, cut) for image in (reference, evaluated)]
        rows.append(_row(voi, tissue, both[0], both[1], comparison.metrics(tissue)))
    return rows


def bland_altman(differences: NDArray[np.floating] | Sequence[float], unit: str) -> BlandAltman | None:
    """Limits of agreement of at least three differences; None for fewer."""
    values = np.asarray(differences, dtype=np.float64)
    if values.size < FEWEST_ORGANS:
        return None
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    return BlandAltman(values.size, unit, mean, spread, mean - LIMITS_SD * spread, mean + LIMITS_SD * spread)


def percent_of_both(row: OrganAgreement) -> float | None:
    """Difference in percent of the mean of both maps, as Bland–Altman plots have it; None where both are 0."""
    both = 0.5 * (row.reference_mean_gy + row.evaluated_mean_gy)
    return 100.0 * row.error_gy / both if both > 0 else None


def _tissue(voi: Voi, density: Image | None) -> NDArray[np.bool_]:
    """The voxels of a volume that are not air by their density; all of them where none is known."""
    tissue = voi.mask
    if density is not None:
        tissue = voi.mask.copy()
        tissue[voi.mask] = SCHNEIDER_8.media_from_density(density.voxels[voi.mask]) > 0
    if not tissue.any():
        what = "holds only air" if voi.mask.any() else "is empty"
        raise VoiError(f"The mask of {voi.name} {what}: no dose can be compared. Draw it again or leave it out.")
    return tissue


def _figures(
    dose: Image, voi: Voi, tissue: NDArray[np.bool_], density: Image | None, parts: int | None
) -> tuple[DoseSummary, Dvh]:
    """Dose figures and cumulative histogram of one map in a volume."""
    volume_ml = voi.grid.voxel_volume_ml
    if parts is None:
        doses, shares = dose.voxels[tissue], None
        densities = None if density is None else density.voxels[tissue]
    else:
        covered = covered_dose(dose, voi, parts, density)
        doses, shares, densities = covered.dose_gy, covered.weights, covered.density_g_per_cm3
        if densities is not None:
            counted = SCHNEIDER_8.media_from_density(densities) > 0
            doses, shares, densities = doses[counted], shares[counted], densities[counted]
    summary = dose_summary(doses, densities, volume_ml, shares, voi.name)
    return summary, dvh(doses, volume_ml, voi.name, weights=shares)


def _row(
    voi: Voi,
    tissue: NDArray[np.bool_],
    reference: tuple[DoseSummary, Dvh],
    evaluated: tuple[DoseSummary, Dvh],
    metrics: VoxelMetrics,
) -> OrganAgreement:
    (theirs, their_curve), (ours, our_curve) = reference, evaluated
    voxels, counted = int(np.count_nonzero(voi.mask)), int(np.count_nonzero(tissue))
    error = ours.mean_gy - theirs.mean_gy
    error_percent = _percent(error, theirs.mean_gy)
    return OrganAgreement(
        name=voi.name,
        kind=voi.kind,
        voxels=voxels,
        volume_ml=voi.volume_ml,
        air_ml=(voxels - counted) * voi.grid.voxel_volume_ml,
        mass_g=theirs.mass_g,
        reference_mean_gy=theirs.mean_gy,
        evaluated_mean_gy=ours.mean_gy,
        error_gy=error,
        error_percent=error_percent,
        absolute_error_gy=abs(error),
        absolute_error_percent=None if error_percent is None else abs(error_percent),
        d98_error_gy=ours.d98_gy - theirs.d98_gy,
        d98_error_percent=_percent(ours.d98_gy - theirs.d98_gy, theirs.d98_gy),
        d50_error_gy=ours.d50_gy - theirs.d50_gy,
        d50_error_percent=_percent(ours.d50_gy - theirs.d50_gy, theirs.d50_gy),
        d2_error_gy=ours.d2_gy - theirs.d2_gy,
        d2_error_percent=_percent(ours.d2_gy - theirs.d2_gy, theirs.d2_gy),
        metrics=metrics,
        reference_homogeneity_index=theirs.homogeneity_index,
        evaluated_homogeneity_index=ours.homogeneity_index,
        dvh_r2=dvh_r2(their_curve, our_curve),
    )


def _percent(difference: float, of: float) -> float | None:
    return 100.0 * difference / of if of > 0 else None
