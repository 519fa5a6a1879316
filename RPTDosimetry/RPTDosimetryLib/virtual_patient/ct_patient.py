"""The demo's activity model laid on a real CT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.ct_organs import TOTALSEGMENTATOR, Mask, labelled_organs, placed_organs
from RPTDosimetryLib.virtual_patient.ct_tissues import CtTissues, along_lps, find_tissues
from RPTDosimetryLib.virtual_patient.kinetics import draw_uptake
from RPTDosimetryLib.virtual_patient.patient import RegionMap, VirtualPatient, give_kinetics
from RPTDosimetryLib.virtual_patient.torso_patient import DEMO_ACTIVITY_BQ, heterogeneity

#: Where a region has a curve of its own (kinetics.py); lesions have their own too, all else shares the remainder.
CURVE_OF: Final[Mapping[str, str]] = {
    **{name: name for name in ("liver", "spleen", "kidney_left", "kidney_right", "bladder")},
    "vertebral_marrow": "bone_marrow",
    "bones": "bone_marrow",
}
#: Activity per mL of the remainder by HU, muscle being 1: (below this HU, weight), as tissues.py has it.
REMAINDER: Final = ((-850.0, 0.0), (-500.0, 1.2), (-30.0, 0.5), (np.inf, 1.0))
LESIONS_ML: Final = (
    ("lesion_liver_1", "liver", 30.0),
    ("lesion_liver_2", "liver", 8.0),
    ("lesion_bone_1", "bones", 10.0),
)


def patient_from_ct(
    ct: Image,
    labels: Image | None,
    seed: int,
    classes: Mapping[str, tuple[int, ...]] = TOTALSEGMENTATOR,
    administered_activity_bq: float = DEMO_ACTIVITY_BQ,
) -> VirtualPatient:
    """A virtual patient whose body is a real CT [HU] and whose activity is drawn.

    Organs come from ``labels`` (TotalSegmentator numbers unless ``classes`` says otherwise); without labels they are
    plain shapes at usual places, and the record says so. Lesions are balls at the deepest places of liver and bone; the
    CT itself is not changed. Raises StudyError: no body, a tilted CT, labels that lie elsewhere.
    """
    spread_rng, kinetics_rng = np.random.default_rng(seed).spawn(2)
    straight = along_lps(ct)
    tissues = find_tissues(straight)
    if labels is not None:
        organs, warnings = labelled_organs(along_lps(labels), tissues, classes)
        source = "real CT, organs from a label file, activity drawn"
    else:
        organs, warnings = placed_organs(tissues)
        source = "real CT, organs as placed shapes (not segmented), activity drawn"
    organs = {**organs, **_everywhere(tissues, organs)}
    lesions, left_out = _lesions(organs, tissues.hu.grid)
    region_map = _region_map(tissues, organs, lesions, spread_rng)
    names = region_map.names
    volumes_ml = {name: volume for name, _, volume in LESIONS_ML if name in lesions}
    uptake = draw_uptake(kinetics_rng, volumes_ml)
    present = {*region_map.curve_of.values(), "remainder"}
    share_per_ml, kinetics = give_kinetics(region_map, {k: v for k, v in uptake.items() if k in present})
    return VirtualPatient(
        ct=straight,
        regions=region_map.regions,
        names=names,
        share_per_ml=share_per_ml,
        kinetics=kinetics,
        administered_activity_bq=administered_activity_bq,
        vois={name: (name,) for name in names if name not in ("outside", "rest_of_body")},
        source=f"{source}, seed {seed}",
        warnings=(*warnings, *left_out),
    )


def _region_map(
    tissues: CtTissues, organs: Mapping[str, Mask], lesions: Mapping[str, Mask], rng: np.random.Generator
) -> RegionMap:
    """Organs and lesions painted over the rest of the body, in that order."""
    index = tissues.body.astype(np.uint8)
    for number, mask in enumerate((*organs.values(), *lesions.values()), start=2):
        index[mask] = number
    index = np.where(tissues.body, index, 0).astype(np.uint8)
    names, index = _without_empty(("outside", "rest_of_body", *organs, *lesions), index)
    curve_of = {name: CURVE_OF[name] for name in names if name in CURVE_OF} | {name: name for name in lesions}
    weight = _weight(tissues.hu.voxels, index, [name in curve_of for name in names])
    weight *= heterogeneity(tissues.hu.grid, rng)
    return RegionMap(Image(index, tissues.hu.grid, "1"), names, weight, curve_of)


def _everywhere(tissues: CtTissues, organs: Mapping[str, Mask]) -> dict[str, Mask]:
    """Lungs and bones by threshold where the labels do not have them, outside all other organs."""
    taken = np.logical_or.reduce([*organs.values(), np.zeros_like(tissues.body)])
    found = {"lungs": tissues.lungs & ~taken, "bones": tissues.bones & ~taken}
    return {name: mask for name, mask in found.items() if mask.any() and name not in organs}


def _lesions(organs: Mapping[str, Mask], grid: Grid) -> tuple[dict[str, Mask], tuple[str, ...]]:
    """Balls of given volume, each at the place of its organ farthest from the edge and from other lesions."""
    lesions: dict[str, Mask] = {}
    left_out = []
    for name, organ, volume_ml in LESIONS_ML:
        hosts = ("vertebral_marrow", "bones") if organ == "bones" else (organ,)
        host = next((organs[h] for h in hosts if h in organs), None)
        radius_mm = (volume_ml * 1000.0 * 3.0 / (4.0 * np.pi)) ** (1 / 3)
        ball = None if host is None else _deepest_ball(host, radius_mm, lesions.values(), grid)
        if ball is None:
            left_out.append(name)
        else:
            lesions[name] = ball
    warning = (
        (f"Lesions left out, as no organ on this CT has room for them: {', '.join(left_out)}.",) if left_out else ()
    )
    return lesions, warning


def _deepest_ball(host: Mask, radius_mm: float, others: Iterable[Mask], grid: Grid) -> Mask | None:
    """A ball around the deepest voxel of the host once other lesions are cut out; None when it would leave the host."""
    free = host.copy()
    for other in others:
        free &= ndimage.distance_transform_edt(~other, sampling=grid.spacing_mm[::-1]) > radius_mm
    depth = ndimage.distance_transform_edt(np.pad(free, 1), sampling=grid.spacing_mm[::-1])[1:-1, 1:-1, 1:-1]
    if depth.max() < 0.8 * radius_mm:
        return None
    centre = np.unravel_index(int(np.argmax(depth)), depth.shape)
    squares = [((np.arange(n) - c) * s) ** 2 for n, c, s in zip(host.shape, centre, grid.spacing_mm[::-1], strict=True)]
    distance = squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :]
    return np.asarray(distance < radius_mm**2)


def _without_empty(names: tuple[str, ...], index: NDArray[np.uint8]) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Drop regions that others have painted over entirely."""
    counts = np.bincount(index.ravel(), minlength=len(names))
    kept = [n for n in range(len(names)) if n < 2 or counts[n]]
    renumbered = np.zeros(256, dtype=np.uint8)
    renumbered[kept] = np.arange(len(kept))
    return tuple(names[n] for n in kept), renumbered[index]


def _weight(hu: NDArray[np.float32], index: NDArray[np.uint8], has_own_curve: list[bool]) -> NDArray[np.float32]:
    """1 in regions with a curve of their own, elsewhere by HU."""
    edges = [edge for edge, _ in REMAINDER[:-1]]
    by_hu = np.asarray([weight for _, weight in REMAINDER], dtype=np.float32)[np.digitize(hu, edges)]
    own = np.asarray(has_own_curve)[index]
    return np.where(own, np.float32(1.0), np.where(index > 0, by_hu, np.float32(0.0)))
