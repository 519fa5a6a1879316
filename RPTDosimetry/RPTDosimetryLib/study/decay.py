"""Undoing the decay correction that files carry, so that activity is at scan time (acquisition start)."""

from __future__ import annotations

import math

import numpy as np

from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.scan import Scan
from RPTDosimetryLib.units import S_PER_H

_FACTOR_TOLERANCE = 2e-3


def at_scan_time(
    image: Image, scan: Scan, time_s: float | None, half_life_s: float | None
) -> tuple[Image, str, tuple[str, ...]]:
    """The image at acquisition start, one line on what was undone, and warnings (DICOM PS3.3 C.8.9.1.1.5).

    ADMIN: A(t) = A_stored·e^(−λ t), t from administration to acquisition start. START: nothing to undo. NONE: each
    bed's mean over its own acquisition, brought to the first bed's start by e^(+λ delay) where beds follow one another.
    Left as stored, and said so, where t or λ is not known yet.
    """
    nothing_to_undo = _nothing_to_undo(scan, time_s, half_life_s)
    if nothing_to_undo or half_life_s is None or time_s is None:
        return image, nothing_to_undo, ()
    decay_per_s = math.log(2.0) / half_life_s
    if scan.decay_reference == "NONE" and scan.slice_delay_s is not None:
        to_start = np.exp(decay_per_s * scan.slice_delay_s).astype(np.float32)
        text = f"NONE: beds brought to the first bed's start (factor up to {to_start.max():.6f})"
        return image.with_voxels(image.voxels * to_start[:, None, None]), text, ()
    factor = math.exp(-decay_per_s * time_s)
    text = (
        f"ADMIN: corrected to administration; undone over {time_s / S_PER_H:.5f} h with half-life {half_life_s:g} s "
        f"(factor {factor:.6f})"
    )
    return image.with_voxels(image.voxels * np.float32(factor)), text, _factor_note(scan, factor, decay_per_s)


def _nothing_to_undo(scan: Scan, time_s: float | None, half_life_s: float | None) -> str:
    """Why the image stays as it is; empty when a correction can and must be undone."""
    reference = scan.decay_reference
    if reference is None:
        return "unknown"
    if reference == "START":
        return "START: corrected to acquisition start, nothing to undo"
    if reference == "NONE" and scan.slice_delay_s is None:
        return "NONE: mean over the acquisition, nothing to undo"
    if half_life_s is None:
        return f"{reference}: not undone, the half-life is unknown"
    return f"{reference}: not undone, the time since administration is unknown" if time_s is None else ""


def _factor_note(scan: Scan, factor: float, decay_per_s: float) -> tuple[str, ...]:
    """DecayFactor (0054,1321) is the factor already applied, at some moment of the frame: compare, never use."""
    if scan.decay_factor is None:
        return ()
    low = 1.0 / factor
    high = low * math.exp(decay_per_s * (scan.duration_s or 0.0))
    if low * (1 - _FACTOR_TOLERANCE) <= scan.decay_factor <= high * (1 + _FACTOR_TOLERANCE):
        return ()
    return (
        f"DecayFactor (0054,1321) is {scan.decay_factor:g} where DecayCorrection ADMIN means {low:.4f}; "
        "DecayCorrection is followed",
    )
