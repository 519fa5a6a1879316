"""Several SPECT beds of one visit as one time point: brought to one moment, blended over their overlap, total kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ConfigurationError, RegistrationError
from RPTDosimetryLib.grid import Grid, coverage, resample_mean
from RPTDosimetryLib.records import Image, Study, TimePoint
from RPTDosimetryLib.registration.bed_weights import bed_weight
from RPTDosimetryLib.study.join_cts import joined_ct_images
from RPTDosimetryLib.study.z_ranges import along_slices_mm, follow_one_another, overlap_mm

_S_PER_MIN: Final = 60.0
#: Rounding of positions in headers; beds this close touch.
TOUCHING_MM: Final = 0.1
#: Voxels this close (as a part of a voxel) are the same ones: 0.02 mm at 4.8 mm.
SAME_LATTICE: Final = 0.005


@dataclass(frozen=True)
class BedSettings:
    """Which time points are beds of one visit.

    join "auto": consecutive time points in one frame of reference, whose starts follow within longest_delay_min and
    whose slices are shifted so that they share at most half of the shorter one. "given": only groups. "none": never.
    groups: numbers of time points (order of acquisition, from 1) that are beds of one visit, whatever the rule says;
    their coordinates must agree. step_warning: difference of neighbouring beds over their overlap (a fraction) from
    which a difference in calibration or dead time is said.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    join: Literal["auto", "given", "none"] = "auto"
    groups: tuple[tuple[int, ...], ...] = ()
    longest_delay_min: float = 60.0
    step_warning: float = 0.05

    def __post_init__(self) -> None:
        if self.join not in ("auto", "given", "none"):
            raise ConfigurationError(f'beds.join = "{self.join}": choose auto, given or none.')
        if not 0 < self.longest_delay_min < math.inf or not 0 < self.step_warning < math.inf:
            raise ConfigurationError("beds: longest_delay_min and step_warning are positive numbers.")
        numbers = [number for group in self.groups for number in group]
        if (
            len(numbers) != len(set(numbers))
            or any(len(group) < 2 for group in self.groups)
            or min(numbers, default=1) < 1
        ):
            raise ConfigurationError(
                "beds.groups: each group names two or more time points by number, and none is named twice."
            )


@dataclass(frozen=True)
class JoinedImage:
    """The beds as one image; for each overlap its length, and the step there (None where it holds no activity)."""

    image: Image
    steps: tuple[float | None, ...]
    overlaps_mm: tuple[float, ...]


def join_beds(study: Study, settings: BedSettings, lambda_phys_per_s: float) -> Study:
    """The study with the beds of each visit joined into one time point at the first bed's start.

    Each bed c_b (at its own start t_b) counts as c_b·e^(+λ(t_b − t_1)); physical decay only. See join_images for the
    blend and the total. Other time points stay. Raises RegistrationError, naming the time points, for beds with a gap
    between them (in mm), different orientation, three at one place, or units other than Bq/mL; ConfigurationError for
    groups that do not exist.
    """
    groups = bed_groups(study, settings)
    points: list[TimePoint] = []
    for group in groups:
        if len(group) == 1:
            points.append(study.time_points[group[0]])
            continue
        beds = [study.time_points[n] for n in group]
        try:
            points.append(_joined(beds, settings, lambda_phys_per_s))
        except RegistrationError as error:
            named = ", ".join(str(n + 1) for n in group)
            raise RegistrationError(
                f"Time points {named} are beds of one visit and cannot be joined: {error}"
            ) from error
    return replace(study, time_points=tuple(points), warnings=(*study.warnings, *_not_joined(study, settings, groups)))


