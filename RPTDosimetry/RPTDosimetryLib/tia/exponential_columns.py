"""Least-squares fits of very many curves by a sum of exponentials: one for each voxel.

The same minimum as exponential_fit, found another way (exponential_descent): the best point of a table over the rates,
then damped Gauss-Newton steps inside the box of exponential_family, compiled.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.tia.exponential_descent import fit_range
from RPTDosimetryLib.tia.exponential_family import ExponentialFamily

CURVES_A_CHUNK = 8192


def fit_columns(
    family: ExponentialFamily,
    activity_bq: NDArray[np.float64],
    time_s: NDArray[np.float64],
    weights: NDArray[np.float64],
    lambda_phys_per_s: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
    """(Ã [Bq·s], its part after the last scan, flags) of each column of activity_bq (scan, curve).

    weights: (scan, curve) or (scan, 1). flags: bits of exponential_descent. Curves that are zero throughout give zero.
    Raises KineticsError.
    """
    unit_s = float(time_s[-1])  # rates and times of order one
    tau = time_s / unit_s
    log_bounds = family.log_bounds(float(time_s[0]), lambda_phys_per_s) + np.log(unit_s)
    table_u = family.start_grid()
    table_phi = np.stack([family.basis(rates, tau).T for rates in family.rates_at(table_u, log_bounds)], axis=-1)
    common = weights[:, 0] if weights.shape[1] == 1 else np.ones(tau.size)
    table_gram = np.einsum("ikq,k,jkq->ijq", table_phi, common, table_phi)
    arrays = [
        np.ascontiguousarray(array)
        for array in (activity_bq, weights, tau, log_bounds, family.box()[0], table_u, table_phi, table_gram)
    ]
    n_curves = activity_bq.shape[1]
    tia, tail, flags = np.zeros(n_curves), np.zeros(n_curves), np.zeros(n_curves, dtype=np.uint8)
    # Tuples tell the compiler the numbers of rates and of basis functions by their lengths.
    size = ((0,) * family.n_rates, (0,) * family.n_basis)

    def fit_from(first: int) -> None:
        fit_range(size, first, min(first + CURVES_A_CHUNK, n_curves), *arrays, tia, tail, flags)

    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(fit_from, range(0, n_curves, CURVES_A_CHUNK)))
    return tia * unit_s, tail * unit_s, flags
