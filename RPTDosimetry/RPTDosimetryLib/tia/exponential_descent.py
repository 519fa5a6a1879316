"""Compiled kernels behind exponential_columns: table search and damped Newton steps for one small curve after another.

size: a pair of tuples whose lengths, R rates and m basis functions, are thereby known when compiling. n scans;
phi (m, n), decay (R, n), each twice, for where the search is and where it tries; jac (m + R, n) with rows c_1 …, u_1 …;
table arrays end with the axis of the table. Activities are in units of the curve's highest, times in units of the last
scan. Arrays go from function to function one by one: gathered in a NamedTuple the same code takes half as long again.
"""

from __future__ import annotations

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: PLR0912
import numba
import numpy as np

from RPTDosimetryLib.tia.small_least_squares import nonnegative, step_in_cone

#: What befell a curve, as bits: λ_1 at λ_phys; a clearance phase at its upper bound; not settled within MAX_STEPS.
AT_LOW, AT_HIGH_CLEARANCE, NOT_SETTLED = 1, 2, 4
MAX_STEPS = 30
WALL = 1e-9
#: Steps in u below this end the search; the last one is taken, so what is left is of its square.
SMALL_STEP = 1e-4
LONG_STEP = 0.3
#: Only steps damped less than this tell that the search has arrived; others may just be short.
NEARLY_NEWTON = 0.05
#: A step that lowers Σ w r² by less than this share moves the parameters by less than about √NO_GAIN of their σ.
NO_GAIN = 3e-5
#: Residuals of 1e-9 of the highest activity are none.
NO_RSS = 1e-18
#: Two basis functions whose Gram determinant is below this share of its diagonal are one, to rounding.
ALIKE = 1e-12

_jit = numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy")


@_jit
def _basis(at, size, n, u, log_bounds, tau, log_rates, rates, decay, phi):
    n_rates, m = len(size[0]), len(size[1])
    below = log_bounds[0]
    for j in range(n_rates):
        below = below + u[j] * (log_bounds[j + 1] - below)
        log_rates[at, j] = below
        rates[at, j] = np.exp(below)
        for k in range(n):
            decay[at, j, k] = np.exp(-rates[at, j] * tau[k])
    for j in range(m):
        for k in range(n):
            phi[at, j, k] = decay[at, j, k] - (decay[at, j + 1, k] if j + 1 < n_rates else 0.0)


@_jit
def _project(at, size, n, phi, y, w, gram, rhs, c):
    """Best c ≥ 0 for data y with weights w; returns Σ w(y − Σ c φ)²."""
    m = len(size[1])
    for i in range(m):
        b = 0.0
        for k in range(n):
            b += phi[at, i, k] * w[k] * y[k]
        rhs[i] = b
        for j in range(i, m):
            g = 0.0
            for k in range(n):
                g += phi[at, i, k] * phi[at, j, k] * w[k]
            gram[i, j] = g
            gram[j, i] = g
    nonnegative(size, gram, rhs, c)
    rss = 0.0
    for k in range(n):
        r = y[k]
        for i in range(m):
            r -= c[i] * phi[at, i, k]
        rss += r * r * w[k]
    return rss


@_jit
def _start(size, n, y, w, own_weights, table_phi, table_gram, moments, grams, score, gram, rhs, c):
    """Index of the point of the table that explains most of Σ w y²; loops over the table are for the vector unit."""
    m = len(size[1])
    n_table = score.size
    for i in range(m):
        for q in range(n_table):
            moments[i, q] = table_phi[i, 0, q] * (w[0] * y[0])
        for k in range(1, n):
            weighted = w[k] * y[k]
            for q in range(n_table):
                moments[i, q] += table_phi[i, k, q] * weighted
    if own_weights:
        _own_grams(size, n, w, table_phi, grams)
        _explained(size, moments, grams, score, gram, rhs, c)
    else:
        _explained(size, moments, table_gram, score, gram, rhs, c)
    best = 0.0
    for q in range(score.size):
        best = max(best, score[q])
    start = 0
    while score[start] < best:
        start += 1
    return start


@_jit
def _own_grams(size, n, w, table_phi, grams):
    m = len(size[1])
    for i in range(m):
        for j in range(i, m):
            for q in range(table_phi.shape[2]):
                grams[i, j, q] = table_phi[i, 0, q] * table_phi[j, 0, q] * w[0]
            for k in range(1, n):
                for q in range(table_phi.shape[2]):
                    grams[i, j, q] += table_phi[i, k, q] * table_phi[j, k, q] * w[k]


