"""The compiled search of the gamma index: the smallest γ² over the points around each voxel.

γ² = ((D_e(p) − D_r)/ΔD)² + (|p|/DTA)². The points are visited shell by shell, until the next shell is further than the
best γ found, and within a shell cell by cell. In a cell the trilinear dose lies between the lowest and the highest of
its eight corners, so a cell that cannot beat the best γ is left without looking at its points. What is found is the
minimum over all points.
"""

from __future__ import annotations

import numba
import numpy as np

#: Minima are only gathered in parallel when the compiler may assume that no NaN is among them (the caller sees to it).
_compiled = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz", "nnan", "reassoc"}
)


@_compiled
def search(voxels, reference, evaluated, bounds, allowed, points, limits, out):  # type: ignore[no-untyped-def]
    """Write γ of each voxel (flat index) to ``out``.

    reference, evaluated: (z, y, x) Gy; bounds: (low, high) of each cell; allowed: (ΔD at D_r = 0, its share of D_r);
    points: (cell, distance2, first, fraction, offset_mm) as SearchPoints has them; limits: (reach (3), places of the
    voxel centres along z, y, x [mm], maximum γ).
    """
    nz, ny, nx = reference.shape
    reach, axes_mm, maximum = limits
    for place in range(voxels.size):
        flat = voxels[place]
        k, j, i = flat // (ny * nx), (flat // nx) % ny, flat % nx
        dose = np.float64(reference[k, j, i])
        scale = 1.0 / (allowed[0] + allowed[1] * dose)
        best = min(maximum * maximum, ((evaluated[k, j, i] - dose) * scale) ** 2)
        within = (
            (k >= reach[0] and k < nz - reach[0])
            and (j >= reach[1] and j < ny - reach[1])
            and (i >= reach[2] and i < nx - reach[2])
        )
        if within:
            best = _search_within((k, j, i), dose, scale, evaluated, bounds, points, best)
        else:
            best = _search_at_edge((k, j, i), dose, scale, evaluated, bounds, points, axes_mm, best)
        out[flat] = np.sqrt(best)


@_compiled
def _search_within(voxel, dose, scale, evaluated, bounds, points, best):  # type: ignore[no-untyped-def]
    """Where every point has its eight neighbours: one polynomial a cell, its points side by side."""
    cell, distance2, first, fraction, _ = points
    low, high = bounds
    fz, fy, fx = fraction[0], fraction[1], fraction[2]
    for c in range(distance2.size):
        if distance2[c] >= best:
            break
        k, j, i = voxel[0] + cell[c, 0], voxel[1] + cell[c, 1], voxel[2] + cell[c, 2]
        apart = max(low[k, j, i] - dose, dose - high[k, j, i], 0.0) * scale
        if apart * apart + distance2[c] >= best:
            continue
        c000, c001 = np.float64(evaluated[k, j, i]), np.float64(evaluated[k, j, i + 1])
        c010, c011 = np.float64(evaluated[k, j + 1, i]), np.float64(evaluated[k, j + 1, i + 1])
        c100, c101 = np.float64(evaluated[k + 1, j, i]), np.float64(evaluated[k + 1, j, i + 1])
        c110, c111 = np.float64(evaluated[k + 1, j + 1, i]), np.float64(evaluated[k + 1, j + 1, i + 1])
        a = (c000 - dose) * scale
        ax, ay, az = (c001 - c000) * scale, (c010 - c000) * scale, (c100 - c000) * scale
        axy, axz = (c011 - c010 - c001 + c000) * scale, (c101 - c100 - c001 + c000) * scale
        ayz = (c110 - c100 - c010 + c000) * scale
        axyz = (c111 - c110 - c101 - c011 + c100 + c010 + c001 - c000) * scale
        least = best
        for m in range(first[c], first[c + 1]):
            x, y, z = fx[m], fy[m], fz[m]
            apart = a + ax * x + y * (ay + axy * x) + z * (az + axz * x + y * (ayz + axyz * x))
            least = min(least, apart * apart)
        best = min(best, least + distance2[c])
    return best


@_compiled
def _search_at_edge(voxel, dose, scale, evaluated, bounds, points, axes_mm, best):  # type: ignore[no-untyped-def]
    """Near the image's border: each point is placed by itself, and left out where it is outside the outermost centres.

    Places are reckoned in mm from the first voxel centre, the arithmetic of pymedphys with axes that start at 0: so a
    point on the border itself is in or out as it is there.
    """
    cell, distance2, first, _, offset_mm = points
    low, high = bounds
    z_mm, y_mm, x_mm = axes_mm
    nz, ny, nx = evaluated.shape
    for c in range(distance2.size):
        if distance2[c] >= best:
            break
        k = min(max(voxel[0] + cell[c, 0], 0), nz - 2)
        j = min(max(voxel[1] + cell[c, 1], 0), ny - 2)
        i = min(max(voxel[2] + cell[c, 2], 0), nx - 2)
        apart = max(low[k, j, i] - dose, dose - high[k, j, i], 0.0) * scale
        if apart * apart + distance2[c] >= best:
            continue
        for m in range(first[c], first[c + 1]):
            z = z_mm[voxel[0]] + offset_mm[0, m]
            y = y_mm[voxel[1]] + offset_mm[1, m]
            x = x_mm[voxel[2]] + offset_mm[2, m]
            if z < z_mm[0] or y < y_mm[0] or x < x_mm[0] or z > z_mm[-1] or y > y_mm[-1] or x > x_mm[-1]:
                continue
            apart = (_trilinear(evaluated, z / z_mm[1], y / y_mm[1], x / x_mm[1]) - dose) * scale
            best = min(best, apart * apart + distance2[c])
    return best


@_compiled
def _trilinear(image, z, y, x):  # type: ignore[no-untyped-def]
    """Value between eight voxel centres; the place is in voxels and inside the image."""
    nz, ny, nx = image.shape
    k, j, i = min(int(z), nz - 2), min(int(y), ny - 2), min(int(x), nx - 2)
    fz, fy, fx = z - k, y - j, x - i
    near = (image[k, j, i] * (1 - fx) + image[k, j, i + 1] * fx) * (1 - fy) + (
        image[k, j + 1, i] * (1 - fx) + image[k, j + 1, i + 1] * fx
    ) * fy
    far = (image[k + 1, j, i] * (1 - fx) + image[k + 1, j, i + 1] * fx) * (1 - fy) + (
        image[k + 1, j + 1, i] * (1 - fx) + image[k + 1, j + 1, i + 1] * fx
    ) * fy
    return near * (1 - fz) + far * fz
