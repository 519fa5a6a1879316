"""Least-squares fit of one curve by a sum of exponentials: variable projection, many starts, uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia.curve_shapes import SumOfExponentials
from RPTDosimetryLib.tia.exponential_family import ExponentialFamily
from RPTDosimetryLib.tia.settings import Weighting
from RPTDosimetryLib.tia.weights import curve_weights

N_STARTS = 5
#: Coordinates this close to a wall of the box are tried on it.
AT_WALL = 1e-3
#: Searches from all starts end early; the best of them goes on to rounding.
ROUGH = {"xtol": 1e-5, "ftol": 1e-7, "gtol": 1e-9, "max_nfev": 60}
#: A search stopped by its number of steps has still converged when the slope of ½Σ w r² in u (activities in units of
#: their highest) is below this.
FLAT = 1e-6
TIGHT = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": 300}


@dataclass(frozen=True)
class ExponentialFit:
    """The best curve of a family. u: its coordinates; coefficients c_j ≥ 0 [Bq]; covariance of (active c, free λ)."""

    family: ExponentialFamily
    shape: SumOfExponentials
    u: NDArray[np.float64]
    coefficient_bq: NDArray[np.float64]
    weighted_rss_bq2: float
    free: NDArray[np.bool_]  # which of (c_1 …, λ_1 …) the data determine: the others are at a bound or carry nothing
    covariance: NDArray[np.float64] | None  # of (c_1 …, λ_1 …), zero where not free
    settled: bool = True  # False where the search was stopped before it converged

    @property
    def at_low(self) -> bool:
        """True when the slowest phase that carries activity decays with λ_phys, the bound."""
        return bool(self.u[0] == 0.0 and self.coefficient_bq[0] > 0)

    @property
    def at_high(self) -> bool:
        """True when the fastest phase is as fast as it may be."""
        carries = self.coefficient_bq[-1] > 0
        return bool(self.u[-1] == 1.0 and carries)

    def tia_se_bq_s(self) -> float | None:
        """Standard error of Ã by propagation of the covariance [Bq·s]."""
        if self.covariance is None:
            return None
        rates, amplitudes = self.shape.rate_per_s, self.shape.amplitude_bq
        gradient = np.concatenate([(1.0 / rates) @ self.family.amplitudes_from(), -amplitudes / rates**2])
        return float(np.sqrt(max(gradient @ self.covariance @ gradient, 0.0)))

    def amplitude_se_bq(self) -> NDArray[np.float64] | None:
        """Standard errors of a_1 … a_R [Bq]."""
        if self.covariance is None:
            return None
        m = self.family.n_basis
        from_c = self.family.amplitudes_from()
        return np.sqrt(np.diag(from_c @ self.covariance[:m, :m] @ from_c.T))

    def rate_se_per_s(self) -> NDArray[np.float64] | None:
        """Standard errors of λ_1 … λ_R [1/s]; zero where a rate is held at its bound."""
        if self.covariance is None:
            return None
        return np.sqrt(np.diag(self.covariance)[self.family.n_basis :])


@dataclass(frozen=True)
class _Problem:
    """Weighted residuals of the best c ≥ 0 as a function of u; activities are in units of their maximum."""

    family: ExponentialFamily
    time_s: NDArray[np.float64]
    relative: NDArray[np.float64]
    root_weight: NDArray[np.float64]
    log_bounds: NDArray[np.float64]

    def solve(self, u: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(coefficients, weighted residuals) at u."""
        basis = self.family.basis(self.family.rates_at(u, self.log_bounds), self.time_s)
        size = np.maximum(np.abs(basis).max(axis=0), 1e-300)
        weighted = basis / size * self.root_weight[:, None]
        scaled, _ = nnls(weighted, self.relative * self.root_weight)
        return scaled / size, weighted @ scaled - self.relative * self.root_weight

    def residuals(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.solve(u)[1]

    def rss(self, u: NDArray[np.float64]) -> float:
        r = self.solve(u)[1]
        return float(r @ r)


def fit_exponentials(curve: TimeActivityCurve, family: ExponentialFamily, weighting: Weighting) -> ExponentialFit:
    """min Σ w_i (A_i − Σ_j c_j φ_j(t_i))² over c ≥ 0 and λ_phys ≤ λ_1 < … within exponential_family's bounds.

    c is projected out exactly (Golub and Pereyra, SIAM J Numer Anal 1973;10:413); the rates are searched from the best
    points of a grid over the whole box. Raises KineticsError.
    """
    highest = float(curve.activity_bq.max())
    weights = curve_weights(curve, weighting)
    problem = _Problem(
        family,
        curve.time_s,
        curve.activity_bq / highest,
        np.sqrt(weights),
        family.log_bounds(float(curve.time_s[0]), curve.lambda_phys_per_s),
    )
    u, settled = _best(problem)
    coefficient, residual = problem.solve(u)
    rates = family.rates_at(u, problem.log_bounds)
    fit = ExponentialFit(
        family,
        SumOfExponentials(family.amplitudes_from() @ coefficient * highest, rates),
        u,
        coefficient * highest,
        float(residual @ residual) * highest**2,
        _free(family, u, coefficient),
        None,
        settled,
    )
    return _with_covariance(fit, curve, weights) if settled else fit


def _best(problem: _Problem) -> tuple[NDArray[np.float64], bool]:
    """The minimum over the box, and whether the search for it converged."""
    grid = problem.family.start_grid()
    cost = np.array([problem.rss(u) for u in grid])
    chosen: list[NDArray[np.float64]] = []
    for index in np.argsort(cost):
        if all(np.abs(grid[index] - other).max() > 0.15 for other in chosen):
            chosen.append(grid[index])
        if len(chosen) == N_STARTS:
            break
    rough = [_search(problem, u, ROUGH)[0] for u in chosen]
    return _polished(problem, min(rough, key=problem.rss))


def _search(
    problem: _Problem, u: NDArray[np.float64], how: dict[str, float], held: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], bool]:
    """(minimum near u, coordinates that are held kept; whether the search converged)."""
    low, high = problem.family.box()
    free = np.ones(u.size, dtype=bool) if held is None else ~held

    def whole(inner: NDArray[np.float64]) -> NDArray[np.float64]:
        full = u.copy()
        full[free] = inner
        return full

    inside = np.clip(u[free], low[free] + 1e-6, high[free] - 1e-6)
    bounds = (low[free], high[free])
    found = least_squares(lambda v: problem.residuals(whole(v)), inside, "3-point", bounds, **how)
    return whole(found.x), bool(found.status > 0 or found.optimality < FLAT)


