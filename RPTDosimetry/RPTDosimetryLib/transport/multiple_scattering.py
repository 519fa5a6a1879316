"""Angular distributions of many elastic collisions (Goudsmit and Saunderson 1940), one table for every medium.

For screened Rutherford scattering the distribution depends on two numbers: the path in transport mean free paths,
K1 = s/λ1, and the screening A. Media and spin corrections enter through the first two transport coefficients, from
which K1 and an equivalent A follow. Sampling is from equiprobable bins in a variable in which the distribution is
nearly flat; the last bin is divided again, and the last of those, so that the single-scattering tail is resolved.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from RPTDosimetryLib.transport.compiled import inlined
from RPTDosimetryLib.transport.random_numbers import uniform

K1_NODES: Final = np.geomspace(2e-3, 2.5, 24)
LOG_SCREENING_NODES: Final = np.linspace(np.log(1e-7), np.log(1e-2), 8)
N_QUANTILES: Final = 64
N_LEVELS: Final = 3
N_K1: Final = 24
_L_MAX = 1500


#: ⟨1 − cos θ⟩ of each node of K1.
MEAN_Y: Final = -np.expm1(-K1_NODES)
PER_MEAN_Y: Final = 1.0 / np.diff(MEAN_Y)


def _legendre(mu: NDArray[np.float64], l_max: int) -> NDArray[np.float64]:
    p = np.empty((l_max + 1, mu.size))
    p[0], p[1] = 1.0, mu
    for order in range(1, l_max):
        p[order + 1] = ((2 * order + 1) * mu * p[order] - order * p[order - 1]) / (order + 1)
    return p


def single_scattering_moments(screening: float, l_max: int = 2) -> NDArray[np.float64]:
    """1 − ⟨P_l⟩ of one collision with density ∝ 1/(1 − μ + 2A)², l = 0 … l_max."""
    edges = np.concatenate([[0.0], np.geomspace(1e-5, 0.02, 60), np.linspace(0.02, np.pi, 500)[1:]])
    nodes, weights = np.polynomial.legendre.leggauss(8)
    theta = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * nodes).ravel()
    weight = (0.5 * np.diff(edges)[:, None] * weights).ravel()
    y = 2 * np.sin(theta / 2) ** 2
    density = weight * np.sin(theta) * 2 * screening * (1 + screening) / (y + 2 * screening) ** 2
    return np.asarray((1 - _legendre(1 - y, l_max)) @ density)


@lru_cache(maxsize=1)
def screening_of_ratio() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ratio of the second to the first transport coefficient (rising) and the log-screening it belongs to."""
    moments = np.array([single_scattering_moments(float(np.exp(a))) for a in LOG_SCREENING_NODES])
    ratio = moments[:, 2] / moments[:, 1]
    order = np.argsort(ratio)
    return ratio[order], LOG_SCREENING_NODES[order]


@lru_cache(maxsize=1)
def scattering_table() -> NDArray[np.float64]:
    """v (K1, A, level, quantile) of y = 2bv/(1 − v + b), with b after the quantiles of level 0 (a second to build)."""
    y = np.concatenate([[0.0], np.geomspace(1e-8, 0.05, 700), np.linspace(0.05, 2.0, 900)[1:]])
    p = _legendre(1 - y, _L_MAX + 1)
    # ∫_μ^1 P_l dμ' (2l + 1) = P_{l−1} − P_{l+1}
    integral = 0.5 * np.vstack([y[None, :], p[:-2] - p[2:]])
    del p
    level = (1.0 / N_QUANTILES) ** np.arange(N_LEVELS)[:, None]
    quantile = 1.0 - level * (1.0 - np.linspace(0.0, 1.0, N_QUANTILES + 1))
    n_k, n_a = K1_NODES.size, LOG_SCREENING_NODES.size
    table = np.zeros((n_k, n_a, N_LEVELS, N_QUANTILES + 2))
    for column, log_a in enumerate(LOG_SCREENING_NODES):
        moments = single_scattering_moments(float(np.exp(log_a)), _L_MAX)
        for row, k1 in enumerate(K1_NODES):
            collisions = k1 / moments[1]
            terms = np.exp(-collisions * moments) - np.exp(-collisions)
            cdf = np.exp(-collisions) + terms @ integral[: _L_MAX + 1]
            cdf = np.maximum.accumulate(np.clip(cdf, 0.0, 1.0))
            cdf /= cdf[-1]
            b, v = _equiprobable(y, cdf, quantile, -np.expm1(-k1))
            table[row, column, :, :-1] = v
            table[row, column, :, -1] = b
    return table


def _equiprobable(
    y: NDArray[np.float64], cdf: NDArray[np.float64], quantile: NDArray[np.float64], mean_y: float
) -> tuple[float, NDArray[np.float64]]:
    """Shape b and the transformed quantiles v, b tuned so that the piecewise distribution has the exact mean."""
    keep = np.concatenate([[True], np.diff(cdf) > 0])
    at_quantile = np.interp(quantile, cdf[keep], y[keep])
    at_quantile[:, -1] = 2.0
    at_quantile[1:, 0] = at_quantile[:-1, -2]
    start = max(0.5 * float(np.interp(0.5, cdf[keep], y[keep])), 1e-7)
    v = at_quantile * (1 + start) / (at_quantile + 2 * start)
    points, weights = np.polynomial.legendre.leggauss(24)
    v_fine = v[:, :-1, None] + np.diff(v)[:, :, None] * 0.5 * (points + 1)
    probability = np.diff(quantile)
    probability[:-1, -1] = 0.0  # divided again on the next level

    def excess(log_b: float) -> float:
        b = np.exp(log_b)
        in_bins = (2 * b * v_fine / (1 - v_fine + b)) @ (0.5 * weights)
        return float(np.sum(probability * in_bins)) / mean_y - 1

    return float(np.exp(brentq(excess, np.log(start) - 1.0, np.log(start) + 1.0))), v


@inlined()
def deflection(k1, log_screening_index, table, row, rng):  # type: ignore[no-untyped-def]
    """1 − cos θ after K1 transport mean free paths, with the mean 1 − exp(−K1) exactly; and the row of K1 below.

    row: where to start looking for it, such as that of the step before. Between nodes one of the two neighbours is
    taken at random, in proportion; below the first node there is either its deflection or none.
    """
    mean = 1.0 - math.exp(-k1)
    while row > 0 and mean < MEAN_Y[row]:
        row -= 1
    while row < N_K1 - 2 and mean >= MEAN_Y[row + 1]:
        row += 1
    # rounding up with the probability of the remainder: without branches that a processor could guess wrong
    if mean > MEAN_Y[0]:
        low = row + min(int((mean - MEAN_Y[row]) * PER_MEAN_Y[row] + uniform(rng)), 1)
    elif uniform(rng) * MEAN_Y[0] > mean:
        return 0.0, row
    else:
        low = 0
    column = int(log_screening_index + uniform(rng))
    place = uniform(rng) * N_QUANTILES
    cell = int(place)
    level = 0
    while cell == N_QUANTILES - 1 and level < N_LEVELS - 1:
        level += 1
        place = (place - cell) * N_QUANTILES
        cell = int(place)
    lower = table[low, column, level, cell]
    v = lower + (place - cell) * (table[low, column, level, cell + 1] - lower)
    b = table[low, column, 0, N_QUANTILES + 1]
    return 2.0 * b * v / (1.0 - v + b), row