def bed_groups(study: Study, settings: BedSettings) -> tuple[tuple[int, ...], ...]:
    """Indices of the time points of each visit, in order of their first bed; a single one stands alone."""
    points = study.time_points
    told = {number - 1: group for group in settings.groups for number in group}
    if settings.join != "none" and max(told, default=0) >= len(points):
        raise ConfigurationError(f"beds.groups names time point {max(told) + 1}; the study has {len(points)}.")
    groups: list[list[int]] = []
    for index in range(len(points)):
        group = groups[-1] if groups else []
        if settings.join == "none":
            groups.append([index])
        elif index in told:
            if index + 1 == min(told[index]):
                groups.append([number - 1 for number in sorted(told[index])])
        elif group and group[-1] not in told and settings.join == "auto" and _follows(points, group, index, settings):
            group.append(index)
        else:
            groups.append([index])
    return tuple(tuple(group) for group in groups)


def join_images(beds: list[Image]) -> JoinedImage:
    """One image from beds [Bq/mL, at one moment] on the lattice of the first, extended to reach them all.

    c = Σ_b w_b·c_b with weights that are linear across each overlap and sum to 1 (bed_weights.py; where one bed alone
    sees a place it has all the weight). The total is ∫ c dV over the union of the fields of view, a voxel that this
    covers in part counting by that part: beds that agree where they overlap give back the activity of the union, and
    what one bed alone sees is kept as it is. Beds on the lattice of the first are copied; others are first averaged
    over its voxels, which keeps the total of each. Raises RegistrationError.
    """
    axis = beds[0].grid
    rest = sorted(beds, key=lambda bed: along_slices_mm(bed.grid, axis))
    _require_joinable(rest)
    ranges = [along_slices_mm(bed.grid, axis) for bed in rest]
    grid = _union([bed.grid for bed in rest], axis)
    at_mm = _slice_centres_mm(grid)
    amount = np.zeros(grid.shape_zyx, dtype=np.float64)
    weight, covered = np.zeros_like(amount), np.zeros_like(amount)
    for index, bed in enumerate(rest):
        # A place at the very edge of a bed, where its weight is 0, may be seen by no other one.
        own = np.maximum(bed_weight(at_mm, ranges, index), 1e-9)[:, None, None]
        seen = _onto(np.ones(bed.grid.shape_zyx, dtype=np.float32), bed.grid, grid)
        amount += own * _onto(bed.voxels, bed.grid, grid)
        weight += own * seen
        covered += seen
    share = np.divide(np.minimum(covered, 1.0), weight, out=np.zeros_like(weight), where=weight > 0)
    return JoinedImage(
        image=Image((amount * share).astype(np.float32), grid, beds[0].unit),
        steps=tuple(_step(a, b) for a, b in pairwise(rest)),
        overlaps_mm=tuple(overlap_mm(a.grid, b.grid) for a, b in pairwise(rest)),
    )


def _joined(beds: list[TimePoint], settings: BedSettings, lambda_phys_per_s: float) -> TimePoint:
    first = beds[0]
    if any(bed.spect.unit != "Bq/mL" for bed in beds):
        raise RegistrationError("they are not all in Bq/mL. Calibrate them first.")
    delays_s = [_delay_s(first, bed) for bed in beds]
    factors = [math.exp(lambda_phys_per_s * delay_s) for delay_s in delays_s]
    images = [
        bed.spect.with_voxels((bed.spect.voxels.astype(np.float64) * factor).astype(np.float32))
        for bed, factor in zip(beds, factors, strict=True)
    ]
    joined = join_images(images)
    ct, ct_notes = _one_ct(beds)
    labels = [bed.labels for bed in beds if bed.labels is not None]
    label_note = ("several beds have a label map: the first is kept",) if len(labels) > 1 else ()
    ends_s = [delay + bed.duration_s for delay, bed in zip(delays_s, beds, strict=True) if bed.duration_s is not None]
    return replace(
        first,
        spect=joined.image,
        duration_s=max(ends_s) if len(ends_s) == len(beds) else None,
        ct=ct,
        labels=labels[0] if labels else None,
        structures=tuple(structure for bed in beds for structure in bed.structures),
        segments=tuple(segment for bed in beds for segment in bed.segments),
        missing=tuple(dict.fromkeys(name for bed in beds for name in bed.missing)),
        warnings=(
            *dict.fromkeys(warning for bed in beds for warning in bed.warnings),
            _told(delays_s, factors, joined),
            *_step_warnings(joined, settings),
            *ct_notes,
            *label_note,
        ),
        files=tuple(file for bed in beds for file in bed.files),
    )