def _polished(problem: _Problem, u: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """The minimum near u, on a wall of the box where that is as good."""
    low, high = problem.family.box()
    u, settled = _search(problem, u, TIGHT)
    snapped = np.where(u < low + AT_WALL * (high - low), low, np.where(u > high - AT_WALL * (high - low), high, u))
    if np.array_equal(snapped, u):
        return u, settled
    walls, again = snapped != u, True
    if not walls.all():  # the other coordinates settle again once some are on a wall
        snapped, again = _search(problem, snapped, TIGHT, walls)
    if problem.rss(snapped) <= problem.rss(u) * (1 + 1e-9) + 1e-28:
        return snapped, again
    return u, settled


def _free(family: ExponentialFamily, u: NDArray[np.float64], coefficient: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Coefficients above zero, and rates inside their bounds that some active basis function contains."""
    low, high = family.box()
    carried = family.amplitudes_from() @ coefficient != 0
    return np.concatenate([coefficient > 0, (u > low) & (u < high) & carried])


def _with_covariance(fit: ExponentialFit, curve: TimeActivityCurve, weights: NDArray[np.float64]) -> ExponentialFit:
    """Covariance of (c, λ): (JᵀWJ)⁻¹JᵀW Σ WJ(JᵀWJ)⁻¹ with Σ from given standard errors, else s²W⁻¹ with
    s² = Σ w r²/(n − p); None when neither is at hand.
    """
    t, n, p = curve.time_s, curve.time_s.size, int(fit.free.sum())
    by_rate = -np.multiply.outer(t, fit.shape.amplitude_bq) * np.exp(-np.multiply.outer(t, fit.shape.rate_per_s))
    jacobian = np.concatenate([fit.family.basis(fit.shape.rate_per_s, t), by_rate], axis=1)[:, fit.free]
    if curve.standard_error_bq is None and n <= p:
        return fit
    root = np.sqrt(weights)
    size = np.maximum(np.linalg.norm(jacobian * root[:, None], axis=0), 1e-300)
    back = np.linalg.pinv(jacobian * root[:, None] / size) / size[:, None] * root
    if curve.standard_error_bq is not None:
        variance = curve.standard_error_bq**2
    else:
        variance = fit.weighted_rss_bq2 / (n - p) / weights
    covariance = np.zeros((fit.free.size, fit.free.size))
    covariance[np.ix_(fit.free, fit.free)] = (back * variance) @ back.T
    return ExponentialFit(**{**fit.__dict__, "covariance": covariance})
