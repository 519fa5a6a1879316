"""Voxel values and time points that cannot be what they are said to be."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_values import seconds_between
from RPTDosimetryLib.study.scan import Scan
from RPTDosimetryLib.study.z_ranges import follow_one_another
from RPTDosimetryLib.units import S_PER_H

#: Filters and resampling leave slightly negative voxels; beyond these shares the image is not an activity map.
NEGATIVE_TOTAL_SHARE = 1e-3  # of the positive total
NEGATIVE_VOXEL_SHARE = 1e-2  # of the hottest voxel
#: A SPECT takes longer than this: two that start within it are one acquisition.
ALIKE_S = 60.0


def activity_image(image: Image, name: str) -> tuple[Image, tuple[str, ...]]:
    """The image with slight negative values set to 0, and a warning that says how many.

    Slight: together at most 0.1 % of the positive total, each at most 1 % of the maximum. Raises StudyError for NaN,
    larger negative values, or no activity at all.
    """
    voxels = image.voxels
    if not np.isfinite(voxels).all():
        count = int(np.count_nonzero(~np.isfinite(voxels)))
        raise StudyError(f"SPECT {name} holds {count} voxels that are NaN or infinite. Reconstruct or export it again.")
    highest, lowest = float(voxels.max()), float(voxels.min())
    if highest <= 0 and lowest >= 0:
        raise StudyError(f"SPECT {name} holds no activity (its highest voxel is {highest:g}). Check what was exported.")
    if lowest >= 0:
        return image, ()
    negative = voxels < 0
    count = int(np.count_nonzero(negative))
    negative_total = -float(voxels[negative].sum(dtype=np.float64))
    positive_total = float(voxels[~negative].sum(dtype=np.float64))
    share = negative_total / positive_total if positive_total > 0 else np.inf
    if share > NEGATIVE_TOTAL_SHARE or -lowest > NEGATIVE_VOXEL_SHARE * highest:
        raise StudyError(
            f"SPECT {name} holds {count} voxels of negative activity, down to {lowest:.4g} ({100 * share:.3g} % of the "
            "positive total): reconstruct it with a method that keeps activity positive, or check the intercept."
        )
    note = f"{count} slightly negative voxels (down to {lowest:.3g}, {100 * share:.2g} % of the total) are set to 0"
    return image.with_voxels(np.maximum(voxels, np.float32(0))), (note,)


def require_distinct(scans: tuple[Scan, ...]) -> None:
    """Raise StudyError when two time points start together or hold the same voxels (two reconstructions, a copy).

    Beds of one visit may carry one start in their headers: they share the frame of reference and not their place.
    """
    advice = "Keep one: leave the other out with ignore in the configuration."
    for number, second in enumerate(scans):
        for first in scans[:number]:
            pair = f"{first.source.name} and {second.source.name}"
            if _same_voxels(first.image, second.image):
                raise StudyError(f"Two time points alike: {pair} hold identical voxels. {advice}")
            apart_s = _seconds_apart(first, second)
            if apart_s is not None and apart_s < ALIKE_S and not _beds(first, second):
                raise StudyError(f"Two time points alike: {pair} start within {apart_s:.0f} s of each other. {advice}")


def require_after_administration(time_s: float | None, name: str) -> None:
    """Raise StudyError for a scan before the administration."""
    if time_s is not None and time_s < 0:
        raise StudyError(
            f"SPECT {name} starts {-time_s / S_PER_H:.3f} h before the administration: check the dates and time zones "
            "of both, and give administration_time or acquired in the configuration."
        )


def _same_voxels(first: Image, second: Image) -> bool:
    a, b = first.voxels, second.voxels
    return a.shape == b.shape and bool(a.flat[a.size // 2] == b.flat[b.size // 2]) and bool(np.array_equal(a, b))


def _beds(first: Scan, second: Scan) -> bool:
    frame = first.source.frame_of_reference_uid
    shifted = follow_one_another(first.image.grid, second.image.grid)
    return frame is not None and frame == second.source.frame_of_reference_uid and shifted


def _seconds_apart(first: Scan, second: Scan) -> float | None:
    if first.time_s is not None and second.time_s is not None:
        return abs(first.time_s - second.time_s)
    if first.acquired is not None and second.acquired is not None:
        return abs(seconds_between(first.acquired, second.acquired))
    return None