@_jit
def _explained(size, b, g, score, gram, rhs, c):
    """score: what the best c ≥ 0 explains of Σ w y² (moments b are never negative: neither activities nor φ are).

    Where basis functions are alike to rounding the free solution is meaningless and can seem to explain more than there
    is: such points of the table are judged by one function alone (m = 2), or by 2bᵀc − cᵀGc, which holds for any c.
    """
    m = len(size[1])
    if m == 1:
        for q in range(score.size):
            score[q] = b[0, q] * b[0, q] / g[0, 0, q]
    elif m == 2:
        for q in range(score.size):
            c0 = g[1, 1, q] * b[0, q] - g[0, 1, q] * b[1, q]
            c1 = g[0, 0, q] * b[1, q] - g[0, 1, q] * b[0, q]
            det = g[0, 0, q] * g[1, 1, q] - g[0, 1, q] * g[0, 1, q]
            apart = det > ALIKE * g[0, 0, q] * g[1, 1, q]
            inside = (c0 * b[0, q] + c1 * b[1, q]) / det
            # Where the slow phase is empty its rate does not matter, and a search that starts there stays: last resort.
            edge = b[0, q] * b[0, q] / g[0, 0, q] if c0 >= 0.0 else 1e-6 * b[1, q] * b[1, q] / g[1, 1, q]
            score[q] = inside if min(c0, c1) >= 0.0 and apart else edge
    else:
        for q in range(score.size):
            for i in range(m):
                rhs[i] = b[i, q]
                for j in range(i, m):
                    gram[i, j] = g[i, j, q]
                    gram[j, i] = g[i, j, q]
            nonnegative(size, gram, rhs, c)
            score[q] = 0.0
            for i in range(m):
                left = 2.0 * rhs[i]
                for j in range(m):
                    left -= gram[i, j] * c[j]
                score[q] += c[i] * left


@_jit
def _linearise(at, size, n, u, low, log_bounds, tau, y, w, log_rates, rates, decay, phi, c, jac, residual, free, chain):
    """Weighted residual and ∂(model)/∂(c, u); which u may move: not those at a wall with the slope against it."""
    n_rates, m = len(size[0]), len(size[1])
    for k in range(n):
        root = np.sqrt(w[k])
        r = y[k]
        for j in range(m):
            r -= c[j] * phi[at, j, k]
            jac[j, k] = phi[at, j, k] * root
        residual[k] = r * root
        for j in range(n_rates):
            amplitude = (c[j] if j < m else 0.0) - (c[j - 1] if j > 0 else 0.0)
            jac[m + j, k] = -amplitude * rates[at, j] * tau[k] * decay[at, j, k] * root
    for j in range(n_rates):
        # ln λ_j moves with u_j by (H_j − ln λ_{j−1}), and with u_i, i < j, by (1 − u_j) of what ln λ_{j−1} does
        chain[j, j] = log_bounds[j + 1] - (log_rates[at, j - 1] if j > 0 else log_bounds[0])
        for i in range(j):
            chain[j, i] = (1.0 - u[j]) * chain[j - 1, i]
    for i in range(n_rates):  # row i needs rows j ≥ i only, so it can be overwritten
        slope = 0.0
        for k in range(n):
            s = 0.0
            for j in range(i, n_rates):
                s += chain[j, i] * jac[m + j, k]
            jac[m + i, k] = s
            slope += s * residual[k]
        free[i] = not ((u[i] <= low[i] + WALL and slope <= 0.0) or (u[i] >= 1.0 - WALL and slope >= 0.0))


@_jit
def _curvature(at, size, n, u, tau, w, rates, decay, c, residual, chain, second, curv):
    """−Σ w r ∂²(model)/∂(c, u)², what Gauss-Newton leaves out; (m + R) square.

    In θ = ln λ: ∂f/∂θ_j = −a_j x_j e_j, ∂²f/∂θ_j² = a_j(x_j² − x_j)e_j with x_j = λ_j t; then the chain rule to u.
    """
    n_rates, m = len(size[0]), len(size[1])
    for i in range(m + n_rates):
        for k in range(m + n_rates):
            curv[i, k] = 0.0
    for i in range(n_rates):
        for k in range(n_rates):
            second[i, k] = 0.0  # ∂²θ_j/∂u_i∂u_k of the current j
    for j in range(n_rates):
        amplitude = (c[j] if j < m else 0.0) - (c[j - 1] if j > 0 else 0.0)
        slope, bend = 0.0, 0.0
        for k in range(n):
            x = rates[at, j] * tau[k]
            r = residual[k] * np.sqrt(w[k]) * decay[at, j, k]
            slope += r * x
            bend += r * (x * x - x)
        for i in range(j):
            for k in range(j):
                second[i, k] *= 1.0 - u[j]
        for i in range(j):
            second[i, j] = -chain[j - 1, i]
            second[j, i] = second[i, j]
        for i in range(j + 1):
            for k in range(j + 1):
                turn = slope * second[i, k] - bend * chain[j, i] * chain[j, k]
                curv[m + i, m + k] += amplitude * turn
            if j < m:
                curv[j, m + i] += slope * chain[j, i]
                curv[m + i, j] += slope * chain[j, i]
            if j > 0:
                curv[j - 1, m + i] -= slope * chain[j, i]
                curv[m + i, j - 1] -= slope * chain[j, i]


