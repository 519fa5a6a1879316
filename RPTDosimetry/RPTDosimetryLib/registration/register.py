"""Every time point of a study on the grid of one of them, rigidly aligned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, RegistrationError
from RPTDosimetryLib.grid import resample
from RPTDosimetryLib.records import Alignment, Cancelled, Image, Progress, RegisteredStudy, Study, never, silent
from RPTDosimetryLib.registration.body import body_outline
from RPTDosimetryLib.registration.conservative import MovedActivity, as_transform, move_activity
from RPTDosimetryLib.registration.quality import correlation, mean_displacement_mm, mutual_information, rotation_deg
from RPTDosimetryLib.registration.rigid import RegistrationSettings, align_rigid
from RPTDosimetryLib.registration.working_grid import coarser


def register(
    study: Study,
    settings: RegistrationSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> RegisteredStudy:
    """Align every time point with the reference and resample its concentration; total activity is kept.

    SPECT images must be Bq/mL. Raises RegistrationError, naming the time point, when an image has no activity, is not
    in Bq/mL, or no trustworthy alignment was found; CancelledError.
    """
    chosen = settings or RegistrationSettings()
    _require_activity(study)
    index = reference_index(study, chosen)
    fixed = study.time_points[index].spect
    body = body_outline([coarser(fixed)])
    moved: list[MovedActivity] = []
    alignments: list[Alignment] = []
    for number, point in enumerate(study.time_points):
        if cancelled():
            raise CancelledError("Registration was stopped.")
        progress(number / len(study.time_points), f"Aligning time point {number + 1} of {len(study.time_points)}")
        try:
            matrix = np.eye(4)
            if number != index and chosen.method == "rigid":
                matrix = align_rigid(fixed, point.spect, body, chosen, cancelled)
            judged = _judged(fixed, point.spect, matrix, body, chosen)
            moved.append(move_activity(point.spect, matrix, fixed.grid))
            alignments.append(replace(judged, rescaled_by=moved[-1].rescaled_by, cut_fraction=moved[-1].cut_fraction))
        except RegistrationError as error:
            raise RegistrationError(
                f"Time point {number + 1} could not be aligned with time point {index + 1}: {error} Look at both "
                'images; if they are already aligned, set registration method = "none".'
            ) from error
    progress(1.0, "Time points aligned")
    seen = np.logical_and.reduce([m.seen for m in moved])
    registered = RegisteredStudy(study, index, fixed.grid, tuple(m.image for m in moved), tuple(alignments), seen)
    return replace(registered, warnings=_warnings(registered, body, chosen))


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


def _require_activity(study: Study) -> None:
    if not study.time_points:
        raise RegistrationError("The study has no time point to align. Read a folder that holds SPECT images.")
    for number, point in enumerate(study.time_points, start=1):
        if point.spect.unit != "Bq/mL":
            raise RegistrationError(
                f"Time point {number} is in {point.spect.unit}, not Bq/mL: calibrate it before it is aligned."
            )
        if not (point.spect.voxels > 0).any():
            raise RegistrationError(f"Time point {number} holds no activity: check the image, or leave it out.")


def _judged(
    fixed: Image, moving: Image, matrix: NDArray[np.float64], body: NDArray[np.bool_], settings: RegistrationSettings
) -> Alignment:
    """The alignment with its figures over the body, a mask on the working grid. Raises RegistrationError."""
    rest, coarse = coarser(fixed), coarser(moving)
    root_rest = np.sqrt(np.clip(rest.voxels, 0.0, None))
    root_before = np.sqrt(np.clip(resample(coarse.voxels, coarse.grid, rest.grid), 0.0, None))
    moved = resample(coarse.voxels, coarse.grid, rest.grid, moving_from_fixed=as_transform(matrix))
    root_after = np.sqrt(np.clip(moved, 0.0, None))
    alignment = Alignment(
        moving_from_fixed=matrix,
        method=settings.method,
        mutual_information_before=mutual_information(root_rest, root_before, body),
        mutual_information_after=mutual_information(root_rest, root_after, body),
        correlation_before=correlation(root_rest, root_before, body),
        correlation_after=correlation(root_rest, root_after, body),
        displacement_mm=mean_displacement_mm(matrix, body, rest.grid),
        rotation_deg=rotation_deg(matrix),
    )
    if settings.method != "none" and fixed is not moving:
        _require_trustworthy(alignment, settings)
    return alignment


def _require_trustworthy(found: Alignment, settings: RegistrationSettings) -> None:
    if found.displacement_mm > settings.maximum_shift_mm or found.rotation_deg > settings.maximum_turn_deg:
        raise RegistrationError(
            f"the best match lies {found.displacement_mm:.0f} mm and {found.rotation_deg:.0f}° away, more than a "
            f"patient moves (limits {settings.maximum_shift_mm:.0f} mm, {settings.maximum_turn_deg:.0f}°)."
        )
    if (
        found.mutual_information_after < settings.minimum_mutual_information
        or found.correlation_after < settings.minimum_correlation
    ):
        raise RegistrationError(
            f"the images have little in common (mutual information {found.mutual_information_after:.2f} nats, "
            f"correlation {found.correlation_after:.2f}; at least {settings.minimum_mutual_information:.2f} and "
            f"{settings.minimum_correlation:.2f} are asked for)."
        )
    if found.mutual_information_after < 0.98 * found.mutual_information_before:
        raise RegistrationError(
            f"the alignment found is worse than none (mutual information {found.mutual_information_after:.3f} after, "
            f"{found.mutual_information_before:.3f} before)."
        )


def _warnings(registered: RegisteredStudy, body: NDArray[np.bool_], settings: RegistrationSettings) -> tuple[str, ...]:
    warnings = []
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
    if settings.method == "none" and len(registered.activity) > 1:
        warnings.append('Registration method "none": the time points were taken as already aligned.')
    return tuple(warnings)
