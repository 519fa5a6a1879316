"""Volumes of interest of a registered study: contours, segments and label maps as masks on the dose grid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import (
    Alignment,
    Cancelled,
    Contours,
    Image,
    PatientMap,
    Progress,
    RegisteredStudy,
    Segment,
    Voi,
    never,
    part_of,
    silent,
)
from RPTDosimetryLib.registration.carry_over import contours_on_reference, labels_on_reference, segment_on_reference
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.vois.body import body_voi
from RPTDosimetryLib.vois.contours import draw_contours, mask_of_same_volume, segment_of
from RPTDosimetryLib.vois.label_map import label_volumes_ml, labels_on
from RPTDosimetryLib.vois.lesion_drawing import drawn_lesions
from RPTDosimetryLib.vois.lesion_rules import VoiRules, settled
from RPTDosimetryLib.vois.lesion_tools import LesionTool
from RPTDosimetryLib.vois.names import canonical_name, code_of, is_lesion_code
from RPTDosimetryLib.vois.segment import voi_from_segment
from RPTDosimetryLib.vois.total_segmentator import TotalSegmentatorSettings, segment_ct

Kind = Literal["organ", "lesion", "region"]
#: Names that clinics give to lesions; digits and punctuation count as spaces, case does not count.
LESION_PATTERN: Final = r"\b(lesion|tumou?r|metas|mets?\b|gtv|nodule|hcc)"
#: Share of a structure outside the image, or of volume lost by resampling, from which it is said.
SAID_FROM: Final = 0.005
LOST_VOLUME: Final = 0.05


@dataclass(frozen=True)
class VoiSettings(VoiRules):
    """include and exclude: names with * and ? as wildcards, upper and lower case alike; include empty takes all.

    lesion_pattern: regular expression that makes a structure a lesion, searched in its name with digits and punctuation
    as spaces, in lower case. body: add the whole body as a VOI. structures_from: number of the time point (from 1)
    whose contours, segments or labels are used; None takes the reference's, or the first that has any, moved by its
    registration. organs: files, or totalsegmentator, which adds the organs of that time point's CT that its files do
    not draw themselves (total_segmentator holds its choices; include and exclude hold for its names too). lesions: to
    be drawn on the registered SPECT. The rules (lesions_in_organs, overlaps, reviews) are those of VoiRules.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    lesion_pattern: str = LESION_PATTERN
    body: bool = True
    structures_from: int | None = None
    organs: Literal["files", "totalsegmentator"] = "files"
    total_segmentator: TotalSegmentatorSettings = field(default_factory=TotalSegmentatorSettings)
    lesions: tuple[LesionTool, ...] = ()