def _told(delays_s: list[float], factors: list[float], joined: JoinedImage) -> str:
    later = ", ".join(
        f"{d / _S_PER_MIN:.1f} min later (×{f:.6f})" for d, f in zip(delays_s[1:], factors[1:], strict=True)
    )
    steps = ", ".join(
        f"overlap {o:.1f} mm" + ("" if s is None else f" with {s:+.1%} step")
        for o, s in zip(joined.overlaps_mm, joined.steps, strict=True)
    )
    return f"{len(delays_s)} beds joined at the start of the first; the others {later}; upwards: {steps}"


def _step_warnings(joined: JoinedImage, settings: BedSettings) -> tuple[str, ...]:
    return tuple(
        f"beds {n} and {n + 1} (from below) differ by {step:+.1%} over their overlap, more than "
        f"{settings.step_warning:.0%}: calibration, dead time or attenuation correction may differ between them"
        for n, step in enumerate(joined.steps, start=1)
        if step is not None and abs(step) > settings.step_warning
    )


def _one_ct(beds: list[TimePoint]) -> tuple[Image | None, tuple[str, ...]]:
    cts: list[Image] = []
    for bed in beds:
        if bed.ct is not None and all(bed.ct is not known for known in cts):
            cts.append(bed.ct)
    if len(cts) < 2:
        return (cts[0] if cts else None), ()
    joined, reason = joined_ct_images(cts)
    if joined is not None:
        return joined, (f"{len(cts)} CTs of the beds joined",)
    largest = max(cts, key=lambda ct: ct.voxels.size * ct.grid.voxel_volume_ml)
    return largest, (f"the beds have {len(cts)} CTs that cannot be joined ({reason}): the largest is used",)


def _follows(points: tuple[TimePoint, ...], group: list[int], index: int, settings: BedSettings) -> bool:
    last, this = points[group[-1]], points[index]
    if last.frame_of_reference_uid is None or last.frame_of_reference_uid != this.frame_of_reference_uid:
        return False
    if not _close_in_time(last, this, settings):
        return False
    return all(follow_one_another(points[n].spect.grid, this.spect.grid) for n in group)


def _close_in_time(first: TimePoint, second: TimePoint, settings: BedSettings) -> bool:
    try:
        return abs(_delay_s(first, second)) <= settings.longest_delay_min * _S_PER_MIN
    except RegistrationError:
        return False


def _delay_s(first: TimePoint, second: TimePoint) -> float:
    if first.time_s is not None and second.time_s is not None:
        return second.time_s - first.time_s
    if first.acquired is not None and second.acquired is not None:
        return (second.acquired - first.acquired).total_seconds()
    raise RegistrationError("their acquisition times are not known. Give time_h or acquired in [[study.time_points]].")


def _not_joined(study: Study, settings: BedSettings, groups: tuple[tuple[int, ...], ...]) -> tuple[str, ...]:
    """Notes on neighbours in time that look like beds and are not taken as such."""
    if settings.join != "auto":
        return ()
    notes = []
    for before, after in pairwise(groups):
        a, b = before[-1], after[0]
        first, second = study.time_points[a], study.time_points[b]
        if not _close_in_time(first, second, settings):
            continue
        pair = f"Time points {a + 1} and {b + 1} start {_delay_s(first, second) / _S_PER_MIN:.0f} min apart"
        if not follow_one_another(first.spect.grid, second.spect.grid):
            notes.append(f"{pair} at one place: taken as two time points; leave a repeat out with ignore.")
        elif first.frame_of_reference_uid is None or first.frame_of_reference_uid != second.frame_of_reference_uid:
            notes.append(
                f"{pair} and do not share a frame of reference: taken as two time points. If they are beds of one "
                f"visit in the same coordinates, set groups = [[{a + 1}, {b + 1}]] in [beds]."
            )
    return tuple(notes)


