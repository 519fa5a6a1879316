"""Local deposition: every electron stays in its voxel, every photon leaves the patient."""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.dose.engine import DoseTask, EngineResult, dose_engine
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.units import J_PER_KEV, KG_PER_G


@dose_engine(
    "local",
    gives="electron energy where it is emitted, no photons: the sharpest map, and the noisiest",
    costs="no time to speak of",
)
def local_deposition(task: DoseTask) -> EngineResult:
    """D = Ã·E_electron/(ρ·V) [Gy] in every tissue voxel; photons (19 % of the energy of Lu-177) are not counted."""
    emitted = nuclide(task.nuclide)
    tissue = task.patient.medium > 0
    density = task.patient.density.voxels
    mass_kg = np.where(tissue, density, np.inf) * np.float32(task.tia.image.grid.voxel_volume_ml * KG_PER_G)
    dose_gy = task.tia.image.voxels * np.float32(emitted.mean_electron_kev * J_PER_KEV) / mass_kg
    method = (
        f"Local deposition of the electron energy of {emitted.name} ({emitted.mean_electron_kev:.2f} keV per decay, "
        f"{emitted.evaluation}) in the mass of each voxel; photons ({emitted.mean_photon_kev:.2f} keV) not counted."
    )
    parameters = {
        "electron_kev_per_decay": emitted.mean_electron_kev,
        "photon_kev_not_counted": emitted.mean_photon_kev,
    }
    return EngineResult(dose_gy.astype(np.float32, copy=False), method, parameters=parameters)
