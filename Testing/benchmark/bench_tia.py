"""Time-integrated activity of every voxel: 4 scans on 128×128×80, activity with 10 % noise in all of them."""

import time

import numpy as np

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import ActivitySeries, Image, Voi
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.settings import TiaSettings

GRID = Grid((80, 128, 128), (4.8, 4.8, 4.8))
TIME_H = np.array([4.0, 24.0, 69.0, 120.0])
MODELS = (
    *("trapezoid", "kim", "mansouri", "two_point", "haenscheid"),
    *("monoexponential", "monoexponential_uptake", "biexponential"),
)


def series():
    """Every voxel active, each with its own uptake and clearance: the worst case, air included."""
    rng = np.random.default_rng(1)
    lam = rng.uniform(0.00434, 0.022, GRID.shape_zyx).astype(np.float32)
    mu = rng.uniform(0.1, 1.0, GRID.shape_zyx).astype(np.float32)
    a = rng.uniform(1e3, 1e5, GRID.shape_zyx).astype(np.float32)
    images = []
    for t in TIME_H.astype(np.float32):
        noise = 1 + 0.1 * rng.standard_normal(GRID.shape_zyx, dtype=np.float32)
        images.append(Image(np.maximum(a * (np.exp(-lam * t) - np.exp(-mu * t)) * noise, 0), GRID, "Bq/mL"))
    return ActivitySeries(tuple(images), TIME_H * 3600, "Lu-177", np.log(2) / (6.647 * 86400))


def bench():
    images = series()
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[20:60, 40:90, 40:90] = True
    vois = [Voi("organ", mask, GRID)]
    small = ActivitySeries(
        tuple(Image(i.voxels[:1, :8, :8].copy(), Grid((1, 8, 8), (4.8, 4.8, 4.8)), i.unit) for i in images.activities),
        *(images.time_s, images.nuclide, images.lambda_phys_per_s),
    )
    rows = []
    for name in MODELS:
        integrate(small, [], TiaSettings(model=name))  # compiled once, not timed
        start = time.perf_counter()
        integrate(images, vois, TiaSettings(model=name))
        rows.append((f"tia {name} 128×128×80, 4 scans", time.perf_counter() - start, "bar 3 s; all voxels active"))
    return rows
