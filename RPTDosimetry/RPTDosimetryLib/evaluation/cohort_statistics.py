"""Figures over patients: mean and spread, and paired tests of two methods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Fewer pairs are not tested: the smallest two-sided p of Wilcoxon's test with five pairs is 0.0625 already.
FEWEST_PAIRS = 5


@dataclass(frozen=True)
class Spread:
    """n values: mean, sample standard deviation (None for one value), lowest and highest; all None without any."""

    n: int
    mean: float | None
    sd: float | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True)
class PairedTest:
    """second − first over n patients that have both; p two-sided, not corrected for several tests.

    wilcoxon_p: signed-rank test, pairs without a difference left out (exact where scipy can); t_p: paired t test, of
    normally distributed differences. note: why one is None.
    """

    figure: str
    first: str
    second: str
    n: int
    mean_difference: float | None
    sd_difference: float | None
    wilcoxon_w: float | None
    wilcoxon_p: float | None
    t: float | None
    t_p: float | None
    note: str = ""


def spread_of(values: Sequence[float | None]) -> Spread:
    """Of the values that exist; infinite ones (PSNR of equal maps) count as missing, n says how many are left."""
    known = np.array([v for v in values if v is not None and math.isfinite(v)], dtype=np.float64)
    if known.size == 0:
        return Spread(0, None, None, None, None)
    sd = float(known.std(ddof=1)) if known.size > 1 else None
    return Spread(known.size, float(known.mean()), sd, float(known.min()), float(known.max()))


def patient_means(values: Sequence[tuple[str, float | None]]) -> dict[str, float]:
    """Mean of each patient's values, in the order of first appearance: cycles of one patient are one patient."""
    found: dict[str, list[float]] = {}
    for patient, value in values:
        if value is not None and math.isfinite(value):
            found.setdefault(patient, []).append(value)
    return {patient: float(np.mean(several)) for patient, several in found.items()}


def paired_test(
    figure: str, methods: tuple[str, str], first: Mapping[str, float], second: Mapping[str, float]
) -> PairedTest:
    """Wilcoxon's signed-rank test and the paired t test of one figure a patient, for two methods."""
    both = [patient for patient in first if patient in second]
    apart = np.array([second[patient] - first[patient] for patient in both], dtype=np.float64)
    n, differing = apart.size, int(np.count_nonzero(apart))
    told = spread_of(apart.tolist())
    notes, w, w_p, t, t_p = [], None, None, None, None
    if n < FEWEST_PAIRS:
        notes.append(f"n = {n}: fewer than {FEWEST_PAIRS} patients with both are not tested")
    else:
        if differing < FEWEST_PAIRS:
            notes.append(f"only {differing} pairs differ: no signed-rank test")
        else:
            w, w_p = _wilcoxon(apart)
        if float(apart.std(ddof=1)) <= 1e-12 * float(np.abs(apart).max()):
            notes.append("all differences are the same: no t test")
        else:
            t, t_p = _paired_t(apart)
    return PairedTest(figure, *methods, n, told.mean, told.sd, w, w_p, t, t_p, "; ".join(notes))


def _wilcoxon(apart: np.ndarray) -> tuple[float, float]:
    from scipy.stats import wilcoxon

    found = wilcoxon(apart, zero_method="wilcox", alternative="two-sided")
    return float(found.statistic), float(found.pvalue)


def _paired_t(apart: np.ndarray) -> tuple[float, float]:
    from scipy.stats import ttest_1samp

    found = ttest_1samp(apart, 0.0)
    return float(found.statistic), float(found.pvalue)
