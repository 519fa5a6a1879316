"""The volumes of interest of the case: its segmentation as drawn, the rules that settle it, and who accepted what.

The node VOIS holds volumes as drawn, so that a rule can be changed back and forth and nothing is lost; what kinetics
and dose take is vois_of_case, settled by the library's rules each time. A review is of the settled mask: it carries
that mask's checksum (vois.review) and holds as long as the checksum does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import slicer
import vtk
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.geometry import ras_from_ijk, vtk_matrix
from RPTDosimetryLib.bridge.segmentations import describe, described, grid_of_segmentation, put_vois, set_review, voi_of
from RPTDosimetryLib.errors import DosimetryError, VoiError
from RPTDosimetryLib.records import Review, Segment, Voi

if TYPE_CHECKING:
    from RPTDosimetryLib.grid import Grid

#: Tags of a segment beside those of segmentations.py: checksum of the mask that was reviewed, and of the mask as made.
_REVIEWED, _MADE = "RPTDosimetryReviewed", "RPTDosimetryMade"
#: Opacity of volumes in slices: the activity below stays visible. And of organs in 3-D views: lesions are in them.
_FILLED, _SEEN_THROUGH = 0.25, 0.3
_known: WeakKeyDictionary[Case, Known] = WeakKeyDictionary()


@dataclass(frozen=True)
class Drawn:
    """One segment of the node VOIS: as drawn, or the sentence that says why it cannot be used."""

    segment_id: str
    name: str
    voi: Voi | None
    problem: str = ""


@dataclass(frozen=True)
class Known:
    """The node VOIS read: settled is empty where problem says what has to be repaired first."""

    key: str
    drawn: tuple[Drawn, ...]
    settled: tuple[Voi, ...]
    problem: str


def vois_of_case(case: Case) -> tuple[Voi, ...]:
    """What kinetics and dose take: every volume settled by the rules of the panel, each with its review if it holds.

    Raises VoiError where nothing is drawn yet, or for all segments that cannot be used (empty, another geometry).
    """
    known = known_of(case)
    if not known.drawn:
        raise VoiError("No volume of interest is drawn yet: do so in step Segmentation.")
    if known.problem:
        raise VoiError(known.problem)
    return known.settled


def known_of(case: Case) -> Known:
    """Segments as drawn and as settled; worked out again only when something has changed."""
    return case.once("volumes of interest", lambda: _known_now(case))


def _known_now(case: Case) -> Known:
    node = case.node(at.VOIS)
    if node is None:
        return Known("", (), (), "")
    key = fingerprint([content_of(case), _reviews_as_told(node)])
    known = _known.get(case)
    if known is None or known.key != key:
        known = _known[case] = _found(case, node, key)
    return known


def content_of(case: Case) -> str:
    """Digest of all that vois_of_case depends on but reviews: masks, names, kinds, codes and the rules."""
    node = case.node(at.VOIS)
    if node is None:
        return ""
    told = [[name, drawn.kind, str(drawn.code)] for name, drawn in _descriptions(node)]
    return fingerprint([case.content([node]), told, rules_of(case)])


def rules_of(case: Case) -> tuple[str, str]:
    """Lesions in organs and the overlap rule, as chosen in the panel."""
    chosen = case.parameters.segmentation
    return chosen.lesionsInOrgans.name, chosen.overlaps.name


def segment_ids(node: Any) -> list[str]:
    """IDs of a node's segments in order; none without a node."""
    if node is None:
        return []
    return [str(node.GetSegmentation().GetNthSegmentID(n)) for n in range(node.GetSegmentation().GetNumberOfSegments())]


# reviews ------------------------------------------------------------------------------------------------------------


def accept(case: Case, segment_ids_accepted: Iterable[str], reviewer: str) -> None:
    """A person accepts volumes as they are now, settled by the rules. Raises VoiError without a name."""
    from RPTDosimetryLib.vois.review import mask_sha256

    if not reviewer.strip():
        raise VoiError("Write the name of the reviewer first: a review needs the person who gives it.")
    node = case.node(at.VOIS)
    settled = dict(zip(segment_ids(node), vois_of_case(case), strict=True))
    for identifier in segment_ids_accepted:
        set_review(node, identifier, Review(reviewer.strip(), _now()))
        _set_tag(node, identifier, _REVIEWED, mask_sha256(settled[identifier]))
    node.Modified()


def withdraw(case: Case, identifier: str) -> None:
    """Take a review back."""
    node = case.node(at.VOIS)
    set_review(node, identifier, None)
    _set_tag(node, identifier, _REVIEWED, "")


