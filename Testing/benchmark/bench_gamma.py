"""Gamma index against pymedphys on one pair of doses, both timed in this run: 128×128×80, 1 %, 4.795 mm.

The pair: dose of the virtual patient (seed 1) by msv8 as reference; evaluated is the same, 2 % higher, with 3 % noise
in each voxel (seed 2). So the kidneys and tumours hold voxels that pass at once, on the way and not at all.
"""

import time

import numpy as np

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.evaluation.gamma import GammaSettings, gamma_index
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image, TiaMap
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.virtual_patient.torso_patient import torso_patient

SHAPE, SPACING_MM = (80, 128, 128), 4.795
CRITERIA = {
    "global, cut-off 10 %": GammaSettings(),
    "local, cut-off 10 %": GammaSettings(local=True),
    "global, all voxels": GammaSettings(cutoff_percent=0.0),
}


def pair():
    patient = torso_patient(1)
    corner = np.subtract(patient.grid.centre_mm, [SPACING_MM * (n - 1) / 2 for n in SHAPE[::-1]])
    grid = Grid(SHAPE, (SPACING_MM,) * 3, tuple(corner))
    tia = TiaMap(patient.tia_on(grid), "virtual patient", 0.0)
    reference = compute_dose(tia, patient_map(patient.ct, grid), "Lu-177", DoseSettings(engine="msv8")).image
    noise = np.random.default_rng(2).standard_normal(SHAPE)
    return reference, Image((reference.voxels * (1.02 + 0.03 * noise)).astype(np.float32), grid, "Gy")


def bench():
    reference, evaluated = pair()
    gamma_index(reference, evaluated)  # compiled once, not timed
    rows = []
    for name, criteria in CRITERIA.items():
        seconds, result = timed(lambda c=criteria: gamma_index(reference, evaluated, c), times=5)
        note = f"{result.judged} voxels judged, {100 * result.pass_rate:.1f} % pass"
        rows.append((f"gamma {name}, 128×128×80", seconds, note))
        if criteria.cutoff_percent > 0:
            rows.append(pymedphys_row(reference, evaluated, criteria, (name, seconds, result)))
    return rows


def pymedphys_row(reference, evaluated, criteria, ours):
    """pymedphys on the same pair: once, after a run on a corner that compiles its interpolation."""
    try:
        import pymedphys
    except ImportError:
        return (f"pymedphys {ours[0]}", float("nan"), "not installed: no comparison")

    def run(part):
        axes = tuple(np.arange(n) * SPACING_MM for n in reference.voxels[part].shape)
        return pymedphys.gamma(
            *(axes, reference.voxels[part], axes, evaluated.voxels[part], criteria.dose_percent, criteria.dta_mm),
            lower_percent_dose_cutoff=criteria.cutoff_percent,
            max_gamma=criteria.maximum_gamma,
            local_gamma=criteria.local,
        )

    name, seconds, result = ours
    k, j, i = np.unravel_index(np.argmax(reference.voxels), SHAPE)
    run((slice(k - 2, k + 2), slice(j - 2, j + 2), slice(i - 2, i + 2)))
    theirs_s, theirs = timed(lambda: run(...), times=1)
    apart = float(np.nanmax(np.abs(theirs - result.gamma_index.voxels)))
    same = (
        "same voxels judged"
        if np.array_equal(np.isnan(theirs), np.isnan(result.gamma_index.voxels))
        else "OTHER VOXELS"
    )
    return (f"pymedphys {name}", theirs_s, f"{theirs_s / seconds:.0f}× ours (bar 10×); γ within {apart:.0e}; {same}")


def timed(work, times):
    """Shortest time of several runs [s], and the result."""
    best, result = float("inf"), None
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result
