"""Dose engines on 128×128×80 voxels of 4.8 mm with the full photon reach of 30 cm."""

import os
import tempfile
import time

import numpy as np

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, TiaMap
from RPTDosimetryLib.registration.patient_map import patient_map

GRID = Grid((80, 128, 128), (4.8, 4.8, 4.8))
#: One CT number in each of the eight media.
HU = (-700.0, -80.0, 40.0, 180.0, 350.0, 600.0, 900.0, 1300.0)


def phantom():
    """An elliptical body that holds all eight media in blocks, and activity everywhere in it."""
    rng = np.random.default_rng(1)
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape_zyx), indexing="ij")
    blocks = rng.choice(HU, size=(10, 16, 16), p=(0.15, 0.2, 0.5, 0.04, 0.04, 0.03, 0.02, 0.02))
    hu = np.where(x**2 + (1.5 * y) ** 2 < 0.9, np.kron(blocks, np.ones((8, 8, 8))), -1000.0).astype(np.float32)
    activity = np.where(hu > -1000, rng.gamma(1.0, 1e9, GRID.shape_zyx), 0.0).astype(np.float32)
    return TiaMap(Image(activity, GRID, "Bq·s"), "made up", 0.0), patient_map(Image(hu, GRID, "HU"), GRID)


def best_of(times, work):
    """Shortest of several runs [s]."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def bench():
    tia, patient = phantom()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("RPTDOSIMETRY_CACHE")
        os.environ["RPTDOSIMETRY_CACHE"] = folder
        try:
            rows += _engine_rows(tia, patient)
        finally:
            os.environ.pop("RPTDOSIMETRY_CACHE")
            if before is not None:
                os.environ["RPTDOSIMETRY_CACHE"] = before
    return rows


def _engine_rows(tia, patient):
    def dose(**settings):
        return compute_dose(tia, patient, "Lu-177", DoseSettings(**settings))

    building = best_of(1, lambda: dose(engine="msv8"))
    rows = [("msv8 128×128×80, first time: kernels built too", building, "8 media, from shipped point kernels")]
    for name, note, settings in (
        ("msv8 128×128×80, kernels from the cache", "bar 1 s; electrons and photons apart", {"engine": "msv8"}),
        ("msv8 unscaled 128×128×80", "one convolution a medium", {"engine": "msv8", "msv_unscaled": True}),
        ("ssv 128×128×80", "one convolution", {"engine": "ssv"}),
        ("local 128×128×80", "", {"engine": "local"}),
    ):
        dose(**settings)
        rows.append((name, best_of(3, lambda chosen=settings: dose(**chosen)), note))
    return rows
