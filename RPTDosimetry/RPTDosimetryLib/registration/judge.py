"""The figures of an alignment, and what counts as a failed one."""

from __future__ import annotations

from typing import Final

from RPTDosimetryLib.errors import RegistrationError
from RPTDosimetryLib.grid import resample
from RPTDosimetryLib.records import Alignment
from RPTDosimetryLib.registration.pair import Pair
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.quality import (
    correlation,
    detail_correlation,
    mean_displacement_mm,
    mutual_information,
    rotation_deg,
    share_in_image,
)
from RPTDosimetryLib.registration.settings import RegistrationSettings

#: A transform that puts less of the body than this into the time point's image has left it.
LEAST_IN_IMAGE: Final = 0.5


def judged(pair: Pair, moved: PointMap, method: str) -> Alignment:
    """The alignment with its figures over the body. Raises RegistrationError where it leaves the image or folds."""
    grid, body = pair.fixed.grid, pair.body
    inside = share_in_image(moved, body, grid, pair.moving.grid)
    if inside < LEAST_IN_IMAGE:
        raise RegistrationError(
            f"the transform leaves the image: only {100 * inside:.0f} % of the body lies inside the time point's field "
            "of view afterwards. Check its direction (reference to time point, LPS, mm) and its time point."
        )
    jacobian = moved.jacobian_on(grid)[body]
    lowest, highest = float(jacobian.min()), float(jacobian.max())
    if lowest <= 0:
        raise RegistrationError(
            f"the deformation folds the body (lowest determinant {lowest:.2f}). Set the knots of "
            'the B-spline wider apart (registration.bspline_spacing_mm), or use the method "rigid".'
        )
    fill = float(pair.moving.voxels.min())
    before, after = (
        resample(pair.moving.voxels, pair.moving.grid, grid, "linear", fill, transform)
        for transform in (None, moved.transform())
    )
    rest = pair.fixed.voxels
    return Alignment(
        moving_from_fixed=moved.matrix,
        method=method,
        mutual_information_before=mutual_information(rest, before, body),
        mutual_information_after=mutual_information(rest, after, body),
        correlation_before=correlation(rest, before, body),
        correlation_after=correlation(rest, after, body),
        displacement_mm=mean_displacement_mm(moved, body, grid),
        rotation_deg=rotation_deg(moved.matrix),
        deformation=moved.deformation,
        through=pair.through,
        volume_change=(lowest, highest),
        detail_correlation=detail_correlation(rest, after, body, grid),
    )


def require_trustworthy(found: Alignment, settings: RegistrationSettings) -> None:
    """Raise RegistrationError, with the figure and its limit, when the alignment must have failed."""
    if found.displacement_mm > settings.maximum_shift_mm or found.rotation_deg > settings.maximum_turn_deg:
        raise RegistrationError(
            f"the best match lies {found.displacement_mm:.0f} mm and {found.rotation_deg:.0f}° away, more than a "
            f"patient moves (limits {settings.maximum_shift_mm:.0f} mm, {settings.maximum_turn_deg:.0f}°)."
        )
    lowest, highest = found.volume_change
    if max(highest, 1.0 / lowest) > settings.maximum_volume_factor:
        raise RegistrationError(
            f"volume changes by factors of {lowest:.2f} to {highest:.2f} in the body, more than a patient's does "
            f"(limit {settings.maximum_volume_factor:.2f} either way)."
        )
    detail = found.detail_correlation or 0.0
    least = settings.minimum_ct_correlation if found.through == "ct" else settings.minimum_correlation
    if (
        found.mutual_information_after < settings.minimum_mutual_information
        or found.correlation_after < least
        or detail < settings.minimum_detail_correlation
    ):
        raise RegistrationError(
            f"the images have little in common (mutual information {found.mutual_information_after:.2f} nats, "
            f"correlation {found.correlation_after:.2f}, of detail {detail:.2f}; at least "
            f"{settings.minimum_mutual_information:.2f}, {least:.2f} and "
            f"{settings.minimum_detail_correlation:.2f} are asked for)."
        )
    if found.mutual_information_after < 0.98 * found.mutual_information_before:
        raise RegistrationError(
            f"the alignment found is worse than none (mutual information {found.mutual_information_after:.3f} after, "
            f"{found.mutual_information_before:.3f} before)."
        )
