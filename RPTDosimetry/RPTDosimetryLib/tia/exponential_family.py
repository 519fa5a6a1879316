"""Sums of exponentials as cones: which curves they are, and between which rates they are looked for.

With rates λ_1 < λ_2 < … < λ_R the curves are A(t) = Σ_j c_j φ_j(t), c_j ≥ 0, with
φ_j = e^(−λ_j t) − e^(−λ_{j+1} t) for j < R and, unless the last phase is uptake from A(0) = 0, φ_R = e^(−λ_R t).
So a_1 = c_1 and a_j = c_j − c_{j−1}: every partial sum a_1 + … + a_j is ≥ 0, which is what makes A(t) ≥ 0 for all t;
a faster phase may be clearance (a_j > 0) or uptake (a_j < 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.units import S_PER_H

#: A clearance phase that has lost more than e^−5 (99.3 %) by the first scan is not seen in any scan; looked for all
#: the same, its value at t = 0 would be more than 148 times what was measured.
CLEARANCE_LIMIT: Final = 5.0
#: An uptake that is finished to 2e-9 at the first scan is instantaneous for every scan.
UPTAKE_LIMIT: Final = 20.0
#: Neighbouring rates are kept apart by this share of the (logarithmic) way to the upper bound; closer, they are one.
CLOSEST: Final = 1e-3
#: Upper bounds of successive clearance rates are this factor apart, so that there is always room for the faster one.
ROOM: Final = 1.5


@dataclass(frozen=True)
class ExponentialFamily:
    """n_rates exponentials; with uptake the amplitudes sum to zero, A(0) = 0."""

    n_rates: int
    uptake: bool

    @property
    def n_basis(self) -> int:
        """Linear coefficients."""
        return self.n_rates - int(self.uptake)

    @property
    def n_parameters(self) -> int:
        """Rates and linear coefficients."""
        return self.n_rates + self.n_basis

    def log_bounds(self, first_scan_s: float, lambda_phys_per_s: float) -> NDArray[np.float64]:
        """ln of (λ_phys, upper bound of λ_1, …, of λ_R) [1/s]. Raises KineticsError when no room is left."""
        n_clearance = self.n_basis
        high = np.log(CLEARANCE_LIMIT / first_scan_s) - np.log(ROOM) * np.arange(n_clearance - 1, -1, -1)
        if self.uptake:
            high = np.append(high, np.log(UPTAKE_LIMIT / first_scan_s))
        low = np.log(lambda_phys_per_s)
        if high[0] <= low:
            raise KineticsError(
                f"The first scan ({first_scan_s / S_PER_H:.4g} h) comes so late that no effective decay faster than "
                "the physical one could be seen before it: use trapezoid with the physical tail, or an earlier scan."
            )
        return np.concatenate([[low], high])

    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper corner of the coordinates u that rates_at understands."""
        low = np.full(self.n_rates, CLOSEST)
        low[0] = 0.0
        return low, np.ones(self.n_rates)

    def rates_at(self, u: NDArray[np.float64], log_bounds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rates [1/s], in increasing order, at coordinates u (…, R) of the box.

        ln λ_1 = L + u_1(H_1 − L), ln λ_{j+1} = ln λ_j + u_{j+1}(H_{j+1} − ln λ_j): order and bounds become a box.
        """
        log_rates = np.empty_like(u)
        below = np.full(u.shape[:-1], log_bounds[0])
        for j in range(self.n_rates):
            below = below + u[..., j] * (log_bounds[j + 1] - below)
            log_rates[..., j] = below
        return np.exp(log_rates)

    def basis(self, rate_per_s: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """φ_j(t_i), shape (scan, n_basis)."""
        decay = np.exp(-np.multiply.outer(time_s, rate_per_s))
        columns = decay[:, :-1] * -np.expm1(-np.multiply.outer(time_s, np.diff(rate_per_s)))
        return columns if self.uptake else np.concatenate([columns, decay[:, -1:]], axis=1)

    def amplitudes_from(self) -> NDArray[np.float64]:
        """Matrix M with a = M c, shape (n_rates, n_basis)."""
        matrix = np.eye(self.n_rates, self.n_basis)
        for j in range(1, self.n_rates):
            matrix[j, j - 1] = -1.0
        return matrix

    def start_grid(self) -> NDArray[np.float64]:
        """Coordinates (k, R) that cover the box: where searches begin."""
        per_axis = {(1, 1): 24, (2, 1): 18, (2, 2): 12, (3, 2): 9, (3, 3): 8}[self.n_rates, self.n_basis]
        low, high = self.box()
        axes = [np.linspace(a, b, per_axis) for a, b in zip(np.maximum(low, 0.02 * (low > 0)), high, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, self.n_rates)
