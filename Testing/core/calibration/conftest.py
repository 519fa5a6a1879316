"""A NEMA body phantom's spheres as a perfect Gaussian camera shows them: the closed form at every voxel centre."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pytest
from scipy.special import erf

from RPTDosimetryLib.calibration.phantom_file import PhantomFilling, PhantomScan, Sphere
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image

REFERENCE = datetime(2024, 5, 2, 8, 0)
ACQUIRED = datetime(2024, 5, 2, 14, 0)
HALF_LIFE_S = 574300.0
FACTOR = 9.4e-6  # cps/Bq
DURATION_S = 1800.0
FILLED_MBQ_PER_ML = 1.5
DIAMETERS_MM = (10.0, 13.0, 17.0, 22.0, 28.0, 37.0)


def ring(radius_mm=57.2):
    """Places of the six spheres of the NEMA/IEC phantom, off the voxel lattice."""
    angles = np.deg2rad(60.0 * np.arange(6) + 7.0)
    return tuple((float(radius_mm * np.cos(a)), float(radius_mm * np.sin(a)), 3.3) for a in angles)


def blurred_sphere(distance_mm, radius_mm, sigma_mm):
    """Uniform sphere of concentration 1 convolved with a 3-D Gaussian, at a distance from its centre."""
    r, s = np.maximum(distance_mm, 1e-6), sigma_mm
    flat = 0.5 * (erf((radius_mm - r) / (np.sqrt(2) * s)) + erf((radius_mm + r) / (np.sqrt(2) * s)))
    low, high = np.exp(-((r - radius_mm) ** 2) / (2 * s**2)), np.exp(-((r + radius_mm) ** 2) / (2 * s**2))
    return flat - s / (np.sqrt(2 * np.pi) * r) * (low - high)


def mean_decay(seconds_after, duration_s):
    decay = np.log(2) / HALF_LIFE_S
    return np.exp(-decay * seconds_after) * (1 - np.exp(-decay * duration_s)) / (decay * duration_s)


@dataclass(frozen=True)
class Phantom:
    """Spheres in the cold, or in a warm cylinder's worth of background; counts over the acquisition."""

    sigma_mm: float = 12.0 / 2.3548
    diameters_mm: tuple[float, ...] = DIAMETERS_MM
    background: float = 0.0  # MBq/mL at the reference time
    grid: Grid = Grid((40, 64, 64), (3.0, 3.0, 3.0), (-94.5, -94.5, -58.5))  # noqa: RUF009

    def image(self, unit="counts", rng=None):
        nk, nj, ni = self.grid.shape_zyx
        x, y, z = (
            o + s * np.arange(n)
            for o, s, n in zip(self.grid.origin_mm, self.grid.spacing_mm, (ni, nj, nk), strict=True)
        )
        shown = np.full(self.grid.shape_zyx, self.background)
        for diameter, (cx, cy, cz) in zip(self.diameters_mm, ring(), strict=False):
            distance = np.sqrt((x[None, None] - cx) ** 2 + (y[None, :, None] - cy) ** 2 + (z[:, None, None] - cz) ** 2)
            hot = FILLED_MBQ_PER_ML - self.background
            shown += hot * blurred_sphere(distance, diameter / 2, self.sigma_mm)
        mean_bq_per_ml = shown * 1e6 * mean_decay(6 * 3600.0, DURATION_S)
        if unit == "Bq/mL":
            return Image(mean_bq_per_ml.astype(np.float32), self.grid, unit)
        counts = np.clip(mean_bq_per_ml, 0, None) * self.grid.voxel_volume_ml * FACTOR * DURATION_S
        return Image((counts if rng is None else rng.poisson(counts)).astype(np.float32), self.grid, unit)

    def scan(self, unit="counts", rng=None):
        return PhantomScan(self.image(unit, rng), ACQUIRED, DURATION_S, True)

    def filling(self, placed=True, **changes):
        spheres = tuple(
            Sphere(diameter_mm=d, concentration_mbq_per_ml=FILLED_MBQ_PER_ML, centre_mm=c if placed else None)
            for d, c in zip(self.diameters_mm, ring(), strict=False)
        )
        told = {"nuclide": "Lu-177", "reference_time": REFERENCE, "half_life_s": HALF_LIFE_S, "spheres": spheres}
        return PhantomFilling(**(told | {"background_mbq_per_ml": self.background} | changes))


@pytest.fixture
def phantom():
    return Phantom


@pytest.fixture
def library(tmp_path, monkeypatch):
    """An empty camera library."""
    monkeypatch.setenv("RPTDOSIMETRY_CONFIG", str(tmp_path / "configuration"))
    return tmp_path / "configuration"
