"""Patients whose body is a real CT or the ICRP-110 phantom, for judging only: no network is trained on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.learning.cohort import CohortPatient
from RPTDosimetryLib.learning.cohort_activity import FAINTEST, ActivityDraw, draw_activity, seen_by_spect
from RPTDosimetryLib.learning.cohort_body import DOSE_SPACING_MM
from RPTDosimetryLib.learning.cohort_parameters import SLICES
from RPTDosimetryLib.physics.hounsfield import density_from_hu
from RPTDosimetryLib.virtual_patient.appearance import smooth_noise

#: Spread (1 σ of the log) of what each region of the phantom holds, against its given activity.
REGION_SPREAD: Final = 0.35
AIR_HU: Final = -1000.0
#: Where each kind lies below the folder of reference data.
PLACES: Final[Mapping[str, str]] = {
    "am": "am",
    "abdomen_ct": "abdomen_ct/CRLM-CT-1006/image",
    "example_ct": "example_ct/example_ct.nii.gz",
}


def real_kinds(folder: Path) -> tuple[str, ...]:
    """The kinds whose files are in the folder."""
    return tuple(kind for kind, place in PLACES.items() if (folder / place).exists())


def real_patient(kind: str, seed: int, folder: Path) -> CohortPatient:
    """A patient on a real anatomy with activity drawn from the seed. Needs SimpleITK.

    Raises StudyError for a kind that does not exist or whose files are missing.
    """
    if kind not in PLACES or not (folder / PLACES[kind]).exists():
        raise StudyError(
            f"There is no real anatomy {kind!r} in {folder}: it has {', '.join(real_kinds(folder)) or 'none'}."
        )
    build: Callable[[str, int, Path], CohortPatient] = _phantom if kind == "am" else _on_ct
    return build(kind, seed, folder / PLACES[kind])


def _phantom(kind: str, seed: int, place: Path) -> CohortPatient:
    """The phantom with its regions' activity varied, heterogeneous, and seen by a SPECT."""
    from RPTDosimetryLib.study.image_files import read_image

    hu = read_image(place / "hu.nrrd", "HU")
    labels = read_image(place / "regions.nrrd", "1").voxels.astype(int)
    given = read_image(place / "tia_bq_s.nrrd", "Bq·s").voxels.astype(np.float64)
    regions = json.loads((place / "summary.json").read_text(encoding="utf-8"))["regions"]
    draw_rng, factor_rng, spread_rng = np.random.default_rng(seed).spawn(3)
    activity = draw_activity(draw_rng)
    factor = np.exp(factor_rng.normal(0.0, REGION_SPREAD, labels.max() + 1))
    tia = given * factor[labels] * (activity.administered_activity_bq / 7.4e9)
    body = hu.voxels > -950.0
    named = {name: labels == region["label"] for name, region in regions.items() if region["label"] is not None}
    vois = {"whole_body": labels > 0, **{name: mask for name, mask in named.items() if mask.any()}}
    kinds = {name: "lesion" if "tumour" in name else "organ" for name in vois} | {"whole_body": "region"}
    drawn: dict[str, Any] = {"activity": activity, "region_factors": factor.tolist()}
    source = f"ICRP-110 male phantom at 4.8 mm, activity varied, seed {seed}"
    voxels = np.rint(hu.voxels).astype(np.int16)
    return _patient(
        (kind, seed, source), hu.grid, voxels, _seen(tia, hu.grid, body, activity, spread_rng), (vois, kinds, drawn)
    )


def _on_ct(kind: str, seed: int, place: Path) -> CohortPatient:
    """A real CT, its bed taken away, with organs as labelled or placed shapes (virtual_patient/ct_patient.py)."""
    from RPTDosimetryLib.grid import resample_mean
    from RPTDosimetryLib.study.read_ct import read_ct
    from RPTDosimetryLib.virtual_patient.ct_patient import patient_from_ct

    draw_rng, spread_rng = np.random.default_rng(seed).spawn(2)
    activity = draw_activity(draw_rng)
    ct = read_ct(place)
    patient = patient_from_ct(ct, None, seed, administered_activity_bq=activity.administered_activity_bq)
    grid = _around(patient.ct.grid)
    share = resample_mean((patient.regions.voxels > 0).astype(np.float32), patient.grid, grid)
    hu = resample_mean(np.maximum(patient.ct.voxels, AIR_HU), patient.ct.grid, grid, fill=AIR_HU)
    hu[share <= 0.0] = AIR_HU
    vois: dict[str, NDArray[np.bool_]] = {"whole_body": share >= 0.5}
    for name in patient.vois:
        mask = resample_mean(patient.mask(name).astype(np.float32), patient.grid, grid) >= 0.5
        if mask.any():
            vois[name] = mask
    kinds = {name: "lesion" if name.startswith("lesion") else "organ" for name in vois} | {"whole_body": "region"}
    tia = _seen(patient.tia_on(grid).voxels.astype(np.float64), grid, share >= 0.5, activity, spread_rng)
    drawn = {"activity": activity, "warnings": list(patient.warnings)}
    voxels = np.rint(np.clip(hu, AIR_HU, 3000.0)).astype(np.int16)
    return _patient((kind, seed, patient.source), grid, voxels, tia, (vois, kinds, drawn))


def _around(ct: Grid) -> Grid:
    """Dose voxels over the CT's box, at least 64 along each axis, centred on it."""
    middle = np.asarray(ct.centre_mm)
    lengths = np.multiply(ct.shape_zyx[::-1], ct.spacing_mm)
    counts = [max(SLICES[0], int(np.ceil(length / DOSE_SPACING_MM))) for length in lengths]
    x, y, z = middle - 0.5 * DOSE_SPACING_MM * (np.asarray(counts) - 1)
    return Grid((counts[2], counts[1], counts[0]), (DOSE_SPACING_MM,) * 3, (x, y, z))


def _seen(
    tia: NDArray[np.float64], grid: Grid, body: NDArray[np.bool_], activity: ActivityDraw, rng: np.random.Generator
) -> NDArray[np.float32]:
    field = np.exp(np.float32(activity.heterogeneity) * smooth_noise(grid, activity.heterogeneity_grain_mm, rng))
    seen = seen_by_spect(tia * field, grid, activity.spect, rng)
    seen = np.where(body, seen, 0.0)
    seen[seen < FAINTEST * seen.max()] = 0.0
    return seen.astype(np.float32)


def _patient(
    who: tuple[str, int, str],
    grid: Grid,
    hu: NDArray[np.int16],
    tia: NDArray[np.float32],
    rest: tuple[dict[str, NDArray[np.bool_]], dict[str, str], dict[str, Any]],
) -> CohortPatient:
    (kind, seed, source), (vois, kinds, drawn) = who, rest
    drawn = drawn | {"activity": asdict(drawn["activity"])}
    return CohortPatient(kind, seed, grid, hu, density_from_hu(hu), tia, vois, kinds, drawn, source)
