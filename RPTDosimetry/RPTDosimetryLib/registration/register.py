"""Every time point of a study on the grid of one of them, aligned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, RegistrationError
from RPTDosimetryLib.records import Alignment, Cancelled, Image, Progress, RegisteredStudy, Study, never, silent
from RPTDosimetryLib.registration.body import body_outline
from RPTDosimetryLib.registration.conservative import MovedActivity, move_activity
from RPTDosimetryLib.registration.judge import judged, require_trustworthy
from RPTDosimetryLib.registration.pair import Pair, ct_pair, spect_pair
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.search import search_affine, search_bspline, search_rigid
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.registration.transform_file import given_transform
from RPTDosimetryLib.registration.working_grid import coarser

#: The method of an alignment that was searched for and not found.
FAILED: Final = "failed"


@dataclass(frozen=True)
class Attempt:
    """A registered study; failed: by index of the time point, the sentence that says why it could not be aligned."""

    registered: RegisteredStudy
    failed: Mapping[int, str]


def register(
    study: Study,
    settings: RegistrationSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> RegisteredStudy:
    """Align every time point with the reference and resample its concentration; total activity is kept.

    SPECT images must be Bq/mL. Raises RegistrationError, naming the time point, when an image has no activity, is not
    in Bq/mL, a CT or a transform that the settings ask for is missing, a transform leaves the image, or no trustworthy
    alignment was found; CancelledError.
    """
    return _attempt(study, settings or RegistrationSettings(), True, progress, cancelled).registered


def register_each(
    study: Study,
    settings: RegistrationSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> Attempt:
    """The same, but a time point that cannot be aligned fails alone and the others keep their result.

    A failed one has no activity on the reference grid and an alignment of the method FAILED: leave it out
    (adjust.left_out) or move it by hand (adjust.realigned). Raises as register for the reference and the settings.
    """
    return _attempt(study, settings or RegistrationSettings(), False, progress, cancelled)


def _attempt(
    study: Study, chosen: RegistrationSettings, all_or_none: bool, progress: Progress, cancelled: Cancelled
) -> Attempt:
    _require_time_points(study, all_or_none)
    index = reference_index(study, chosen)
    moved: list[MovedActivity] = []
    alignments: list[Alignment] = []
    failed: dict[int, str] = {}
    for number in range(len(study.time_points)):
        if cancelled():
            raise CancelledError("Registration was stopped.")
        progress(number / len(study.time_points), f"Aligning time point {number + 1} of {len(study.time_points)}")
        try:
            found, there = _brought(study, (index, number), chosen, cancelled)
        except RegistrationError as error:
            if all_or_none or number == index:
                raise
            failed[number] = str(error)
            found, there = _left(study, (index, number))
        moved.append(there)
        alignments.append(found)
    progress(1.0, "Time points aligned")
    seen = np.logical_and.reduce([m.seen for number, m in enumerate(moved) if number not in failed])
    grid = study.time_points[index].spect.grid
    registered = RegisteredStudy(study, index, grid, tuple(m.image for m in moved), tuple(alignments), seen)
    return Attempt(with_warnings(registered, chosen), failed)


def _brought(
    study: Study, numbers: tuple[int, int], chosen: RegistrationSettings, cancelled: Cancelled
) -> tuple[Alignment, MovedActivity]:
    """Time point numbers[1] on the reference numbers[0]. Raises RegistrationError that names both."""
    index, number = numbers
    spect = study.time_points[number].spect
    lacking = _lacking(spect)
    if lacking:
        raise RegistrationError(f"Time point {number + 1} {lacking}")
    try:
        found = _aligned(study, numbers, chosen, cancelled)
        there = move_activity(spect, PointMap.of(found), study.time_points[index].spect.grid)
    except RegistrationError as error:
        raise RegistrationError(_failure(error, numbers, chosen)) from error
    return replace(found, rescaled_by=there.rescaled_by, cut_fraction=there.cut_fraction), there


def _left(study: Study, numbers: tuple[int, int]) -> tuple[Alignment, MovedActivity]:
    """A time point that is not brought anywhere: it stays where it lies, and nothing of it on the reference grid."""
    index, number = numbers
    grid = study.time_points[index].spect.grid
    nothing = Image(np.zeros(grid.shape_zyx, dtype=np.float32), grid, study.time_points[number].spect.unit)
    alignment = Alignment(np.eye(4), FAILED, *(float("nan"),) * 4, displacement_mm=0.0, rotation_deg=0.0)
    return alignment, MovedActivity(nothing, np.zeros(grid.shape_zyx, dtype=bool), 1.0, 0.0)


def with_warnings(registered: RegisteredStudy, settings: RegistrationSettings) -> RegisteredStudy:
    """The same with the warnings that its alignments and fields of view give."""
    body = body_outline([coarser(registered.reference.spect)])
    return replace(registered, warnings=_warnings(registered, body, settings))


def _failure(error: RegistrationError, numbers: tuple[int, int], settings: RegistrationSettings) -> str:
    """The error with the time points it concerns, and what else may be done where an alignment was searched for."""
    index, number = numbers
    if number == index:
        return f"Reference time point {number + 1}: {error}"
    searched = settings.transforms is None and settings.method != "none"
    hint = ' Look at both images; if they are already aligned, set registration method = "none".' if searched else ""
    return f"Time point {number + 1} could not be aligned with time point {index + 1}: {error}{hint}"


def reference_index(study: Study, settings: RegistrationSettings) -> int:
    """Index of the time point that stays: as set, otherwise the first with a CT, otherwise the first."""
    count = len(study.time_points)
    if settings.reference is not None:
        if not 1 <= settings.reference <= count:
            raise ConfigurationError(
                f"Reference time point {settings.reference} does not exist: the study has {count}. Choose 1 to {count}."
            )
        return settings.reference - 1
    return next((n for n, point in enumerate(study.time_points) if point.ct is not None), 0)


def _require_time_points(study: Study, all_of_them: bool) -> None:
    """Raise RegistrationError where there are none, or where one that must be aligned cannot be from the start."""
    if not study.time_points:
        raise RegistrationError("The study has no time point to align. Read a folder that holds SPECT images.")
    for number, point in enumerate(study.time_points, start=1):
        lacking = _lacking(point.spect) if all_of_them else ""
        if lacking:
            raise RegistrationError(f"Time point {number} {lacking}")


def _lacking(spect: Image) -> str:
    """Why an image cannot be aligned at all; empty when it may be."""
    if spect.unit != "Bq/mL":
        return f"is in {spect.unit}, not Bq/mL: calibrate it before it is aligned."
    return "" if (spect.voxels > 0).any() else "holds no activity: check the image, or leave it out."


def _aligned(study: Study, numbers: tuple[int, int], settings: RegistrationSettings, cancelled: Cancelled) -> Alignment:
    """Time point numbers[1] on the reference numbers[0], searched or from a file, with its figures and checks."""
    index, number = numbers
    fixed, point = study.time_points[index], study.time_points[number]
    spect = spect_pair(fixed.spect, point.spect)
    still = PointMap(np.eye(4))
    if settings.transforms is not None:
        return _from_file(spect, numbers, settings)
    if number == index or settings.method == "none":
        return judged(spect, still, settings.method)
    if settings.through == "spect":
        return _searched(spect, settings, cancelled)
    if point.ct is not None and point.ct is fixed.ct:
        note = f"Time points {index + 1} and {number + 1} have one CT in common and were taken as already aligned."
        return replace(judged(spect, still, settings.method), warnings=(note,))
    found = _searched(ct_pair(fixed, point, index + 1, number + 1), settings, cancelled)
    _require_spect_follows(spect, found, settings)
    return found


def _searched(pair: Pair, settings: RegistrationSettings, cancelled: Cancelled) -> Alignment:
    """The rigid alignment is judged before anything bends: a deformation can make a failure look well."""
    if settings.engine == "elastix":
        from RPTDosimetryLib.registration import elastix

        rigid, affine, bspline = elastix.search_rigid, elastix.search_affine, elastix.search_bspline
    else:
        rigid, affine, bspline = search_rigid, search_affine, search_bspline
    moved = rigid(pair, settings, cancelled)
    found = judged(pair, moved, "rigid")
    require_trustworthy(found, settings)
    if settings.method == "rigid":
        return found
    if cancelled():
        raise CancelledError("Registration was stopped.")
    moved = affine(pair, moved, settings) if settings.method == "affine" else bspline(pair, moved, settings)
    found = judged(pair, moved, settings.method)
    require_trustworthy(found, settings)
    return found


def _from_file(pair: Pair, numbers: tuple[int, int], settings: RegistrationSettings) -> Alignment:
    index, number = numbers
    assert settings.transforms is not None
    given = given_transform(settings.transforms, number + 1, pair.fixed.grid)
    if number == index:
        if given is not None and not given[0].still:
            raise RegistrationError(
                f"{given[1].split(',')[0]} moves time point {number + 1}, which is the reference and stays. Leave the "
                "file out, or set registration.reference to the time point the transforms were made for."
            )
        return judged(pair, PointMap(np.eye(4)), "given")
    if given is None:
        raise RegistrationError(
            f"{settings.transforms} holds no transform_{number + 1}.tfm (or .h5, .nrrd). Write it, or leave "
            "registration.transforms out to search."
        )
    found = replace(judged(pair, given[0], "given"), source=given[1])
    require_trustworthy(found, settings)
    return found


def _require_spect_follows(spect: Pair, found: Alignment, settings: RegistrationSettings) -> None:
    """What the CTs say must hold for the SPECT images too, or CT and SPECT of a time point do not belong together."""
    try:
        require_trustworthy(judged(spect, PointMap.of(found), found.method), settings)
    except RegistrationError as error:
        raise RegistrationError(
            f"the CTs fit, but with their transform the SPECT images do not: {error} Check that CT and SPECT of each "
            "time point lie on each other."
        ) from error


def _warnings(registered: RegisteredStudy, body: NDArray[np.bool_], settings: RegistrationSettings) -> tuple[str, ...]:
    warnings: list[str] = []
    for number, alignment in enumerate(registered.alignments, start=1):
        if alignment.cut_fraction > settings.cut_warning:
            warnings.append(
                f"Time point {number}: {100 * alignment.cut_fraction:.1f} % of its activity lies outside the field of "
                f"view of time point {registered.reference_index + 1} and is left out."
            )
    seen = coarser(Image(registered.seen.astype(np.float32), registered.grid, "1")).voxels > 0.5
    unseen = float((body & ~seen).sum()) / max(1, int(body.sum()))
    if unseen > 0.001:
        warnings.append(
            f"{100 * unseen:.1f} % of the body lies outside the field of view of at least one time point; its activity "
            "counts as 0 there, so curves in those voxels are not complete."
        )
    if settings.method == "none" and settings.transforms is None and len(registered.activity) > 1:
        warnings.append('Registration method "none": the time points were taken as already aligned.')
    return tuple(warnings)
