"""Dose engines on 128×128×80 voxels of 4.8 mm with the full photon reach of 30 cm."""

import os
import tempfile
import time

import numpy as np

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, scheme_of
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, TiaMap
from RPTDosimetryLib.registration.patient_map import patient_map

GRID = Grid((80, 128, 128), (4.8, 4.8, 4.8))
#: One CT number in each of the eight media and how much of the body it fills, and so for the twenty.
HU = {
    "msv8": ((-700, -80, 40, 180, 350, 600, 900, 1300), (0.15, 0.2, 0.5, 0.04, 0.04, 0.03, 0.02, 0.02)),
    "msv20": (
        (-900, -800, -700, -500, -200, -100, -70, -40, 0, 15, 40, 90, 150, 250, 350, 450, 600, 800, 1000, 1300),
        (*(0.03,) * 5, *(0.04,) * 5, 0.46, 0.04, *(0.02,) * 5, 0.02, 0.02, 0.01),
    ),
}


def phantom(engine):
    """An elliptical body that holds all media of the engine in blocks, and activity everywhere in it."""
    rng = np.random.default_rng(1)
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape_zyx), indexing="ij")
    numbers, share = HU[engine]
    blocks = rng.choice(numbers, size=(10, 16, 16), p=share)
    hu = np.where(x**2 + (1.5 * y) ** 2 < 0.9, np.kron(blocks, np.ones((8, 8, 8))), -1000.0).astype(np.float32)
    activity = np.where(hu > -1000, rng.gamma(1.0, 1e9, GRID.shape_zyx), 0.0).astype(np.float32)
    return TiaMap(Image(activity, GRID, "Bq·s"), "made up", 0.0), patient_map(
        Image(hu, GRID, "HU"), GRID, scheme=scheme_of(engine)
    )


def best_of(times, work):
    """Shortest of several runs [s]."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def bench():
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("RPTDOSIMETRY_CACHE")
        os.environ["RPTDOSIMETRY_CACHE"] = folder
        try:
            return _engine_rows()
        finally:
            os.environ.pop("RPTDOSIMETRY_CACHE")
            if before is not None:
                os.environ["RPTDOSIMETRY_CACHE"] = before


def _engine_rows():
    cases = {engine: phantom(engine) for engine in HU}

    def dose(engine="msv8", case=None, **settings):
        return compute_dose(*cases[case or engine], "Lu-177", DoseSettings(engine=engine, **settings))

    rows = [
        (f"{engine} 128×128×80, first time: kernels built too", best_of(1, lambda of=engine: dose(of)), note)
        for engine, note in (("msv8", "8 media, from shipped point kernels"), ("msv20", "20 media"))
    ]
    # By turns, so that what else the machine does falls on both alike.
    seconds = {"msv8": [], "msv20": []}
    for _ in range(3):
        for engine, taken in seconds.items():
            taken.append(best_of(1, lambda of=engine: dose(of)))
    best = {engine: min(taken) for engine, taken in seconds.items()}
    ratio = f"{best['msv20'] / best['msv8']:.1f} times msv8"
    rows.append(("msv8 128×128×80, kernels from the cache", best["msv8"], "bar 1 s; electrons and photons apart"))
    rows.append(("msv20 128×128×80, kernels from the cache", best["msv20"], f"20 media; {ratio}"))
    for name, note, settings in (
        ("msv8 unscaled 128×128×80", "one convolution a medium", {"msv_unscaled": True}),
        ("ssv 128×128×80", "one convolution", {"engine": "ssv", "case": "msv8"}),
        ("local 128×128×80", "", {"engine": "local", "case": "msv8"}),
    ):
        dose(**settings)
        rows.append((name, best_of(3, lambda chosen=settings: dose(**chosen)), note))
    return rows
