"""CT series of one visit that continue each other along z, as one CT."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.study.scan import CtScan
from RPTDosimetryLib.study.z_ranges import along_slices_mm, follow_one_another, overlap_mm

#: Starts of CTs of one visit; those of different visits are never one CT, even in one frame of reference.
LONGEST_APART_S = 3600.0
#: Header rounding of in-plane positions and spacings [mm].
_SAME_PLACE_MM = 0.05


def joined_cts(cts: tuple[CtScan, ...]) -> tuple[tuple[CtScan, ...], tuple[str, ...]]:
    """CT series with neighbours joined, and notes. The others stay as they are.

    Joined: same frame of reference, starts within an hour, same in-plane grid and slice distance, following one another
    along the slices (see z_ranges.py). Reconstructions of one place are told apart by their voxel size, or not joined.
    """
    frames: dict[str, list[CtScan]] = defaultdict(list)
    for ct in cts:
        frames[ct.source.frame_of_reference_uid or f"no frame {ct.source.series_uid}"].append(ct)
    result: list[CtScan] = []
    notes: list[str] = []
    for together in frames.values():
        for group in _groups(together):
            joined, reason = _joined(group)
            result += [joined] if joined is not None else group
            if len(group) > 1:
                names = ", ".join(ct.source.name for ct in group)
                text = f"CT series {names} continue each other and are joined to one CT"
                notes.append(text if joined is not None else f"CT series {names} are not joined: {reason}")
    kept = {id(ct): n for n, ct in enumerate(cts)}
    result.sort(key=lambda ct: min((n for c, n in kept.items() if c == id(ct)), default=_first_index(ct, cts)))
    return tuple(result), tuple(notes)


def joined_ct_images(images: list[Image]) -> tuple[Image | None, str]:
    """One CT [HU] on the lattice of the lowest, overlap blended linearly; or None and the reason.

    Slices that fall between those of the lowest are interpolated linearly along z.
    """
    axis = images[0].grid
    rest = sorted(images, key=lambda image: along_slices_mm(image.grid, axis))
    for lower, upper in pairwise(rest):
        reason = _why_not(lower.grid, upper.grid)
        if reason:
            return None, reason
    lowest = rest[0].grid
    top_mm = max(along_slices_mm(image.grid, axis)[1] for image in rest)
    bottom_mm = along_slices_mm(lowest)[0]
    count = int(np.floor((top_mm - bottom_mm) / lowest.spacing_mm[2] + 0.02))
    grid = Grid((count, *lowest.shape_zyx[1:]), lowest.spacing_mm, lowest.origin_mm, lowest.direction)
    at_mm = np.asarray(bottom_mm + lowest.spacing_mm[2] * (np.arange(count) + 0.5), dtype=np.float64)
    voxels = np.zeros(grid.shape_zyx, dtype=np.float32)
    below_mm = bottom_mm
    for image in rest:
        low_mm, high_mm = along_slices_mm(image.grid, axis)
        half_mm = image.grid.spacing_mm[2] / 2.0
        # From its first slice on, the new image takes over linearly up to the last slice of those below it.
        share = _takes_over(at_mm, low_mm + half_mm, below_mm - half_mm) * (at_mm < high_mm)
        voxels += share.astype(np.float32)[:, None, None] * (_at(image, at_mm, low_mm) - voxels)
        below_mm = high_mm
    return Image(voxels, grid, images[0].unit), ""


def _takes_over(at_mm: NDArray[np.float64], first_mm: float, last_mm: float) -> NDArray[np.float64]:
    """0 to 1 between two places; a step between them where they are not in this order."""
    if last_mm <= first_mm:
        return np.asarray(at_mm > (first_mm + last_mm) / 2.0, dtype=np.float64)
    return np.clip((at_mm - first_mm) / (last_mm - first_mm), 0.0, 1.0)


def _at(image: Image, at_mm: NDArray[np.float64], low_mm: float) -> NDArray[np.float32]:
    """Slices at positions along z, linear between neighbours, the outermost repeated beyond the ends."""
    last = image.grid.shape_zyx[0] - 1
    index = np.clip((at_mm - low_mm) / image.grid.spacing_mm[2] - 0.5, 0.0, last)
    below = np.minimum(np.floor(index + 1e-3).astype(int), last)
    above = np.minimum(below + 1, last)
    part = np.clip(index - below, 0.0, 1.0).astype(np.float32)[:, None, None]
    slices = image.voxels.astype(np.float32, copy=False)
    return np.asarray(slices[below] + part * (slices[above] - slices[below]), dtype=np.float32)


def _groups(cts: list[CtScan]) -> list[list[CtScan]]:
    """Chains of CTs that follow one another; where one place is shown twice, by kind of slice; else each alone."""
    for key in (lambda ct: (), _slices):
        parts: dict[tuple[object, ...], list[CtScan]] = defaultdict(list)
        for ct in cts:
            parts[key(ct)].append(ct)
        groups = [chain for part in parts.values() for chain in _by_visit(part)]
        if all(_is_chain(group) for group in groups):
            return groups
    return [[ct] for ct in cts]


def _by_visit(cts: list[CtScan]) -> list[list[CtScan]]:
    """In order of start, parted where more than an hour lies between; CTs without a time stand alone."""
    groups = [[ct] for ct in cts if ct.acquired is None]
    timed = [ct for ct in cts if ct.acquired is not None]
    first = timed[0].acquired if timed else None
    if first is None:
        return groups
    timed.sort(key=lambda ct: seconds_between(first, ct.acquired or first))
    visits = [[timed[0]]]
    for before, ct in pairwise(timed):
        apart_s = seconds_between(before.acquired or first, ct.acquired or first)
        if apart_s <= LONGEST_APART_S:
            visits[-1].append(ct)
        else:
            visits.append([ct])
    return groups + visits


def _is_chain(group: list[CtScan]) -> bool:
    return all(follow_one_another(a.image.grid, b.image.grid) for n, a in enumerate(group) for b in group[n + 1 :])


def _slices(ct: CtScan) -> tuple[object, ...]:
    """What reconstructions of one place differ in: pixels, their size, slice distance."""
    grid = ct.image.grid
    return (*grid.shape_zyx[1:], *(round(s, 2) for s in grid.spacing_mm))


def _joined(group: list[CtScan]) -> tuple[CtScan | None, str]:
    if len(group) == 1:
        return group[0], ""
    image, reason = joined_ct_images([ct.image for ct in group])
    if image is None:
        return None, reason
    first = group[0]
    names = frozenset(name for ct in group for name in ct.source.names)
    source = replace(
        first.source,
        name=" + ".join(ct.source.name for ct in group),
        files=tuple(file for ct in group for file in ct.source.files),
        names=names,
    )
    return CtScan(image, source, first.acquired, tuple(dict.fromkeys(w for ct in group for w in ct.warnings))), ""


def _why_not(lower: Grid, upper: Grid) -> str:
    if not lower.aligned_with(upper):
        return "their slices are turned against each other"
    same = lower.shape_zyx[1:] == upper.shape_zyx[1:]
    apart = np.reshape(lower.direction, (3, 3)).T @ np.subtract(upper.origin_mm, lower.origin_mm)
    spacing = np.abs(np.subtract(lower.spacing_mm, upper.spacing_mm)).max()
    if not same or np.abs(apart[:2]).max() > _SAME_PLACE_MM or spacing > 1e-3:
        return f"their slices differ in size or place ({lower} against {upper})"
    gap_mm = -overlap_mm(lower, upper)
    if gap_mm > 0.1 * lower.spacing_mm[2]:
        return f"a gap of {gap_mm:.1f} mm lies between them"
    return ""


def _first_index(ct: CtScan, cts: tuple[CtScan, ...]) -> int:
    return next((n for n, other in enumerate(cts) if set(other.source.files) <= set(ct.source.files)), len(cts))