def unreviewed(case: Case) -> list[str]:
    """A sentence for every volume that nobody has accepted as it is now, and for each that cannot be used."""
    known = known_of(case)
    if known.problem:
        return [part.problem for part in known.drawn if part.problem] or [known.problem]
    return [_("{name} is not reviewed.").format(name=voi.name) for voi in known.settled if voi.review is None]


def _with_review(voi: Voi, checksum: str) -> Voi:
    """The review holds for the mask it was given to; otherwise it is gone, and that is said."""
    from RPTDosimetryLib.vois.review import mask_sha256

    if voi.review is None or mask_sha256(voi) == checksum:
        return voi
    text = (
        f"{voi.name} has changed since {voi.review.reviewer} reviewed it on {voi.review.time.date().isoformat()}: that "
        "review no longer holds."
    )
    return replace(voi, review=None, warnings=(*voi.warnings, text))


# editing ------------------------------------------------------------------------------------------------------------


def rename(case: Case, identifier: str, name: str) -> None:
    """Another name, and the code that it means. Raises VoiError for an empty name or one that is taken."""
    from RPTDosimetryLib.vois.names import code_of

    node, name = case.node(at.VOIS), name.strip()
    taken = [part.name for part in known_of(case).drawn if part.segment_id != identifier]
    if not name or name in taken:
        raise VoiError("A volume needs a name." if not name else f"There is a volume {name} already: choose another.")
    segment = node.GetSegmentation().GetSegment(identifier)
    segment.SetName(name)
    describe(segment, replace(described(segment), code=code_of(name)))


def set_kind(case: Case, identifier: str, kind: Any) -> None:
    """Organ, lesion or region: rules, models and reports go by it."""
    segment = case.node(at.VOIS).GetSegmentation().GetSegment(identifier)
    describe(segment, replace(described(segment), kind=kind))


def remove(case: Case, identifier: str) -> None:
    """Take one volume away."""
    case.node(at.VOIS).GetSegmentation().RemoveSegment(identifier)


# making -------------------------------------------------------------------------------------------------------------


def node_on(case: Case, grid: Grid) -> Any:
    """The node VOIS, made empty on a grid where there is none yet."""
    node = case.node(at.VOIS)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Volumes of interest")
        at.write(node, at.ROLE, at.VOIS)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetOpacity2DFill(_FILLED)
        hierarchy.place(node, hierarchy.study_item(at.text(case.node_of_settings, "PatientId")))
        _put(node, [], grid)
    return node


def add_volumes(case: Case, vois: Sequence[Voi], made_here: bool = False) -> Any:
    """Add VOIs behind those that are there; a name that is taken gets a number. All on the node's grid."""
    from RPTDosimetryLib.vois.delineate import with_unique_names

    node = node_on(case, vois[0].grid)
    known = known_of(case)
    if any(part.voi is None for part in known.drawn):
        raise VoiError(known.problem)
    there = [part.voi for part in known.drawn if part.voi is not None]
    tags = _tags_by_name(node)
    added = with_unique_names([*there, *vois])
    _put(node, added, grid_of_segmentation(node))
    _tag_again(node, tags, added[len(there) :] if made_here else [])
    return node


def replace_made(case: Case, vois: Sequence[Voi], grid: Grid) -> tuple[Any, list[str]]:
    """Put the volumes of a run in place of those of an earlier run; (node, sentences).

    What a person drew, added or edited stays (put onto the new grid where that is another) and wins over a volume of
    the run with its name. Empty segments stay out, and that is said.
    """
    node = node_on(case, grid)
    kept, said = _kept(case, node, grid)
    tags, names = _tags_by_name(node), {voi.name for voi in kept}
    said += [_("{name} was edited or drawn by hand and stays.").format(name=voi.name) for voi in kept]
    reviews = {name: told.review for name, told in _descriptions(node)}  # they hold where the mask is the same
    made = [replace(voi, review=reviews.get(voi.name)) for voi in vois if voi.name not in names]
    _put(node, [*made, *kept], grid)
    for name in {voi.name for voi in made}:
        tags.get(name, {}).pop(_MADE, None)
    _tag_again(node, tags, made)
    return node, said


# inside -------------------------------------------------------------------------------------------------------------


