"""What a person does to a registered study: another transform for one time point, or leaving time points out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.records import Alignment, Progress, RegisteredStudy, silent
from RPTDosimetryLib.registration.conservative import field_of_view_on, move_activity
from RPTDosimetryLib.registration.judge import judged, require_trustworthy
from RPTDosimetryLib.registration.pair import ct_pair, spect_pair
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.register import FAILED, with_warnings
from RPTDosimetryLib.registration.settings import RegistrationSettings

EDITED: Final = "edited by hand"


def realigned(
    registered: RegisteredStudy,
    matrices: Mapping[int, NDArray[np.float64]],
    settings: RegistrationSettings | None = None,
    progress: Progress = silent,
) -> RegisteredStudy:
    """Time points (index → M, 4×4, LPS, mm, reference to time point) moved by other matrices; deformations stay.

    Their figures are made anew. What a search would refuse is a warning here: a person has decided. Raises
    RegistrationError for the reference, a matrix that is no transform, and one that leaves the image or folds it.
    """
    chosen = settings or RegistrationSettings()
    alignments, activity = list(registered.alignments), list(registered.activity)
    for done, (index, told) in enumerate(matrices.items()):
        progress(done / len(matrices), f"Moving time point {index + 1}")
        matrix = _require_transform(registered, index, told)
        found = _judged(registered, index, PointMap(matrix, registered.alignments[index].deformation), chosen)
        moved = move_activity(registered.study.time_points[index].spect, PointMap.of(found), registered.grid)
        alignments[index] = replace(found, rescaled_by=moved.rescaled_by, cut_fraction=moved.cut_fraction)
        activity[index] = moved.image
    changed = replace(registered, alignments=tuple(alignments), activity=tuple(activity))
    progress(1.0, "Time points moved")
    return with_warnings(replace(changed, seen=seen_by_all(changed)), chosen)


def left_out(
    registered: RegisteredStudy, indices: Collection[int], settings: RegistrationSettings | None = None
) -> RegisteredStudy:
    """The study without some time points. Raises RegistrationError where the reference is among them."""
    if registered.reference_index in indices:
        raise RegistrationError(
            f"Time point {registered.reference_index + 1} is the reference of the registration and cannot be left out: "
            "choose another reference and register again."
        )
    kept = [n for n in range(len(registered.activity)) if n not in indices]
    points = registered.study.time_points
    fewer = replace(
        registered,
        study=replace(registered.study, time_points=tuple(points[n] for n in kept)),
        reference_index=kept.index(registered.reference_index),
        activity=tuple(registered.activity[n] for n in kept),
        alignments=tuple(registered.alignments[n] for n in kept),
    )
    fewer = with_warnings(replace(fewer, seen=seen_by_all(fewer)), settings or RegistrationSettings())
    told = tuple(
        f"The time point {_hours(registered, n)} was left out: {_why(registered, n)}." for n in sorted(indices)
    )
    return replace(fewer, warnings=(*fewer.warnings, *told))


def seen_by_all(registered: RegisteredStudy) -> NDArray[np.bool_]:
    """True where every time point's field of view reaches, by their alignments."""
    views = [
        field_of_view_on(point.spect.grid, PointMap.of(alignment), registered.grid)
        for point, alignment in zip(registered.study.time_points, registered.alignments, strict=True)
    ]
    return np.asarray(np.logical_and.reduce(views))


def _require_transform(registered: RegisteredStudy, index: int, told: NDArray[np.float64]) -> NDArray[np.float64]:
    if index == registered.reference_index:
        raise RegistrationError(f"Time point {index + 1} is the reference and stays: move the others.")
    matrix = np.asarray(told, dtype=np.float64)
    if not np.isfinite(matrix).all() or np.linalg.det(matrix[:3, :3]) <= 0:
        raise RegistrationError(f"The transform of time point {index + 1} mirrors or flattens the image: reset it.")
    return matrix


def _judged(registered: RegisteredStudy, index: int, moved: PointMap, settings: RegistrationSettings) -> Alignment:
    before = registered.alignments[index]
    fixed, point = registered.reference, registered.study.time_points[index]
    pair = spect_pair(fixed.spect, point.spect)
    if before.through == "ct":
        pair = ct_pair(fixed, point, registered.reference_index + 1, index + 1)
    method = "rigid" if before.method == FAILED else before.method
    found = replace(judged(pair, moved, method), source=EDITED)
    try:
        require_trustworthy(found, settings)
    except RegistrationError as error:
        return replace(found, warnings=(f"Time point {index + 1}: {error}",))
    return found


def _why(registered: RegisteredStudy, index: int) -> str:
    failed = registered.alignments[index].method == FAILED
    return "it could not be aligned" if failed else "its registration was rejected"


def _hours(registered: RegisteredStudy, index: int) -> str:
    time_s = registered.study.time_points[index].time_s
    return f"number {index + 1}" if time_s is None else f"at {time_s / 3600:.1f} h"
