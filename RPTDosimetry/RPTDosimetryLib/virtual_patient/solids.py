"""Solids described by one scalar level: below 1 inside, growing outwards, so that a shell is a range of levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Solid:
    """level(x, y, z) [1] at LPS coordinates [mm]; the solid is where level < 1, all of it within low..high [mm]."""

    low: Point
    high: Point
    level: Callable[[Field, Field, Field], Field]


def superquadric(
    centre: Point, semi_axes: Point, exponent: float = 2.0, rotation: NDArray[np.float64] | None = None
) -> Solid:
    """|u/a|^n + |v/b|^n + |w/c|^n < 1 with (u, v, w) in the solid's own axes, the columns of rotation.

    level is the n-th root, so level < s is the solid scaled by s. n = 2 is an ellipsoid, larger n is boxier.
    Barr, IEEE Comput Graph Appl 1(1):11 (1981).
    """
    axes = np.eye(3) if rotation is None else np.asarray(rotation, dtype=float)
    reach = np.abs(axes) @ np.asarray(semi_axes) if exponent <= 2 else np.full(3, np.linalg.norm(semi_axes))
    if rotation is None:
        reach = np.asarray(semi_axes, dtype=float)

    def level(x: Field, y: Field, z: Field) -> Field:
        shifted = (x - centre[0], y - centre[1], z - centre[2])
        total: Any = np.float32(0.0)
        for column, semi in zip(axes.T, semi_axes, strict=True):
            along = sum(np.float32(c / semi) * s for c, s in zip(column, shifted, strict=True) if abs(c) > 1e-9)
            total = total + (along * along if exponent == 2 else np.abs(along) ** np.float32(exponent))
        return np.asarray(np.sqrt(total) if exponent == 2 else total ** np.float32(1 / exponent), dtype=np.float32)

    return Solid(_point(np.subtract(centre, reach)), _point(np.add(centre, reach)), level)


def capsule(start: Point, end: Point, start_radius_mm: float, end_radius_mm: float) -> Solid:
    """A rod with round ends whose radius changes linearly; level is distance from the axis over the local radius."""
    axis = np.subtract(end, start)
    length_squared = float(axis @ axis)
    widest = max(start_radius_mm, end_radius_mm)

    def level(x: Field, y: Field, z: Field) -> Field:
        dx, dy, dz = x - start[0], y - start[1], z - start[2]
        along = (dx * axis[0] + dy * axis[1] + dz * axis[2]) / max(length_squared, 1e-9)
        along = np.clip(along, 0.0, 1.0).astype(np.float32)
        distance_squared = (dx - along * axis[0]) ** 2 + (dy - along * axis[1]) ** 2 + (dz - along * axis[2]) ** 2
        radius = start_radius_mm + along * (end_radius_mm - start_radius_mm)
        return (np.sqrt(distance_squared) / radius).astype(np.float32)

    low = np.minimum(start, end) - widest
    return Solid(_point(low), _point(np.maximum(start, end) + widest), level)


def tube(points: Sequence[Point], radii_mm: Sequence[float]) -> tuple[Solid, ...]:
    """A chain of capsules through the points."""
    return tuple(capsule(points[n], points[n + 1], radii_mm[n], radii_mm[n + 1]) for n in range(len(points) - 1))


def smooth_path(points: Sequence[Point], steps: int) -> list[Point]:
    """A Catmull-Rom curve through the points, ``steps`` pieces between neighbours."""
    knots = np.asarray([points[0], *points, points[-1]], dtype=float)
    path = []
    for n in range(1, len(knots) - 2):
        a, b, c, d = knots[n - 1 : n + 3]
        for t in np.arange(steps) / steps:
            path.append(
                _point(
                    0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
                )
            )
    path.append(_point(knots[-1]))
    return path


def turned(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> NDArray[np.float64]:
    """Rotation matrix R = Rz · Ry · Rx about the LPS axes [degrees]."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad([x_deg, y_deg, z_deg])), np.sin(np.deg2rad([x_deg, y_deg, z_deg]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _point(vector: NDArray[np.float64]) -> Point:
    return float(vector[0]), float(vector[1]), float(vector[2])