def _require_joinable(beds: list[Image]) -> None:
    """``beds`` sorted along the slice axis."""
    for lower, upper in pairwise(beds):
        if not lower.grid.aligned_with(upper.grid):
            raise RegistrationError("their slices are turned against each other. Reconstruct them with the same axes.")
        gap_mm = -overlap_mm(lower.grid, upper.grid)
        if gap_mm > TOUCHING_MM:
            raise RegistrationError(
                f"they do not overlap: a gap of {gap_mm:.1f} mm lies between them, whose activity nobody has seen. Add "
                "the missing bed, or keep one bed and leave the other out with ignore."
            )
        if along_slices_mm(upper.grid)[1] <= along_slices_mm(lower.grid, upper.grid)[1] + TOUCHING_MM:
            raise RegistrationError("one lies wholly inside the other. Leave one out with ignore.")
    for lower, upper in zip(beds, beds[2:], strict=False):
        if overlap_mm(lower.grid, upper.grid) > TOUCHING_MM:
            raise RegistrationError("three of them show one place. Leave one out with ignore.")


def _union(grids: list[Grid], lattice: Grid) -> Grid:
    """The lattice of one grid, extended by whole voxels until it holds all of them."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for grid in grids:
        nk, nj, ni = grid.shape_zyx
        faces = np.array([[-0.5, -0.5, -0.5, 1.0], [ni - 0.5, nj - 0.5, nk - 0.5, 1.0]])
        index = (np.linalg.inv(lattice.lps_from_ijk) @ grid.lps_from_ijk @ faces.T)[:3]
        low, high = np.minimum(low, index.min(axis=1)), np.maximum(high, index.max(axis=1))
    # Header rounding must not add an empty slice.
    first = np.floor(low + 0.5 + SAME_LATTICE).astype(int)
    last = np.ceil(high - 0.5 - SAME_LATTICE).astype(int)
    x, y, z = (lattice.lps_from_ijk @ [*first, 1.0])[:3]
    ni, nj, nk = last - first + 1
    return Grid((int(nk), int(nj), int(ni)), lattice.spacing_mm, (float(x), float(y), float(z)), lattice.direction)


def _onto(voxels: NDArray[Any], grid: Grid, onto: Grid) -> NDArray[np.float64]:
    """Mean over each voxel, counting 0 outside; a plain copy where both share one lattice."""
    start = (np.linalg.inv(onto.lps_from_ijk) @ [*grid.origin_mm, 1.0])[:3]
    first = np.round(start).astype(int)
    same = np.allclose(grid.spacing_mm, onto.spacing_mm, atol=1e-4) and np.abs(start - first).max() < SAME_LATTICE
    if not same:
        return resample_mean(voxels, grid, onto).astype(np.float64)
    out = np.zeros(onto.shape_zyx, dtype=np.float64)
    i, j, k = first
    nk, nj, ni = grid.shape_zyx
    out[k : k + nk, j : j + nj, i : i + ni] = voxels
    return out


def _slice_centres_mm(grid: Grid) -> NDArray[np.float64]:
    normal = np.reshape(grid.direction, (3, 3))[:, 2]
    return np.asarray(float(np.dot(grid.origin_mm, normal)) + grid.spacing_mm[2] * np.arange(grid.shape_zyx[0]))


def _step(lower: Image, upper: Image) -> float | None:
    """Activity of the upper over the lower bed within their overlap, minus 1; None without anything to compare."""
    seen = coverage(upper.grid, lower.grid)
    below = float((lower.voxels * seen).sum(dtype=np.float64))
    above = float(resample_mean(upper.voxels, upper.grid, lower.grid).sum(dtype=np.float64))
    return above / below - 1.0 if below > 0 and above > 0 else None
