"""All doses of one virtual patient: SSV, MSV with 8 and 20 media, and Monte Carlo with its errors."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Final, TypeVar

import numpy as np

from RPTDosimetryLib import __version__
from RPTDosimetryLib.dose.engine import DoseSettings, DoseTask, EngineResult
from RPTDosimetryLib.dose.monte_carlo import monte_carlo
from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
from RPTDosimetryLib.dose.voxel_s import dose_and_photon_part, single_voxel_s
from RPTDosimetryLib.errors import ConfigurationError, DoseError
from RPTDosimetryLib.learning.cohort import GENERATOR_VERSION, CohortPatient
from RPTDosimetryLib.learning.patient_set import PatientArrays
from RPTDosimetryLib.physics.hounsfield import SCHNEIDER_2000
from RPTDosimetryLib.physics.media import SCHEMES
from RPTDosimetryLib.records import Cancelled, Image, PatientMap, Progress, TiaMap, Voi, never, silent
from RPTDosimetryLib.transport.point_kernel import PHYSICS_VERSION

Device = str
Answer = TypeVar("Answer")
PACKAGES: Final = ("numpy", "scipy", "numba")


@dataclass(frozen=True)
class BuildSettings:
    """What decides the doses of a data set; ``digest`` names it. The device and the number of processes do not.

    flattening: share of the electron histories spread evenly over all active voxels, for the errors of cold ones.
    photon_share: photon histories relative to what the decays emit.
    """

    decays: float = 2e8
    nuclide: str = "Lu-177"
    flattening: float = 0.5
    photon_share: float = 1.0

    def __post_init__(self) -> None:
        self.monte_carlo(1, "cpu")
        if not 1e5 <= self.decays <= 1e12:
            raise ConfigurationError(f"{self.decays:g} decays a patient: give 1e5 to 1e12, such as 2e8.")

    def monte_carlo(self, seed: int, device: Device) -> MonteCarloSettings:
        """The run of one patient. Raises DoseError, TransportError for what the engine cannot take."""
        return MonteCarloSettings(
            histories=self.decays,
            flattening=self.flattening,
            photon_share=self.photon_share,
            seed=seed,
            device=device,  # type: ignore[arg-type]
        )

    @property
    def digest(self) -> str:
        """SHA-256 over the settings, the generator and the physics of the transport."""
        text = json.dumps([asdict(self), GENERATOR_VERSION, PHYSICS_VERSION], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def build_patient(
    patient: CohortPatient,
    settings: BuildSettings,
    device: Device = "cpu",
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> PatientArrays:
    """Doses of all engines on the patient's grid, 0 Gy in air, with the error of every volume's mean.

    Raises DoseError, TransportError (no such device), CancelledError.
    """
    if not np.isfinite(patient.tia_bq_s).all() or not (patient.tia_bq_s > 0).any() or (patient.tia_bq_s < 0).any():
        raise DoseError("its activity is zero everywhere, negative or undefined: there is no dose to compute.")
    seconds: dict[str, float] = {}
    maps = {name: _patient_map(patient, name) for name in ("msv8", "msv20")}
    tia = TiaMap(Image(patient.tia_bq_s, patient.grid, "Bq·s"), "virtual patient", 0.0)
    vois = [Voi(name, mask, patient.grid) for name, mask in patient.vois.items()]
    chosen = DoseSettings(engine="monte_carlo", monte_carlo=settings.monte_carlo(patient.seed % 2**31, device))

    def task(of: str) -> DoseTask:
        return DoseTask(tia, maps[of], settings.nuclide, chosen, progress, cancelled, vois)

    ssv = _timed(seconds, "ssv", lambda: single_voxel_s(task("msv8")).dose_gy)
    msv8, photon = _timed(seconds, "msv8", lambda: dose_and_photon_part(task("msv8")))
    msv20, _ = _timed(seconds, "msv20", lambda: dose_and_photon_part(task("msv20")))
    carlo: EngineResult = _timed(seconds, "monte_carlo", lambda: monte_carlo(task("msv8")))
    assert carlo.standard_error_gy is not None
    air = maps["msv8"].medium == 0
    doses = {
        "ssv_gy": ssv,
        "msv8_gy": msv8,
        "photon_msv_gy": photon,
        "msv20_gy": msv20,
        "mc_gy": carlo.dose_gy,
        "mc_se_gy": carlo.standard_error_gy,
    }
    return PatientArrays(
        name=patient.name, grid=patient.grid, hu=patient.hu, density_g_per_cm3=patient.density_g_per_cm3,
        tia_bq_s=patient.tia_bq_s, medium8=maps["msv8"].medium, vois=patient.vois, kinds=patient.kinds,
        record=_record(patient, settings, device, carlo, seconds),
        **{name: np.where(air, np.float32(0.0), dose).astype(np.float32) for name, dose in doses.items()},
    )  # fmt: skip


def _patient_map(patient: CohortPatient, scheme: str) -> PatientMap:
    """Media by the scheme's HU bins, density by the standard curve, both from the HU of the dose grid."""
    return PatientMap(
        density=Image(patient.density_g_per_cm3, patient.grid, "g/cm3"),
        medium=SCHEMES[scheme].media_from_hu(patient.hu),
        scheme=scheme,
        source=f"HU of a virtual patient by the curve {SCHNEIDER_2000.name}",
    )


def _timed(seconds: dict[str, float], name: str, work: Callable[[], Answer]) -> Answer:
    start = time.perf_counter()
    answer = work()
    seconds[name] = round(time.perf_counter() - start, 3)
    return answer


def _record(
    patient: CohortPatient, settings: BuildSettings, device: Device, carlo: EngineResult, seconds: dict[str, float]
) -> dict[str, Any]:
    volumes = carlo.parameters["volumes"]
    return {
        "kind": patient.kind,
        "seed": patient.seed,
        "source": patient.source,
        "settings": asdict(settings),
        "settings_hash": settings.digest,
        "device": device,
        "decays_simulated": carlo.parameters["decays_simulated"],
        "voi_mean_gy": {name: volume["mean_gy"] for name, volume in volumes.items()},
        "voi_relative_error": {name: volume["relative_error"] for name, volume in volumes.items()},
        "method": carlo.method,
        "warnings": list(carlo.warnings),
        "seconds": seconds,
        "versions": {
            "SlicerRPTDosimetry": __version__, "generator": GENERATOR_VERSION, "physics": PHYSICS_VERSION,
            "python": platform.python_version(), **{package: metadata.version(package) for package in PACKAGES},
        },
        "drawn": patient.drawn,
    }  # fmt: skip
