"""From the mean over an acquisition to its start."""

from __future__ import annotations

import math


def decay_in_scan_factor(lambda_phys_per_s: float, duration_s: float) -> float:
    """A(start) / mean of A over the acquisition = λT/(1 − e^(−λT)); 1 for T → 0.

    Physical decay alone: what the body washes out during the scan is not corrected. DICOM PS3.3 C.8.9.1.1.5.
    """
    decayed = lambda_phys_per_s * duration_s
    return decayed / -math.expm1(-decayed) if decayed > 0 else 1.0