@_jit
def _descend(
    size,
    n,
    low,
    log_bounds,
    tau,
    y,
    w,
    u,
    c,
    log_rates,
    rates,
    decay,
    phi,
    gram,
    rhs,
    jac,
    residual,
    free,
    chain,
    second,
    curv,
    normal,
    matrix,
    step,
    held,
    fixed,
    trial_u,
    trial_c,
):
    """From u to the minimum in the box; log_rates … c are left at the minimum. False when not settled."""
    n_rates, m = len(size[0]), len(size[1])
    _basis(0, size, n, u, log_bounds, tau, log_rates, rates, decay, phi)
    rss = _project(0, size, n, phi, y, w, gram, rhs, c)
    damping, fresh, now = 1e-3, True, 0
    for _ in range(MAX_STEPS):
        if rss < NO_RSS:
            return True, now
        if fresh:
            _linearise(
                now, size, n, u, low, log_bounds, tau, y, w, log_rates, rates, decay, phi, c, jac, residual, free, chain
            )
            _curvature(now, size, n, u, tau, w, rates, decay, c, residual, chain, second, curv)
        step_in_cone(size, n, jac, residual, curv, free, c, damping, normal, step, held, fixed, matrix)
        largest, shrink = 0.0, 1.0
        for j in range(n_rates):
            shrink = min(shrink, LONG_STEP / max(abs(step[m + j]), LONG_STEP))
        for j in range(n_rates):
            trial_u[j] = min(max(u[j] + shrink * step[m + j], low[j]), 1.0)
            largest = max(largest, abs(trial_u[j] - u[j]))
        if largest < 1e-12:
            return True, now
        _basis(1 - now, size, n, trial_u, log_bounds, tau, log_rates, rates, decay, phi)
        trial = _project(1 - now, size, n, phi, y, w, gram, rhs, trial_c)
        # An empty slow phase is a plateau that nothing leads away from; a phase at its rate can be had without it.
        fresh = trial < rss and (trial_c[0] > 0.0 or c[0] <= 0.0)
        settled = fresh and rss - trial < NO_GAIN * rss
        if fresh:
            now = 1 - now
            rss = trial
            for j in range(n_rates):
                u[j] = trial_u[j]
            for j in range(m):
                c[j] = trial_c[j]
        if (settled or largest < SMALL_STEP) and damping < NEARLY_NEWTON:
            return True, now
        damping = max(damping * 0.1, 1e-12) if fresh else damping * 10.0
    return False, now


@_jit
def _flags(size, u, c, settled):
    n_rates, m = len(size[0]), len(size[1])
    flag = 0 if settled else NOT_SETTLED
    if u[0] <= WALL and c[0] > 0.0:
        flag |= AT_LOW
    if m == n_rates and u[m - 1] >= 1.0 - WALL and c[m - 1] > (c[m - 2] if m > 1 else 0.0):
        flag |= AT_HIGH_CLEARANCE
    return flag


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fit_range(
    size, first, last, activity, weights, tau, log_bounds, low, table_u, table_phi, table_gram, tia, tail, flags
):
    """Fill tia, tail, flags of the curves first … last − 1 of activity (n, curve); weights (n, curve) or (n, 1)."""
    n = activity.shape[0]
    n_rates, m = len(size[0]), len(size[1])
    own_weights = weights.shape[1] > 1
    y, w, residual = np.empty(n), np.empty(n), np.empty(n)
    c, rhs, trial_c, step = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(6)
    u, trial_u = np.zeros(n_rates), np.zeros(n_rates)
    log_rates, rates = np.zeros((2, n_rates)), np.zeros((2, n_rates))
    decay, phi = np.zeros((2, 3, n)), np.zeros((2, 3, n))
    gram, jac, chain = np.zeros((3, 3)), np.zeros((6, n)), np.zeros((3, 3))
    normal, matrix, curv = np.zeros((6, 6)), np.zeros((6, 6)), np.zeros((6, 6))
    free, held, fixed = np.ones(n_rates, np.bool_), np.zeros(6, np.bool_), np.zeros(6, np.bool_)
    moments, grams = np.zeros((m, table_phi.shape[2])), np.zeros((m, m, table_phi.shape[2]))
    score, second = np.zeros(table_phi.shape[2]), np.zeros((3, 3))
    for v in range(first, last):
        highest = 0.0
        for k in range(n):
            highest = max(highest, activity[k, v])
        if not highest > 0.0:
            continue
        for k in range(n):
            y[k] = activity[k, v] / highest
            w[k] = weights[k, v if own_weights else 0]
        start = _start(size, n, y, w, own_weights, table_phi, table_gram, moments, grams, score, gram, rhs, c)
        for j in range(n_rates):
            u[j] = table_u[start, j]
        settled, now = _descend(
            size,
            n,
            low,
            log_bounds,
            tau,
            y,
            w,
            u,
            c,
            log_rates,
            rates,
            decay,
            phi,
            gram,
            rhs,
            jac,
            residual,
            free,
            chain,
            second,
            curv,
            normal,
            matrix,
            step,
            held,
            fixed,
            trial_u,
            trial_c,
        )
        for j in range(n_rates):
            amplitude = (c[j] if j < m else 0.0) - (c[j - 1] if j > 0 else 0.0)
            tia[v] += amplitude * highest / rates[now, j]
            tail[v] += amplitude * highest * decay[now, j, n - 1] / rates[now, j]
        flags[v] = _flags(size, u, c, settled)
