"""Contours of shapes whose volume is known."""

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Contours


def circle(radius_mm, z_mm, centre=(0.0, 0.0), points=120):
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    # An inscribed polygon is smaller than its circle: scale it to the circle's area.
    radius_mm = radius_mm * np.sqrt(2 * np.pi / (points * np.sin(2 * np.pi / points)))
    x, y = centre[0] + radius_mm * np.cos(angle), centre[1] + radius_mm * np.sin(angle)
    return np.column_stack([x, y, np.full(points, z_mm)])


@pytest.fixture
def cylinder():
    """radius 20 mm, slices from -30 to 30 mm: with half a slice at each end 63 mm long for 3 mm slices."""

    def make(radius_mm=20.0, spacing_mm=3.0, centre=(1.3, -2.1), skip=()):
        heights = np.arange(-30.0, 30.0 + 1e-6, spacing_mm)
        polygons = tuple(circle(radius_mm, z, centre) for n, z in enumerate(heights) if n not in skip)
        return Contours("cylinder", polygons)

    return make


@pytest.fixture
def sphere():
    def make(radius_mm=25.0, spacing_mm=2.0, centre=(0.7, 1.9, -0.4)):
        heights = np.arange(-radius_mm + spacing_mm / 2, radius_mm, spacing_mm)
        polygons = [circle(np.sqrt(radius_mm**2 - h**2), centre[2] + h, centre[:2]) for h in heights]
        return Contours("sphere", tuple(polygons))

    return make


@pytest.fixture
def dose_grid():
    return Grid((40, 48, 48), (4.795, 4.795, 4.795), (-112.0, -113.0, -95.0))