def delineate(
    registered: RegisteredStudy,
    patient: PatientMap,
    settings: VoiSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> tuple[Voi, ...]:
    """Every structure and drawn lesion as a mask on the dose grid, settled by the rules (lesion_rules.py).

    Contours, segments and labels keep their volume to half a voxel (see contours.py, segment.py and label_map.py), and
    carry a standard code where the file gives one or the name is known (names.py). Raises VoiError when a structure is
    empty on the grid or lies outside it.
    """
    chosen = settings or VoiSettings()
    return settled(as_drawn(registered, patient, chosen, progress, cancelled), chosen)


def as_drawn(
    registered: RegisteredStudy,
    patient: PatientMap,
    settings: VoiSettings,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> tuple[Voi, ...]:
    """The volumes of delineate before the rules: what a person sees, edits and adds to before they are settled."""
    by_files = settings.organs == "files"
    files_part = progress if by_files else part_of(progress, 0.0, 0.2)
    vois = list(_structures(registered, settings, files_part, cancelled))
    if not by_files:
        vois += _organs_of_ct(registered, settings, vois, part_of(progress, 0.2, 1.0), cancelled)
    lesions = drawn_lesions(registered, settings.lesions, cancelled=cancelled)
    vois = with_unique_names([*vois, *(replace(voi, code=voi.code or code_of(voi.name)) for voi in lesions)])
    vois = [_said_where_cut(voi, registered.seen) for voi in vois]
    if settings.body:
        body = body_voi(patient, registered.seen)
        vois.append(replace(body, code=code_of(body.name)))
    progress(1.0, f"{len(vois)} volumes of interest")
    return tuple(vois)


def kind_of(name: str, lesion_pattern: str = LESION_PATTERN) -> Kind:
    """Lesion when the pattern is found in the name, otherwise organ. Raises ConfigurationError for a broken pattern."""
    words = re.sub(r"[\W\d_]+", " ", name.lower())
    try:
        return "lesion" if re.search(lesion_pattern, words) else "organ"
    except re.error as error:
        raise ConfigurationError(f"vois.lesion_pattern is not a regular expression ({error}).") from error


def kind_of_segment(segment: Segment, lesion_pattern: str = LESION_PATTERN) -> Kind:
    """Lesion when its code is one of a lesion, or its name says so."""
    if segment.code is not None and is_lesion_code(segment.code):
        return "lesion"
    return kind_of(segment.name, lesion_pattern)


def voi_from_contours(contours: Contours, grid: Grid, source: str, kind: Kind) -> Voi:
    """One structure as a mask of the same volume. Raises VoiError when no voxel of the grid belongs to it."""
    drawn = draw_contours(contours, grid)
    inside_ml = drawn.volume_ml * (1.0 - drawn.outside_fraction)
    if drawn.outside_fraction > 0.999:
        raise VoiError(
            f"{source}: structure {contours.name} lies outside the dose grid. Check its frame of reference, or exclude "
            "it."
        )
    mask = mask_of_same_volume(drawn.fraction, grid.voxel_volume_ml, inside_ml)
    if not mask.any():
        raise VoiError(
            f"{source}: structure {contours.name} holds {drawn.volume_ml:.2g} mL, less than half a voxel of the dose "
            f"grid ({grid.voxel_volume_ml:.2g} mL): its mask is empty. Exclude it, or use a finer grid."
        )
    warnings = list(drawn.warnings)
    if drawn.outside_fraction > SAID_FROM:
        warnings.append(
            f"{contours.name}: {100 * drawn.outside_fraction:.1f} % of its volume lies outside the image and is left "
            "out."
        )
    return Voi(contours.name, mask, grid, kind, source, tuple(warnings), code_of(contours.name))


def vois_from_labels(
    labels: Image, names: dict[int, str], grid: Grid, source: str, lesion_pattern: str = LESION_PATTERN
) -> list[Voi]:
    """One VOI a label in ``names``. Raises VoiError when a label has no voxel on the grid."""
    there = labels_on(labels, grid)
    volumes_ml = label_volumes_ml(labels)
    vois = []
    for number, name in sorted(names.items()):
        mask = there == number
        if not mask.any():
            where = (
                f"{volumes_ml[number]:.2g} mL on its own grid" if number in volumes_ml else "no voxel in the label map"
            )
            raise VoiError(
                f"{source}: label {number} ({name}) is empty on the dose grid ({where}). Exclude it, or check the map."
            )
        voi = Voi(name, mask, grid, kind_of(name, lesion_pattern), source, code=code_of(name))
        vois.append(_said_where_changed(voi, volumes_ml[number]))
    return vois


def _said_where_changed(voi: Voi, own_ml: float) -> Voi:
    change = voi.volume_ml / own_ml - 1.0
    if abs(change) <= LOST_VOLUME:
        return voi
    text = f"{voi.name}: resampling the label map changes its volume by {100 * change:+.0f} %."
    return replace(voi, warnings=(*voi.warnings, text))


def _structures(
    registered: RegisteredStudy, settings: VoiSettings, progress: Progress, cancelled: Cancelled
) -> Iterator[Voi]:
    number = _source_time_point(registered, settings)
    if number is None:
        return
    point = registered.study.time_points[number]
    alignment = registered.alignments[number]
    note = "" if number == registered.reference_index else ", moved with its SPECT"
    where = f"of time point {number + 1}{note}"
    drawn: tuple[Contours | Segment, ...] = (*point.structures, *point.segments)
    wanted = [structure for structure in drawn if _wanted(structure.name, settings)]
    for done, structure in enumerate(wanted):
        if cancelled():
            raise CancelledError("Delineation was stopped.")
        progress(done / (len(wanted) + 1), f"Drawing {structure.name}")
        if isinstance(structure, Contours):
            kind = kind_of(structure.name, settings.lesion_pattern)
            yield _voi_moved(structure, alignment, registered.grid, f"contours {where}", kind)
        else:
            kind = kind_of_segment(structure, settings.lesion_pattern)
            moved = segment_on_reference(structure, alignment)
            yield voi_from_segment(moved, registered.grid, f"segments {where}", kind)
    if point.labels is not None:
        labels = labels_on_reference(point.labels, alignment)
        present = label_volumes_ml(labels)
        if not present:
            raise VoiError(f"The label map of time point {number + 1} is empty: no label above 0. Check the drawing.")
        names = {n: registered.study.label_names.get(n, f"label {n}") for n in present}
        names = {n: name for n, name in names.items() if _wanted(name, settings)}
        yield from vois_from_labels(labels, names, registered.grid, f"label map {where}", settings.lesion_pattern)


def _voi_moved(contours: Contours, alignment: Alignment, grid: Grid, source: str, kind: Kind) -> Voi:
    """Contours drawn where the reference lies. A deformation bends their planes: then they are filled first."""
    if PointMap.of(alignment).deformation is None:
        return voi_from_contours(contours_on_reference(contours, alignment), grid, source, kind)
    filled, warnings = segment_of(contours, grid)
    voi = voi_from_segment(segment_on_reference(filled, alignment), grid, source, kind)
    return replace(voi, warnings=(*warnings, *voi.warnings))


def _organs_of_ct(
    registered: RegisteredStudy, settings: VoiSettings, drawn: Sequence[Voi], progress: Progress, cancelled: Cancelled
) -> list[Voi]:
    """What TotalSegmentator finds on a CT, but for the structures that the files draw themselves."""
    points = registered.study.time_points
    chosen = _source_time_point(registered, settings)
    order = [n for n in (chosen, registered.reference_index, *range(len(points))) if n is not None]
    number = next((n for n in order if points[n].ct is not None), None)
    if number is None:
        raise VoiError(
            'vois.organs = "totalsegmentator" needs a CT, and the study has none: add it, or draw the organs.'
        )
    ct = points[number].ct
    assert ct is not None
    found = segment_ct(ct, settings.total_segmentator, part_of(progress, 0.0, 0.9), cancelled)
    theirs = {canonical_name(voi.name) for voi in drawn}
    names = {
        n: name for n, name in found.names.items() if _wanted(name, settings) and canonical_name(name) not in theirs
    }
    labels = labels_on_reference(found.labels, registered.alignments[number])
    note = "" if number == registered.reference_index else ", moved with its SPECT"
    source = f"{found.method}, on the CT of time point {number + 1}{note}"
    progress(0.9, "Drawing organs")
    return _said_at_first(_inside(labels, names, registered.grid, source, settings), found.warnings)


def _inside(labels: Image, names: dict[int, str], grid: Grid, source: str, settings: VoiSettings) -> list[Voi]:
    """Organs of a CT on the dose grid; those that the dose grid does not reach or cannot hold are left out and said."""
    there = labels_on(labels, grid)
    volumes_ml = label_volumes_ml(labels)
    vois, lost = [], []
    for number, name in sorted(names.items()):
        mask = there == number
        if not mask.any():
            lost.append(name)
            continue
        voi = Voi(name, mask, grid, kind_of(name, settings.lesion_pattern), source, code=code_of(name))
        vois.append(_said_where_changed(voi, volumes_ml[number]))
    if lost and not vois:
        raise VoiError(f"{source}: no organ lies on the dose grid. Check that CT and SPECT show the same region.")
    note = f"Organs of the CT that the dose grid does not show, left out: {', '.join(lost)}."
    return _said_at_first(vois, (note,) if lost else ())


def _said_at_first(vois: list[Voi], warnings: Sequence[str]) -> list[Voi]:
    return [replace(vois[0], warnings=(*vois[0].warnings, *warnings)), *vois[1:]] if vois and warnings else vois


def _source_time_point(registered: RegisteredStudy, settings: VoiSettings) -> int | None:
    points = registered.study.time_points
    if settings.structures_from is not None:
        if not 1 <= settings.structures_from <= len(points):
            raise ConfigurationError(f"vois.structures_from = {settings.structures_from}: the study has {len(points)}.")
        return settings.structures_from - 1
    order = [registered.reference_index, *range(len(points))]
    return next((n for n in order if points[n].structures or points[n].segments or points[n].labels is not None), None)


def _wanted(name: str, settings: VoiSettings) -> bool:
    low = name.lower()
    if any(fnmatch(low, pattern.lower()) for pattern in settings.exclude):
        return False
    return not settings.include or any(fnmatch(low, pattern.lower()) for pattern in settings.include)


def with_unique_names(vois: Sequence[Voi]) -> list[Voi]:
    """A second structure of a name gets a number behind it, and that is said."""
    seen: dict[str, int] = {}
    unique = []
    for voi in vois:
        seen[voi.name] = seen.get(voi.name, 0) + 1
        if seen[voi.name] == 1:
            unique.append(voi)
            continue
        name = f"{voi.name} ({seen[voi.name]})"
        unique.append(
            replace(voi, name=name, warnings=(*voi.warnings, f"A second structure {voi.name} is called {name}."))
        )
    return unique


def _said_where_cut(voi: Voi, seen: NDArray[np.bool_]) -> Voi:
    warnings = list(voi.warnings)
    unseen = float(np.count_nonzero(voi.mask & ~seen)) / max(1, int(np.count_nonzero(voi.mask)))
    if unseen > SAID_FROM:
        warnings.append(
            f"{voi.name}: {100 * unseen:.1f} % of it lies outside the field of view of at least one time point, where "
            "its activity counts as 0."
        )
    if voi.mask[0].any() or voi.mask[-1].any():
        warnings.append(f"{voi.name} reaches the first or last slice of the dose grid and may be cut there.")
    return replace(voi, warnings=tuple(warnings))
