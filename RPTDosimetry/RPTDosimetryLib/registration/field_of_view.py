"""Where a field of view cuts the patient: activity or body that an image does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import coverage
from RPTDosimetryLib.records import Image, Study
from RPTDosimetryLib.registration.body import body_outline
from RPTDosimetryLib.registration.working_grid import coarser
from RPTDosimetryLib.study.z_ranges import along_slices_mm

#: Voxels of the outlines that this file looks at: a cut of a few mm is within the blur of a SPECT.
_SPECT_MM: Final = 9.6
_CT_MM: Final = 4.0
#: Less contact than this is noise on the outline or an elbow's tip.
SMALLEST_CONTACT_CM2: Final = 15.0
#: Tissue on CT: above fat's lowest numbers, so that clothes, cushions and most couches do not count.
TISSUE_HU: Final = -250.0
EMPTY_HU: Final = -950.0
#: An end slice whose hottest 10 mL exceed the median tissue by this cuts an organ with uptake (blood pool at 4 h: 5).
HOT_END: Final = 8.0
_HOT_ML: Final = 10.0
#: Share of activity beyond the CT from which its missing density matters.
BEYOND_CT_SHARE: Final = 1e-3


@dataclass(frozen=True)
class Truncation:
    """warnings: activity or body is lost, doses near there are wrong; notes: worth knowing, usual in a trunk scan."""

    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def truncation(study: Study) -> Truncation:
    """What the fields of view of a quantitative study cut, one sentence each that names the time point.

    Warnings: the body's outline on SPECT touches a side of the image; the body on CT touches its circle or a side; the
    SPECT reaches beyond its CT along z with more than 0.1 % of its activity. Notes: the first or last slice of a SPECT
    cuts a place of high uptake. That the body goes on beyond the first and last slice is usual and not said.
    """
    warnings: list[str] = []
    notes: list[str] = []
    seen_cts: list[Image] = []
    for number, point in enumerate(study.time_points, start=1):
        name = f"Time point {number}"
        warnings += spect_cut(point.spect, name)
        notes += hot_ends(point.spect, name)
        if point.ct is not None:
            warnings += beyond_ct(point.spect, point.ct, name)
            if all(point.ct is not ct for ct in seen_cts):
                warnings += ct_cut(point.ct, f"CT of time point {number}")
                seen_cts.append(point.ct)
    return Truncation(tuple(warnings), tuple(notes))


def spect_cut(spect: Image, name: str) -> list[str]:
    """Sides (in the plane of the slices) that the outline of the body touches, with the area of contact."""
    coarse = coarser(spect, _SPECT_MM)
    try:
        body = body_outline([coarse])
    except RegistrationError:
        return []
    cut = [
        f"{side} ({area_cm2:.0f} cm²)"
        for side, area_cm2 in _contacts_cm2(body, coarse).items()
        if area_cm2 > SMALLEST_CONTACT_CM2
    ]
    if not cut:
        return []
    return [
        f"{name}: the field of view of the SPECT cuts the body on the {', '.join(cut)}; activity beyond it is missing."
    ]


def ct_cut(ct: Image, name: str) -> list[str]:
    """Where the body on CT touches the scanned circle, or a side of the image."""
    coarse = coarser(ct, _CT_MM)
    body = _body_on_ct(coarse)
    sides = {side: area for side, area in _contacts_cm2(body, coarse).items() if area > SMALLEST_CONTACT_CM2}
    if sides:
        told = ", ".join(f"{side} ({area:.0f} cm²)" for side, area in sides.items())
        return [f"{name}: its field of view cuts the body on the {told}; the density beyond it counts as air."]
    area_cm2 = _contact_with_circle_cm2(body, coarse)
    if area_cm2 > SMALLEST_CONTACT_CM2:
        return [
            f"{name}: its circular field of view cuts the body ({area_cm2:.0f} cm²); density beyond it counts as air."
        ]
    return []


def beyond_ct(spect: Image, ct: Image, name: str) -> list[str]:
    """Length and share of activity of the SPECT that lies beyond the CT along z."""
    low, high = along_slices_mm(spect.grid)
    ct_low, ct_high = along_slices_mm(ct.grid, spect.grid)
    below_mm, above_mm = max(0.0, ct_low - low), max(0.0, high - ct_high)
    if max(below_mm, above_mm) < spect.grid.spacing_mm[2]:
        return []
    inside = coverage(ct.grid, spect.grid).max(axis=(1, 2))[:, None, None]
    total = float(spect.voxels.sum(dtype=np.float64))
    share = 1.0 - float((spect.voxels * inside).sum(dtype=np.float64)) / total if total > 0 else 0.0
    if share < BEYOND_CT_SHARE:
        return []
    told = " and ".join(f"{mm:.0f} mm {end}" for mm, end in ((below_mm, "below"), (above_mm, "above")) if mm > 0)
    return [
        f"{name}: the SPECT reaches {told} its CT, with {share:.1%} of its activity; no density is known there "
        "([density] outside_ct decides what it counts as)."
    ]


def hot_ends(spect: Image, name: str) -> list[str]:
    """First and last slices that cut a place of high uptake."""
    coarse = coarser(spect, _SPECT_MM)
    tissue = coarse.voxels[coarse.voxels > 0.02 * np.percentile(coarse.voxels, 99.5)]
    if tissue.size == 0:
        return []
    median = float(np.median(tissue))
    most = max(1, round(_HOT_ML / coarse.grid.voxel_volume_ml))
    notes = []
    for index, end in ((0, "first"), (-1, "last")):
        hottest = float(np.sort(coarse.voxels[index].ravel())[-most:].mean())
        if hottest > HOT_END * median:
            notes.append(f"{name}: the {end} slice of the SPECT cuts a place of high uptake; part of it is not seen.")
    return notes


def _contacts_cm2(body: NDArray[np.bool_], image: Image) -> dict[str, float]:
    """Area of the body on each in-plane side of the image [cm²], by the patient's side."""
    spacing = image.grid.spacing_mm[::-1]
    columns = np.reshape(image.grid.direction, (3, 3))
    result: dict[str, float] = {}
    for axis in (1, 2):
        pixel_cm2 = spacing[0] * spacing[3 - axis] / 100.0
        for index in (0, -1):
            outward = columns[:, 2 - axis] * (-1.0 if index == 0 else 1.0)
            result[_patient_side(outward)] = float(np.count_nonzero(np.take(body, index, axis))) * pixel_cm2
    return result


