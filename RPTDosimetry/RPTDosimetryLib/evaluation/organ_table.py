"""One row a volume: volume, mass, time-integrated activity and absorbed dose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.calibration.recovery import RecoveryCurve, recovered_mean
from RPTDosimetryLib.errors import EvaluationError, VoiError
from RPTDosimetryLib.evaluation.dvh import Dvh, Weights, dose_at_volume_gy, dvh, homogeneity_index
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.physics.media import SCHNEIDER_8
from RPTDosimetryLib.records import Administration, DoseMap, Image, PatientMap, TiaMap, Voi
from RPTDosimetryLib.units import BQ_PER_GBQ
from RPTDosimetryLib.vois.lesion_volume import small_lesion_note

#: What the lists of an answer's histograms are.
BINS_TOLD = "cumulative: fraction of the volume with at least dose_gy; differential: fraction per Gy between edges"


@dataclass(frozen=True)
class OrganDose:
    """Dose to one volume. mean_gy = Σ m_i D_i / Σ m_i (energy per mass); mean_plain_gy is the plain voxel mean.

    Air voxels (medium 0) count in volume_ml and tia_bq_s but not in mass and dose; air_ml says how much they are.
    None: the mass where no density is known, ã and Gy/GBq where the administered activity is not, the recovery
    coefficient and the mean corrected by it where no curve is, the statistical error of the mean, 1 σ, where the engine
    has none. mean_u_gy, mean_recovered_u_gy: combined standard uncertainty (1 σ) of both means, u_not_included: what it
    lacks; None and empty until a budget is made (uncertainty room). lesions: whether lesions inside an organ count in
    it; reviewed_by: who accepted the contour, None until somebody did.
    """

    name: str
    kind: str
    voxels: int
    volume_ml: float
    air_ml: float
    mass_g: float | None
    tia_bq_s: float
    tia_coefficient_s: float | None
    mean_gy: float
    mean_plain_gy: float
    d2_gy: float
    d50_gy: float
    d98_gy: float
    minimum_gy: float
    maximum_gy: float
    gy_per_gbq: float | None
    homogeneity_index: float | None = None  # (D2 − D98)/D50, ICRU 83
    mean_se_gy: float | None = None
    recovery_coefficient: float | None = None
    mean_recovered_gy: float | None = None
    mean_u_gy: float | None = None
    mean_recovered_u_gy: float | None = None
    u_not_included: str = ""
    code: str | None = None
    lesions: str | None = None
    reviewed_by: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DoseSummary:
    """The dose figures of a set of voxels; mean_gy is mass-weighted where densities are given, else the plain mean.

    homogeneity_index: (D2 − D98)/D50 (ICRU 83), None where D50 is 0.
    """

    mass_g: float | None
    mean_gy: float
    mean_plain_gy: float
    d2_gy: float
    d50_gy: float
    d98_gy: float
    minimum_gy: float
    maximum_gy: float
    homogeneity_index: float | None


def organ_doses(
    dose: DoseMap,
    vois: Sequence[Voi],
    patient: PatientMap,
    tia: TiaMap,
    administration: Administration,
    recovery: RecoveryCurve | None = None,
) -> list[OrganDose]:
    """Rows in the order of the volumes. ã = Ã/A0 [s]; Gy/GBq per administered activity.

    recovery: organs and lesions also get their mean divided by RC(V), beside the uncorrected one.

    Raises GridMismatchError when a map or mask lies on another grid, VoiError for a mask without tissue voxels.
    """
    require_same_grid(dose.image.grid, patient.density.grid, "Dose and density")
    require_same_grid(dose.image.grid, tia.image.grid, "Dose and time-integrated activity")
    rows = [_organ_dose(dose, voi, patient, tia, administration.administered_activity_bq) for voi in vois]
    if recovery is None:
        return rows
    return [_recovered(row, voi, recovery) for row, voi in zip(rows, vois, strict=True)]


def _organ_dose(
    dose: DoseMap, voi: Voi, patient: PatientMap, tia: TiaMap, administered_activity_bq: float | None
) -> OrganDose:
    require_same_grid(dose.image.grid, voi.grid, f"Dose and the mask of {voi.name}")
    voxels = int(np.count_nonzero(voi.mask))
    tissue = voi.mask & (patient.medium > 0)
    air = voxels - int(np.count_nonzero(tissue))
    if voxels in {0, air}:
        what = "is empty" if voxels == 0 else "holds only air"
        raise VoiError(f"The mask of {voi.name} {what}: no dose can be given. Draw it again or leave it out.")
    doses, densities = dose.image.voxels[tissue], patient.density.voxels[tissue]
    summary = dose_summary(doses, densities, voi.grid.voxel_volume_ml, name=voi.name)
    tia_bq_s = float(tia.image.voxels[voi.mask].sum(dtype=np.float64))
    a0_bq = administered_activity_bq
    small = small_lesion_note(voi)
    in_air = f"{voi.name}: {air} of {voxels} voxels are air and left out of its dose." if air else None
    warnings = tuple(text for text in (in_air, small) if text)
    return OrganDose(
        name=voi.name,
        kind=voi.kind,
        voxels=voxels,
        volume_ml=voi.volume_ml,
        air_ml=air * voi.grid.voxel_volume_ml,
        tia_bq_s=tia_bq_s,
        tia_coefficient_s=None if a0_bq is None else tia_bq_s / a0_bq,
        gy_per_gbq=None if a0_bq is None else summary.mean_gy / (a0_bq / BQ_PER_GBQ),
        mean_se_gy=dose.region_errors_gy.get(voi.name),
        code=None if voi.code is None else f"{voi.code.value} {voi.code.scheme} {voi.code.meaning}",
        lesions=voi.lesions,
        reviewed_by=None if voi.review is None else f"{voi.review.reviewer}, {voi.review.time.isoformat()}",
        warnings=warnings,
        **vars(summary),
    )


def _recovered(row: OrganDose, voi: Voi, curve: RecoveryCurve) -> OrganDose:
    if voi.kind == "region":
        return row
    mean = recovered_mean(voi, row.mean_gy, curve)
    said = (mean.note,) if mean.note else ()
    return replace(
        row,
        recovery_coefficient=mean.coefficient,
        mean_recovered_gy=mean.corrected,
        warnings=(*row.warnings, *said),
    )


def dose_summary(
    dose_gy: NDArray[np.floating],
    density_g_per_cm3: NDArray[np.floating] | None,
    voxel_volume_ml: float,
    weights: Weights = None,
    name: str = "",
) -> DoseSummary:
    """Dose figures of a set of voxels of equal volume; densities in the same order, or None where unknown.

    weights: share of each voxel that counts (partial_volume.py); None: all of each. name: for what an error says.
    """
    doses = np.asarray(dose_gy, dtype=np.float64).ravel()
    shares = np.ones(doses.size) if weights is None else np.asarray(weights, dtype=np.float64).ravel()
    plain = float((shares * doses).sum() / shares.sum()) if doses.size else float("nan")
    mass_g, mean = None, plain
    if density_g_per_cm3 is not None:
        masses_g = np.asarray(density_g_per_cm3, dtype=np.float64).ravel() * shares * voxel_volume_ml
        mass_g = float(masses_g.sum())
        if not (masses_g >= 0).all() or mass_g <= 0:
            raise EvaluationError("A volume has voxels of negative density or no mass at all. Check the density map.")
        mean = float((masses_g * doses).sum() / mass_g)
    d2, d50, d98 = (dose_at_volume_gy(doses, percent, weights, name) for percent in (2.0, 50.0, 98.0))
    spread = homogeneity_index(d2, d50, d98)
    return DoseSummary(mass_g, mean, plain, d2, d50, d98, float(doses.min()), float(doses.max()), spread)


def dvh_answer(
    dose: Image,
    volumes: Image | Sequence[Voi],
    density: Image | None = None,
    names: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """Dose figures and DVH of every label above 0, or of every volume of interest, as plain numbers for JSON.

    mean_gy is mass-weighted where a density map is given (mean_weighting says so); air by that density (below the
    lung's HU) then counts in volume_ml and air_ml only, as no engine gives it a dose. Raises GridMismatchError on
    different grids, VoiError when no label is set or one holds only air, EvaluationError for labels that are not whole
    numbers.
    """
    masks = _label_masks(dose, volumes, names or {}) if isinstance(volumes, Image) else _voi_masks(dose, volumes)
    if density is not None:
        require_same_grid(dose.grid, density.grid, "Dose and density")
    return {
        "unit": "Gy",
        "mean_weighting": "voxel volume (no density given)" if density is None else "voxel mass",
        "bins": BINS_TOLD,
        "volumes": [_label_answer(dose, mask, density, number, name) for number, name, mask in masks],
        "warnings": [] if isinstance(volumes, Image) else [text for voi in volumes for text in voi.warnings],
    }


def _label_masks(dose: Image, labels: Image, names: Mapping[int, str]) -> Iterator[tuple[int, str, NDArray[np.bool_]]]:
    require_same_grid(dose.grid, labels.grid, "Dose and labels")
    numbers = np.unique(labels.voxels)
    if not np.array_equal(numbers, np.round(numbers)) or numbers[0] < 0:
        raise EvaluationError("The label map holds values that are not whole numbers from 0 up. Give a label map.")
    chosen = [int(n) for n in numbers if n > 0]
    if not chosen:
        raise VoiError("The label map holds no label above 0: no volume to evaluate.")
    return ((n, names.get(n, str(n)), labels.voxels == n) for n in chosen)


def _voi_masks(dose: Image, vois: Sequence[Voi]) -> Iterator[tuple[int, str, NDArray[np.bool_]]]:
    for voi in vois:
        require_same_grid(dose.grid, voi.grid, f"Dose and the mask of {voi.name}")
    return ((number, voi.name, voi.mask) for number, voi in enumerate(vois, start=1))


def _label_answer(dose: Image, mask: NDArray[np.bool_], density: Image | None, label: int, name: str) -> dict[str, Any]:
    volume_ml = dose.grid.voxel_volume_ml
    doses, densities, air = dose.voxels[mask], None, 0
    if density is not None:
        tissue = SCHNEIDER_8.media_from_density(density.voxels[mask]) > 0
        air = int(np.count_nonzero(~tissue))
        doses, densities = doses[tissue], density.voxels[mask][tissue]
        if doses.size == 0:
            raise VoiError(f"Label {name} holds only air: no dose can be given. Leave it out.")
    histogram = dvh(doses, volume_ml, name)
    return {
        "label": label,
        "name": name,
        "voxels": int(np.count_nonzero(mask)),
        "volume_ml": float(np.count_nonzero(mask)) * volume_ml,
        "air_ml": air * volume_ml,
        **vars(dose_summary(doses, densities, volume_ml, name=name)),
        **histogram_answer(histogram),
    }


def histogram_answer(histogram: Dvh) -> dict[str, Any]:
    """A histogram's curves as lists."""
    return {
        "dose_gy": histogram.dose_gy.tolist(),
        "cumulative": histogram.cumulative.tolist(),
        "differential_per_gy": histogram.differential_per_gy.tolist(),
    }
