"""The registered study in the scene: transforms, volumes on the reference grid, decisions; and back to the record."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.quantified import activity_nodes, label_of, quantified_of
from RPTDosimetryLib.bridge.transforms import alignment_of, matrix_of, put_alignment, put_matrix, transform_from
from RPTDosimetryLib.bridge.volumes import image_of, put_image, volume_from_image
from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.records import Image, RegisteredStudy

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case

ACCEPTED, REJECTED, OPEN = "accepted", "rejected", ""
FAILED = "failed"  # decided by nobody: it could not be aligned
LEFT_OUT = (REJECTED, FAILED)
_ORDER, _REFERENCE, _NOTES = "Order", "Reference", "Notes"  # of the node SEEN: the study as a whole
_APPLIED = "AppliedMatrix"  # of a registered volume: the matrix that made it
_DECISION = "Decision"
_SAME_MM = 1e-4
_NONE: Mapping[int, str] = MappingProxyType({})


def put_registered(case: Case, registered: RegisteredStudy, failed: Mapping[int, str] = _NONE) -> list[Any]:
    """Nodes of a registered study: a transform and a volume for each time point, and what all of them see.

    Calibrated volumes go under their transforms. Older ones, and the decisions about them, go. failed: by index, why a
    time point could not be aligned.
    """
    remove_registered(case)
    volumes = activity_nodes(case)
    numbers = [int(at.whole_number(node, at.TIME_POINT) or 0) for node in volumes]
    made = [volume_from_image(Image(registered.seen.astype(np.uint8), registered.grid, "1"), "Seen by all", at.SEEN)]
    at.write_all(made[0], Order=numbers, Reference=numbers[registered.reference_index], Notes=list(registered.warnings))
    study_item = hierarchy.study_item(at.text(case.node_of_settings, "PatientId"))
    hierarchy.place(made[0], hierarchy.result_item(study_item, "Registration"))
    for place, (number, volume) in enumerate(zip(numbers, volumes, strict=True)):
        point = registered.study.time_points[place]
        label = label_of(point, number)
        transform = transform_from(registered.alignments[place], f"Alignment {label}", number)
        image = volume_from_image(registered.activity[place], f"Activity {label} registered [Bq/mL]", at.REGISTERED)
        at.write_all(image, TimePoint=number, AppliedMatrix=_listed(transform))
        if place == registered.reference_index:
            _decide(image, ACCEPTED, "reference")
        elif place in failed:
            at.write_all(image, Decision=FAILED, Failure=failed[place])
        volume.SetAndObserveTransformNodeID(transform.GetID())
        folder = hierarchy.time_point_item(study_item, number, f"Time point {number}")
        above = transform.GetParentTransformNode()
        for node in (image, transform, above):
            if node is not None:
                hierarchy.place(node, folder)
                made.append(node)
    return made


def remove_registered(case: Case) -> None:
    """Take all that put_registered made out of the scene; calibrated volumes stand free again."""
    for volume in case.nodes(at.ACTIVITY):
        volume.SetAndObserveTransformNodeID(None)
    for role in (at.REGISTERED, at.ALIGNMENT, at.DEFORMATION, at.SEEN, at.CHECKERBOARD):
        for node in case.nodes(role):
            case.remove(node)


def registered_of(case: Case, rejected: bool = False, edited: bool = False) -> RegisteredStudy:
    """The registered study of the scene, without rejected and failed time points unless asked for.

    edited: also where transforms were edited and not applied yet (they stand in it, the images are as before). Copies
    every voxel: call it where a job is prepared, not in refresh. Raises StudyError and RegistrationError where a step
    before was not run, time points have changed since, or an edited transform was not applied.
    """
    seen = case.node(at.SEEN)
    if seen is None:
        raise RegistrationError("The time points are not registered yet: run step Registration.")
    study = quantified_of(case)
    numbers = [at.whole_number(node, at.TIME_POINT) for node in activity_nodes(case)]
    order = registered_numbers(case)
    if numbers != order or any(case.node(at.REGISTERED, n) is None or alignment_node(case, n) is None for n in order):
        raise RegistrationError("The time points have changed since they were registered: run step Registration again.")
    changed = edited_numbers(case)
    if changed and not edited:
        told = ", ".join(str(order.index(number) + 1) for number in changed)
        raise RegistrationError(
            f"The transform of time point {told} was edited after it was applied: apply or reset it in step "
            "Registration."
        )
    image = image_of(seen)
    whole = RegisteredStudy(
        study=study,
        reference_index=order.index(reference_number(case)),
        grid=image.grid,
        activity=tuple(image_of(case.node(at.REGISTERED, number)) for number in order),
        alignments=tuple(alignment_of(alignment_node(case, number)) for number in order),
        seen=image.voxels > 0,
        warnings=at.lines(seen, _NOTES),
    )
    out = [n for n, number in enumerate(order) if decision(case, number) in LEFT_OUT]
    if rejected or not out:
        return whole
    from RPTDosimetryLib.registration.adjust import left_out

    return left_out(whole, out)


def replace_time_point(case: Case, registered: RegisteredStudy, number: int) -> list[Any]:
    """Take over one time point, what all see and the warnings from a study where it was aligned anew."""
    place = registered_numbers(case).index(number)
    image, seen, transform = case.node(at.REGISTERED, number), case.node(at.SEEN), alignment_node(case, number)
    put_image(image, registered.activity[place])
    put_image(seen, Image(registered.seen.astype(np.uint8), registered.grid, "1"))
    at.write(seen, _NOTES, list(registered.warnings))
    put_alignment(transform, registered.alignments[place])
    at.write_all(image, AppliedMatrix=_listed(transform), Decision=None, DecidedBy=None, Decided=None, Failure=None)
    return [node for role in (at.REGISTERED, at.ALIGNMENT, at.DEFORMATION, at.SEEN) for node in case.nodes(role)]


def registered_numbers(case: Case) -> list[int]:
    """Numbers of the registered time points in the order of the record; empty before registration."""
    seen = case.node(at.SEEN)
    return [] if seen is None else [int(number) for number in at.lines(seen, _ORDER)]


def used_numbers(case: Case) -> list[int]:
    """Those of them that go on: neither rejected nor failed."""
    return [number for number in registered_numbers(case) if decision(case, number) not in LEFT_OUT]


def reference_number(case: Case) -> int:
    """Number of the time point that stays."""
    return int(at.whole_number(case.node(at.SEEN), _REFERENCE) or 0)


def alignment_node(case: Case, number: int) -> Any:
    """The linear transform node of a time point."""
    return case.node(at.ALIGNMENT, number)


def edited_numbers(case: Case) -> list[int]:
    """Time points whose transform is no longer the one that their registered volume was made with."""
    told = []
    for number in registered_numbers(case):
        image, transform = case.node(at.REGISTERED, number), alignment_node(case, number)
        if image is not None and transform is not None:
            applied = np.reshape([float(value) for value in at.lines(image, _APPLIED)], (4, 4))
            if not np.allclose(applied, matrix_of(transform), atol=_SAME_MM):
                told.append(number)
    return told


def reset_transform(case: Case, number: int) -> None:
    """The transform as it was applied last."""
    applied = [float(value) for value in at.lines(case.node(at.REGISTERED, number), _APPLIED)]
    put_matrix(alignment_node(case, number), np.reshape(applied, (4, 4)))


def decision(case: Case, number: int) -> str:
    """ACCEPTED, REJECTED, FAILED or OPEN."""
    image = case.node(at.REGISTERED, number)
    return OPEN if image is None else at.text(image, _DECISION)


def decide(case: Case, number: int, what: str) -> None:
    """Accept or reject the registration of a time point, or open it again; noted with user and time.

    Raises RegistrationError for rejecting the reference, and for accepting what could not be aligned.
    """
    if what == ACCEPTED and failure(case, number):
        raise RegistrationError(
            "This time point could not be aligned: move it by hand and apply that, align again, or reject it."
        )
    if what == REJECTED and number == reference_number(case):
        raise RegistrationError(
            "The reference cannot be rejected: it is not moved. Choose another reference and register again."
        )
    _decide(case.node(at.REGISTERED, number), what, getpass.getuser())


def failure(case: Case, number: int) -> str:
    """Why a time point could not be aligned; empty where it was, or was moved by hand since."""
    image = case.node(at.REGISTERED, number)
    return "" if image is None else at.text(image, "Failure")


def decided_by(case: Case, number: int) -> str:
    """Who decided, and when; empty where nobody has."""
    image = case.node(at.REGISTERED, number)
    who, when = at.text(image, "DecidedBy"), at.moment(image, "Decided")
    return f"{who}, {when:%Y-%m-%d %H:%M}" if when is not None else who


def _decide(image: Any, what: str, who: str) -> None:
    now = None if what == OPEN or who == "reference" else datetime.now().replace(microsecond=0)
    at.write_all(image, Decision=what or None, DecidedBy=who if what else None, Decided=now)


def _listed(transform: Any) -> list[float]:
    return [float(value) for value in matrix_of(transform).ravel()]