def _patient_side(outward: NDArray[np.float64]) -> str:
    """The patient's side that a direction (LPS) points to."""
    axis = int(np.argmax(np.abs(outward)))
    names = (("right", "left"), ("anterior", "posterior"), ("inferior", "superior"))[axis]
    return names[int(outward[axis] > 0)]


def _body_on_ct(ct: Image) -> NDArray[np.bool_]:
    """Largest piece of tissue after parting it from the couch by an opening of one voxel, holes not filled."""
    tissue = ndimage.binary_opening(ct.voxels > TISSUE_HU)
    pieces, count = ndimage.label(tissue)
    if count < 2:
        return np.asarray(tissue, dtype=bool)
    return np.asarray(pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])))


def _contact_with_circle_cm2(body: NDArray[np.bool_], ct: Image) -> float:
    """Area of the body at the rim of the inscribed circle [cm²]; 0 where the image has values outside that circle.

    A rim voxel counts when it is body and lies within one and a half voxels inside of the circle.
    """
    _, nj, ni = ct.grid.shape_zyx
    sx, sy, sz = ct.grid.spacing_mm
    y, x = np.meshgrid((np.arange(nj) - (nj - 1) / 2) * sy, (np.arange(ni) - (ni - 1) / 2) * sx, indexing="ij")
    radius = np.hypot(x, y)
    edge_mm = min(ni * sx, nj * sy) / 2.0
    width_mm = 1.5 * max(sx, sy)
    outside = radius > edge_mm + max(sx, sy)
    if not outside.any() or ct.voxels[:, outside].max() > EMPTY_HU:
        return 0.0
    rim = (radius <= edge_mm) & (radius > edge_mm - width_mm)
    share = np.count_nonzero(body[:, rim], axis=1) / max(1, np.count_nonzero(rim))
    return float(share.sum()) * 2.0 * np.pi * edge_mm * sz / 100.0
