"""The scene as a case: its nodes by role, the Study rebuilt from them, and fingerprints of what results were made from.

Nothing is remembered here but digests of voxels, and what the scene held while it is being shown: save the scene,
load it elsewhere, and the case is the same.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import slicer

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.records import Administration, Study

_CASE = "Case"
_SECONDS_LAST = float("inf")
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class TimePointNodes:
    """The nodes of one time point; number is its own for life, the order is by time."""

    number: int
    spect: Any
    ct: Any = None
    contours: Any = None
    labels: Any = None
    segments: Any = None


class Case:
    """One therapy cycle of one patient in slicer.mrmlScene, and the parameter node with its settings."""

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self._digests: dict[str, tuple[int, str]] = {}
        self._found: dict[Any, Any] | None = None  # while reading
        self._found_at: Any = None

    @property
    def node_of_settings(self) -> Any:
        """The parameter node itself (a vtkMRMLScriptedModuleNode)."""
        return self.parameters.parameterNode

    @property
    def identity(self) -> str:
        """Changes when another case takes this one's place (scene closed, loaded, or started anew)."""
        found = at.text(self.node_of_settings, _CASE)
        if not found:
            found = uuid.uuid4().hex
            at.write(self.node_of_settings, _CASE, found)
        return found

    def start_anew(self) -> None:
        """Remove every node of the case; what others put into the scene stays."""
        for node in self.nodes():
            self.remove(node)
        settings = self.node_of_settings
        for name in at.all_of(settings):
            at.write(settings, name, None)
        at.write(settings, _CASE, uuid.uuid4().hex)

    # reading ----------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While the panel shows the scene, look through it once and not for every question.

        Nobody but this program runs meanwhile; what it changes (nodes that come or go, attributes, settings) makes
        once() look again.
        """
        if self._found is not None:
            yield
            return
        self._found = {}
        try:
            yield
        finally:
            self._found = None

    def once(self, what: Any, look: Callable[[], _Found]) -> _Found:
        """The answer of look(), found once for a state of the scene while reading; always anew at other times."""
        if self._found is None:
            return look()
        now = (slicer.mrmlScene.GetNodes().GetMTime(), at.times_written(), self.node_of_settings.GetMTime())
        if now != self._found_at:
            self._found, self._found_at = {}, now
        if what not in self._found:
            self._found[what] = look()
        answer: _Found = self._found[what]
        return answer

    # nodes ------------------------------------------------------------------------------------------------------

    def nodes(self, role: str | None = None, time_point: int | None = None) -> list[Any]:
        """Nodes of the case, of one role or of any, of one time point or of any, in the order of the scene."""
        by_role = self.once("nodes", self._scan)
        return [
            node
            for node in by_role.get(role, ())
            if time_point is None or at.whole_number(node, at.TIME_POINT) == time_point
        ]

    @staticmethod
    def _scan() -> dict[str | None, list[Any]]:
        """The nodes of every role; under None those of any."""
        found: dict[str | None, list[Any]] = {None: []}
        for node in slicer.mrmlScene.GetNodes():
            role = at.role(node)
            if role:
                found[None].append(node)
                found.setdefault(role, []).append(node)
        return found

    def node(self, role: str, time_point: int | None = None) -> Any:
        """The only node of a role (and time point), or None; the last made where there are several."""
        found = self.nodes(role, time_point)
        return found[-1] if found else None

    def remove(self, node: Any) -> None:
        """Take a node out of the scene with its display and storage nodes."""
        scene = slicer.mrmlScene
        others = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())] if _shows(node) else []
        others += [node.GetStorageNode()] if hasattr(node, "GetStorageNode") else []
        hierarchy.forget(node)
        for other in [node, *others]:
            if other is not None and scene.IsNodePresent(other):
                scene.RemoveNode(other)

    # records ----------------------------------------------------------------------------------------------------

    def time_points(self) -> list[TimePointNodes]:
        """Nodes of every time point, in the order of study().time_points."""
        return list(self.once("time points", self._time_points))

    def _time_points(self) -> list[TimePointNodes]:
        from RPTDosimetryLib.bridge.time_points import time_s_of

        spects = {at.whole_number(node, at.TIME_POINT): node for node in self.nodes(at.SPECT)}
        parts = {role: self.nodes(role) for role in (at.CT, at.CONTOURS, at.LABELS, at.SEGMENTS)}

        def part(role: str, number: int) -> Any:
            return next((n for n in parts[role] if at.whole_number(n, at.TIME_POINT) == number), None)

        found = [
            TimePointNodes(
                number, spect, *(part(role, number) for role in (at.CT, at.CONTOURS, at.LABELS, at.SEGMENTS))
            )
            for number, spect in spects.items()
            if number is not None
        ]
        administration = self.administration(strict=False)

        def order(point: TimePointNodes) -> tuple[float, str, int]:
            time_s = time_s_of(point.spect, administration)
            acquired = at.text(point.spect, "Acquired")
            return (_SECONDS_LAST if time_s is None else time_s, acquired or "9", point.number)

        return sorted(found, key=order)

    def administration(self, strict: bool = True) -> Administration:
        """What the panel says was given; None where it says nothing.

        Raises StudyError for a time that is no date and time; where not strict, that counts as unknown.
        """
        from RPTDosimetryLib.bridge.parameters import administration_of

        return administration_of(self.parameters.administration, strict)

    def study(self) -> Study:
        """The Study that the nodes hold, as read_study would return it. Raises StudyError without a time point."""
        from RPTDosimetryLib.bridge.time_points import study_of

        return study_of(self)

    # fingerprints -----------------------------------------------------------------------------------------------

    def content(self, nodes: Iterable[Any]) -> str:
        """Digest of what nodes hold: voxels, segments, matrices, text, and our attributes except fingerprints."""
        return fingerprint([self._digest(node) for node in nodes if node is not None])

    def _digest(self, node: Any) -> str:
        made = max(node.GetMTime(), _content_time(node))
        known = self._digests.get(node.GetID())
        if known is None or known[0] != made:
            told = {n: v for n, v in at.all_of(node).items() if n not in (at.FINGERPRINT, at.STEP)}
            known = (made, fingerprint([node.GetClassName(), dict(told), _content(node)]))
            self._digests[node.GetID()] = known
        return known[1]

    @staticmethod
    def mark(node: Any, step: str, made_from: str) -> None:
        """Note on a result which step made it and from what (the step's inputs_fingerprint when it was started)."""
        at.write_all(node, Step=step, Fingerprint=made_from)

    @staticmethod
    def made_from(node: Any) -> str:
        """The fingerprint noted on a result."""
        return at.text(node, at.FINGERPRINT)

    def results_of(self, step: str) -> list[Any]:
        """Nodes that a step made."""
        return [node for node in self.nodes() if at.text(node, at.STEP) == step]


def fingerprint(values: Any) -> str:
    """Digest of JSON-able values (numbers by their full value; paths, dates by their text)."""
    told = json.dumps(values, sort_keys=True, default=str)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def _shows(node: Any) -> bool:
    return hasattr(node, "GetNumberOfDisplayNodes")


def _content_time(node: Any) -> int:
    if node.IsA("vtkMRMLSegmentationNode"):
        return _content_time_of_segments(node)
    image = node.GetImageData() if hasattr(node, "GetImageData") else None
    return 0 if image is None else int(image.GetMTime())


def _content_time_of_segments(node: Any) -> int:
    """The Segment Editor changes label maps in place: neither node nor segmentation has a new time by that."""
    segmentation = node.GetSegmentation()
    name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    times = [int(segmentation.GetMTime())]
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        image = segment.GetRepresentation(name)
        times += [int(segment.GetMTime())] + ([] if image is None else [int(image.GetMTime())])
    return max(times)


def _content(node: Any) -> Any:
    """The content of a node as JSON-able values."""
    if node.IsA("vtkMRMLSegmentationNode"):
        return _content_of_segments(node)
    if node.IsA("vtkMRMLVolumeNode"):
        from RPTDosimetryLib.bridge.geometry import grid_of_volume

        if node.GetImageData() is None:
            return None
        voxels = slicer.util.arrayFromVolume(node)
        digest = hashlib.blake2b(memoryview(voxels.reshape(-1)).cast("B"), digest_size=16).hexdigest()
        grid = grid_of_volume(node)
        told = [*grid.shape_zyx, *grid.spacing_mm, *grid.origin_mm, *grid.direction]
        return [digest, str(voxels.dtype), _rounded(told)]
    if node.IsA("vtkMRMLGridTransformNode"):
        from RPTDosimetryLib.bridge.transforms import deformation_of

        vectors = deformation_of(node).displacement_mm
        return hashlib.blake2b(vectors.tobytes(), digest_size=16).hexdigest()
    if node.IsA("vtkMRMLTransformNode"):
        import vtk

        from RPTDosimetryLib.bridge.geometry import array_of

        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformToParent(matrix)
        return _rounded(array_of(matrix).ravel())
    return node.GetText() if node.IsA("vtkMRMLTextNode") else None


def _rounded(values: Iterable[float]) -> list[float]:
    """To 1e-6: files keep fewer digits of a geometry than memory does."""
    return [round(float(value), 6) + 0.0 for value in values]


def _content_of_segments(node: Any) -> list[Any]:
    """Names, boxes and voxels, each cut to what it fills: files cut label maps otherwise than memory does."""
    import numpy as np
    from vtk.util.numpy_support import vtk_to_numpy

    told: list[Any] = []
    segmentation = node.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        identifier = segmentation.GetNthSegmentID(number)
        name, image = segmentation.GetSegment(identifier).GetName(), slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(identifier, image)
        i0, i1, j0, j1, k0, k1 = image.GetExtent()
        scalars = image.GetPointData().GetScalars()
        if scalars is None or i1 < i0 or j1 < j0 or k1 < k0:
            told.append([name])
            continue
        mask = vtk_to_numpy(scalars).reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1) > 0
        ends = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
        if not all(axis.size for axis in ends):
            told.append([name])
            continue
        box = tuple(slice(int(axis[0]), int(axis[-1]) + 1) for axis in ends)
        corner = [first + part.start for first, part in zip((k0, j0, i0), box, strict=True)]
        bits = np.packbits(np.ascontiguousarray(mask[box]))
        digest = hashlib.blake2b(bits.tobytes(), digest_size=16).hexdigest()
        told.append([name, corner, list(mask[box].shape), digest])
    return told
