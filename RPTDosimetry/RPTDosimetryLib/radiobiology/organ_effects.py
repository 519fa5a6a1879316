"""BED, EQD2 and gEUD of every volume of interest, each with its own kinetics, and the BED map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.errors import RadiobiologyError
from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.radiobiology.lea_catcheside import lea_catcheside_factor
from RPTDosimetryLib.radiobiology.linear_quadratic import bed_gy, eqd2_gy, geud_gy
from RPTDosimetryLib.radiobiology.tissues import RadiobiologySettings, Tissue, tissue_of
from RPTDosimetryLib.records import DoseMap, Image, KineticFit, PatientMap, Voi
from RPTDosimetryLib.units import S_PER_H

BED_METHOD: Final = (
    "BED = D + G·D²/(α/β) voxel by voxel, G from the fitted activity curve of the smallest volume of interest with a "
    "known α/β that holds the voxel (all its voxels alike: irradiation by the volume itself); NaN elsewhere."
)


@dataclass(frozen=True)
class OrganEffect:
    """Biological effect of this cycle in one volume; None where no α/β is known (note says so).

    dose_gy: the mean that the settings ask for, dose_u_gy its combined standard uncertainty. lea_catcheside: G of the
    volume's own curve (kinetics: its model). bed_gy and eqd2_gy: of the mean dose; bed_u_gy: from dose_u_gy alone, α/β
    and repair taken as exact. bed_voxel_mean_gy: mean over mass of the voxels' BED. geud_gy: with exponent geud_a.
    """

    name: str
    kind: str
    dose_gy: float
    dose_u_gy: float | None = None
    alpha_beta_gy: float | None = None
    repair_half_life_h: float | None = None
    lea_catcheside: float | None = None
    kinetics: str = ""
    bed_gy: float | None = None
    bed_u_gy: float | None = None
    eqd2_gy: float | None = None
    bed_voxel_mean_gy: float | None = None
    geud_gy: float | None = None
    geud_a: float | None = None
    source: str = ""
    geud_source: str = ""
    note: str = ""

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def dose_of(row: OrganDose, settings: RadiobiologySettings) -> tuple[float, float | None, str]:
    """(mean dose, its uncertainty, what to say of it) as the settings ask; as imaged where no recovery is known."""
    if settings.dose == "as_imaged":
        return row.mean_gy, row.mean_u_gy, ""
    if row.mean_recovered_gy is None:
        return row.mean_gy, row.mean_u_gy, f"{row.name}: no recovery correction is known; the mean is as imaged."
    return row.mean_recovered_gy, row.mean_recovered_u_gy, ""


def organ_effects(
    dose: DoseMap,
    vois: Sequence[Voi],
    rows: Sequence[OrganDose],
    fits: Mapping[str, KineticFit],
    patient: PatientMap,
    settings: RadiobiologySettings,
) -> tuple[OrganEffect, ...]:
    """Effects in the order of the volumes. Raises RadiobiologyError (negative dose, no voxels), GridMismatchError."""
    return tuple(
        _effect((dose, patient), voi, row, fits[voi.name], settings) for voi, row in zip(vois, rows, strict=True)
    )


def _effect(
    maps: tuple[DoseMap, PatientMap], voi: Voi, row: OrganDose, fit: KineticFit, settings: RadiobiologySettings
) -> OrganEffect:
    mean, u, said = dose_of(row, settings)
    tissue = tissue_of(voi, settings.tissues)
    if tissue is None:
        text = "no α/β and repair half-time with a source are in the settings: no BED"
        return OrganEffect(voi.name, voi.kind, mean, u, note=f"{voi.name}: {text}. {said}".strip())
    voxels, mass = _tissue_voxels(maps, voi)
    geud = None if tissue.geud_a is None else geud_gy(voxels, tissue.geud_a)
    try:
        g = lea_catcheside_factor(fit.activity_bq_at, tissue.repair_half_life_h * S_PER_H)
    except RadiobiologyError as error:
        return OrganEffect(voi.name, voi.kind, mean, u, note=f"{voi.name}: {error} {said}".strip())
    bed, alpha_beta = float(bed_gy(mean, g, tissue.alpha_beta_gy)), tissue.alpha_beta_gy
    return OrganEffect(
        voi.name,
        voi.kind,
        mean,
        u,
        alpha_beta_gy=alpha_beta,
        repair_half_life_h=tissue.repair_half_life_h,
        lea_catcheside=g,
        kinetics=fit.model,
        bed_gy=bed,
        bed_u_gy=None if u is None else u * (1 + 2 * g * mean / alpha_beta),
        eqd2_gy=float(eqd2_gy(bed, alpha_beta)),
        bed_voxel_mean_gy=float(np.average(bed_gy(voxels, g, alpha_beta), weights=mass)),
        geud_gy=geud,
        geud_a=tissue.geud_a,
        source=tissue.source,
        geud_source=tissue.geud_source,
        note=said,
    )


def effect_maps(
    dose: DoseMap, vois: Sequence[Voi], effects: Sequence[OrganEffect]
) -> tuple[Image | None, Image | None]:
    """(BED, EQD2) [Gy] per voxel as BED_METHOD says; None where no volume has a known α/β."""
    known = [(voi, e) for voi, e in zip(vois, effects, strict=True) if e.lea_catcheside is not None]
    if not known:
        return None, None
    bed = np.full(dose.image.grid.shape_zyx, np.nan, dtype=np.float32)
    eqd2 = bed.copy()
    for voi, effect in sorted(known, key=lambda pair: -np.count_nonzero(pair[0].mask)):
        require_same_grid(dose.image.grid, voi.grid, f"Dose and the mask of {voi.name}")
        alpha_beta = effect.alpha_beta_gy or math.nan
        bed[voi.mask] = bed_gy(dose.image.voxels[voi.mask], effect.lea_catcheside or 0.0, alpha_beta)
        eqd2[voi.mask] = eqd2_gy(bed[voi.mask], alpha_beta)
    return Image(bed, dose.image.grid, "Gy"), Image(eqd2, dose.image.grid, "Gy")


def bed_of_dose(dose_gy: float, lea_catcheside: float, tissue: Tissue) -> dict[str, Any]:
    """BED and EQD2 of one dose with all that they rest on, JSON-ready. Raises RadiobiologyError."""
    bed = float(bed_gy(dose_gy, lea_catcheside, tissue.alpha_beta_gy))
    return {
        "organ": tissue.organ,
        "dose_gy": dose_gy,
        "alpha_beta_gy": tissue.alpha_beta_gy,
        "repair_half_life_h": tissue.repair_half_life_h,
        "lea_catcheside": lea_catcheside,
        "bed_gy": bed,
        "eqd2_gy": float(eqd2_gy(bed, tissue.alpha_beta_gy)),
        "source": tissue.source,
    }


def _tissue_voxels(maps: tuple[DoseMap, PatientMap], voi: Voi) -> tuple[np.ndarray, np.ndarray]:
    """Doses [Gy] and densities of the volume's voxels that are not air, in float64."""
    dose, patient = maps
    require_same_grid(dose.image.grid, voi.grid, f"Dose and the mask of {voi.name}")
    inside = voi.mask & (patient.medium > 0)
    if not inside.any():
        raise RadiobiologyError(f"{voi.name} holds no tissue: no biologically effective dose. Draw it again.")
    return dose.image.voxels[inside].astype(np.float64), patient.density.voxels[inside].astype(np.float64)