def _found(case: Case, node: Any, key: str) -> Known:
    from RPTDosimetryLib.vois.lesion_rules import VoiRules, settled

    drawn = tuple(_drawn(node, identifier) for identifier in segment_ids(node))
    problems = [part.problem for part in drawn if part.problem]
    if problems:
        return Known(key, drawn, (), " ".join(problems))
    lesions, overlaps = rules_of(case)
    try:
        found = settled([part.voi for part in drawn if part.voi], VoiRules(lesions, overlaps))  # type: ignore[arg-type]
    except DosimetryError as error:
        return Known(key, drawn, (), str(error))
    tags = [_tag(node, part.segment_id, _REVIEWED) for part in drawn]
    return Known(key, drawn, tuple(map(_with_review, found, tags)), "")


def _drawn(node: Any, identifier: str) -> Drawn:
    name = node.GetSegmentation().GetSegment(identifier).GetName()
    try:
        return Drawn(identifier, name, voi_of(node, identifier))
    except DosimetryError as error:
        return Drawn(identifier, name, None, str(error))


def _descriptions(node: Any) -> list[tuple[str, Voi]]:
    return [
        (node.GetSegmentation().GetSegment(n).GetName(), described(node.GetSegmentation().GetSegment(n)))
        for n in segment_ids(node)
    ]


def _reviews_as_told(node: Any) -> list[str]:
    return [f"{_tag(node, n, _REVIEWED)} {_tag(node, n, 'RPTDosimetry')}" for n in segment_ids(node)]


def _kept(case: Case, node: Any, grid: Grid) -> tuple[list[Voi], list[str]]:
    """Volumes that no run made as they are now, on a grid."""
    from RPTDosimetryLib.vois.review import mask_sha256
    from RPTDosimetryLib.vois.segment import voi_from_segment

    kept, said = [], []
    for drawn in known_of(case).drawn:
        if drawn.voi is None:
            said.append(_("{problem} It was left out.").format(problem=drawn.problem))
            continue
        if _tag(node, drawn.segment_id, _MADE) == mask_sha256(drawn.voi):
            continue
        voi = drawn.voi
        if not voi.grid.same_as(grid):
            moved = voi_from_segment(Segment(voi.name, voi.mask, voi.grid, voi.code), grid, voi.source, voi.kind)
            voi = replace(moved, warnings=(*voi.warnings, *moved.warnings), review=None)
        kept.append(voi)
    return kept, said


def _put(node: Any, vois: Sequence[Voi], grid: Grid) -> None:
    """All segments anew, and the lattice that the Segment Editor draws on."""
    if vois:
        put_vois(node, vois)
        display = node.GetDisplayNode()
        for identifier, voi in zip(segment_ids(node), vois, strict=True):
            if voi.kind == "region":  # the body hides what is in it
                display.SetSegmentVisibility(identifier, False)
            display.SetSegmentOpacity3D(identifier, 1.0 if voi.kind == "lesion" else _SEEN_THROUGH)
    else:
        from dataclasses import asdict

        node.GetSegmentation().RemoveAllSegments()
        node.SetSourceRepresentationToBinaryLabelmap()
        at.write(node, "Grid", asdict(grid))
    nk, nj, ni = grid.shape_zyx
    converter = slicer.vtkSegmentationConverter
    geometry = converter.SerializeImageGeometry(vtk_matrix(ras_from_ijk(grid)), [0, ni - 1, 0, nj - 1, 0, nk - 1])
    node.GetSegmentation().SetConversionParameter(converter.GetReferenceImageGeometryParameterName(), geometry)


def _tags_by_name(node: Any) -> dict[str, dict[str, str]]:
    segmentation = node.GetSegmentation()
    return {
        segmentation.GetSegment(n).GetName(): {tag: _tag(node, n, tag) for tag in (_REVIEWED, _MADE)}
        for n in segment_ids(node)
    }


def _tag_again(node: Any, tags: dict[str, dict[str, str]], made: Sequence[Voi]) -> None:
    """Tags that segments had before they were put anew, and the checksum of those that were made just now."""
    from RPTDosimetryLib.vois.review import mask_sha256

    fresh = {voi.name: mask_sha256(voi) for voi in made}
    for identifier in segment_ids(node):
        name = node.GetSegmentation().GetSegment(identifier).GetName()
        for tag, value in tags.get(name, {}).items():
            _set_tag(node, identifier, tag, value)
        if name in fresh:
            _set_tag(node, identifier, _MADE, fresh[name])


def _tag(node: Any, identifier: str, name: str) -> str:
    value = vtk.reference("")
    return str(value) if node.GetSegmentation().GetSegment(identifier).GetTag(name, value) else ""


def _set_tag(node: Any, identifier: str, name: str, value: str) -> None:
    segment = node.GetSegmentation().GetSegment(identifier)
    if value:
        segment.SetTag(name, value)
    else:
        segment.RemoveTag(name)


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC).replace(microsecond=0)
