"""Compiled least squares with at most three coefficients that must not be negative."""

from __future__ import annotations

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: PLR0912
import numba

#: A determinant below this share of the diagonal's product is rounding, not a number to divide by.
ALIKE = 1e-14

_jit = numba.njit(cache=True, error_model="numpy")


@_jit
def nonnegative_2(g00, g01, g11, b0, b1):
    """Minimum of ½cᵀGc − bᵀc over c ≥ 0, two unknowns: the free one, or the better end of the quadrant."""
    det = g00 * g11 - g01 * g01
    if det > ALIKE * g00 * g11:
        c0 = g11 * b0 - g01 * b1
        c1 = g00 * b1 - g01 * b0
        if c0 >= 0.0 and c1 >= 0.0:
            return c0 / det, c1 / det
    gain0 = b0 * b0 / g00 if b0 > 0.0 and g00 > 0.0 else 0.0
    gain1 = b1 * b1 / g11 if b1 > 0.0 and g11 > 0.0 else 0.0
    if gain0 >= gain1:
        return (b0 / g00 if gain0 > 0.0 else 0.0), 0.0
    return 0.0, b1 / g11


@_jit
def nonnegative(size, gram, rhs, c):
    """c ≥ 0 that minimises ½cᵀGc − bᵀc for m ≤ 3: the free solution, or the best one on a face."""
    m = len(size[1])
    if m == 1:
        c[0] = rhs[0] / gram[0, 0] if rhs[0] > 0.0 else 0.0
        return
    if m == 2:
        c[0], c[1] = nonnegative_2(gram[0, 0], gram[0, 1], gram[1, 1], rhs[0], rhs[1])
        return
    p0 = gram[1, 1] * gram[2, 2] - gram[1, 2] * gram[1, 2]
    p1 = gram[0, 1] * gram[2, 2] - gram[1, 2] * gram[0, 2]
    p2 = gram[0, 1] * gram[1, 2] - gram[1, 1] * gram[0, 2]
    det = gram[0, 0] * p0 - gram[0, 1] * p1 + gram[0, 2] * p2
    if det > ALIKE * gram[0, 0] * gram[1, 1] * gram[2, 2]:
        q1 = gram[0, 0] * gram[2, 2] - gram[0, 2] * gram[0, 2]
        q2 = gram[0, 0] * gram[1, 2] - gram[0, 1] * gram[0, 2]
        r2 = gram[0, 0] * gram[1, 1] - gram[0, 1] * gram[0, 1]
        c[0] = (p0 * rhs[0] - p1 * rhs[1] + p2 * rhs[2]) / det
        c[1] = (-p1 * rhs[0] + q1 * rhs[1] - q2 * rhs[2]) / det
        c[2] = (p2 * rhs[0] - q2 * rhs[1] + r2 * rhs[2]) / det
        if c[0] >= 0.0 and c[1] >= 0.0 and c[2] >= 0.0:
            return
    _best_face_of_3(gram, rhs, c)


@_jit
def _best_face_of_3(gram, rhs, c):
    best = -1.0
    for left_out in range(3):
        i = 1 if left_out == 0 else 0
        j = 1 if left_out == 2 else 2
        ci, cj = nonnegative_2(gram[i, i], gram[i, j], gram[j, j], rhs[i], rhs[j])
        gain = ci * rhs[i] + cj * rhs[j]
        if gain > best:
            best = gain
            c[left_out] = 0.0
            c[i] = ci
            c[j] = cj


@_jit
def _solve(p, normal, held, step, matrix):
    """Gaussian elimination of normal·step = step for the coordinates that are not held; held ones keep their value.

    False when the matrix is not positive definite.
    """
    for i in range(p):
        for j in range(p):
            matrix[i, j] = normal[i, j]
    for i in range(p):
        if held[i] and step[i] != 0.0:
            for j in range(p):
                if not held[j]:
                    step[j] -= matrix[j, i] * step[i]
    for i in range(p):
        if held[i]:
            continue
        if not matrix[i, i] > 1e-15 * normal[i, i]:
            return False
        for j in range(i + 1, p):
            if not held[j]:
                factor = matrix[j, i] / matrix[i, i]
                for k in range(i, p):
                    matrix[j, k] -= factor * matrix[i, k]
                step[j] -= factor * step[i]
    for i in range(p - 1, -1, -1):
        if not held[i]:
            for j in range(i + 1, p):
                if not held[j]:
                    step[i] -= matrix[i, j] * step[j]
            step[i] /= matrix[i, i]
    return True


@_jit
def step_in_cone(size, n, jac, residual, curv, free, c, damping, normal, step, held, fixed, matrix):
    """Newton step in (c, u) with Marquardt damping of u: u that are not free stay, no c_j goes below zero.

    jac (m + n_rates, n), residual (n,), curv as jac·jacᵀ: the second-order part, left out (Gauss-Newton) where the
    Hessian with it is not positive definite. Freezing a coefficient where it reaches zero is what keeps the step sound
    at the faces of the cone; a plain variable-projection step crawls along them.
    """
    if not _step_with(1.0, size, n, jac, residual, curv, free, c, damping, normal, step, held, fixed, matrix):
        _step_with(0.0, size, n, jac, residual, curv, free, c, damping, normal, step, held, fixed, matrix)


@_jit
def _step_with(share, size, n, jac, residual, curv, free, c, damping, normal, step, held, fixed, matrix):
    n_rates, m = len(size[0]), len(size[1])
    p = m + n_rates
    for i in range(p):
        fixed[i] = i >= m and not free[i - m]
        for j in range(i, p):
            s = share * curv[i, j]
            for k in range(n):
                s += jac[i, k] * jac[j, k]
            if i == j:
                own = s - share * curv[i, i]
                s += own * (damping if i >= m else 1e-13)
                fixed[i] = fixed[i] or not own > 0.0  # the data do not see it
            normal[i, j] = s
            normal[j, i] = s
    for _ in range(m + 1):
        for i in range(p):
            held[i] = fixed[i]
            step[i] = 0.0
            if fixed[i]:
                step[i] = -c[i] if i < m else 0.0
            else:
                for k in range(n):
                    step[i] += jac[i, k] * residual[k]
        if not _solve(p, normal, held, step, matrix):
            return False
        worst, lowest = -1, 0.0
        for i in range(m):
            if not fixed[i] and c[i] + step[i] < lowest:
                worst, lowest = i, c[i] + step[i]
        if worst < 0:
            return True
        fixed[worst] = True
    return True
