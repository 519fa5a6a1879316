"""Monte Carlo: electrons and photons followed through the patient's own density and composition, voxel by voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.dose.engine import DoseTask, EngineResult, dose_engine
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.physics.materials import Material, material
from RPTDosimetryLib.physics.media import media_scheme
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import Image, PatientMap
from RPTDosimetryLib.transport.voxel_settings import ErrorTarget, VoxelRunSettings

if TYPE_CHECKING:
    from RPTDosimetryLib.transport.voxel_case import VoxelCase
    from RPTDosimetryLib.transport.voxel_dose import VoxelDose

#: With more of the decays in air, activity and CT do not belong together.
MOST_TIA_IN_AIR: Final = 0.1


@dose_engine(
    "monte_carlo",
    gives="the reference: transport in the patient's own tissue, each voxel with its error",
    costs="half a minute for 1e8 decays on two cores",
)
def monte_carlo(task: DoseTask) -> EngineResult:
    """D = E/m of a transport simulation in voxels, with standard error (docs/physics/transport.md).

    Raises DoseError (decays in air, refine without a finer patient), TransportError (settings, another run's
    checkpoint, no GPU), CancelledError.
    """
    from RPTDosimetryLib.transport.voxel_run import simulate_voxels
    from RPTDosimetryLib.transport.voxel_watch import Keeping

    chosen = task.settings.monte_carlo
    settings = chosen.run_settings()
    _require_tia_in_tissue(task)
    case = _case(task, chosen.refine)
    keeping = Keeping(chosen.checkpoint, None if task.interim is None else _interim_of(task))
    tissue = task.patient.medium > 0
    regions = {voi.name: voi.mask & tissue for voi in task.vois if bool((voi.mask & tissue).any())}
    dose = simulate_voxels(
        task.nuclide, case, settings, task.progress, task.cancelled, regions=regions, keeping=keeping
    )
    return EngineResult(
        dose.total_gy,
        _method(task, case, dose),
        _missed(dose, settings),
        _stated(dose, settings, chosen.refine),
        standard_error_gy=dose.standard_error_gy,
        region_errors_gy={name: region.standard_error_gy for name, region in dose.regions.items()},
    )


def _case(task: DoseTask, refine: int) -> VoxelCase:
    """The task's maps, on the finer grid where that is asked for."""
    from RPTDosimetryLib.transport.voxel_case import VoxelCase

    patient, tia = task.patient, task.tia.image.voxels
    if refine > 1:
        if patient.fine is None or patient.fine.density.grid.shape_zyx != task.tia.image.grid.refined(refine).shape_zyx:
            raise DoseError(f"refine = {refine} needs the patient on voxels {refine} times finer: give a CT (HU).")
        patient = patient.fine
        tia = _spread(tia, patient.medium > 0, refine)
    medium, materials = _occurring(patient)
    return VoxelCase(tia, patient.density.voxels, medium, materials, patient.density.grid, fold=refine)


def _spread(tia: NDArray[np.floating], tissue: NDArray[np.bool_], refine: int) -> NDArray[np.float32]:
    """Ã of each voxel evenly over the tissue among its finer voxels, over all of them where there is none."""
    (nz, ny, nx), n = tia.shape, refine
    blocks = tissue.reshape(nz, n, ny, n, nx, n)
    count = blocks.sum(axis=(1, 3, 5))[:, None, :, None, :, None]
    share = np.where(count > 0, blocks / np.maximum(count, 1), 1.0 / n**3)
    return (tia[:, None, :, None, :, None] * share).reshape(tissue.shape).astype(np.float32)


def _occurring(patient: PatientMap) -> tuple[NDArray[np.uint8], list[Material]]:
    """Media numbered anew without gaps, and what they are made of; 0, air, is air whatever the scheme calls it."""
    scheme = patient.media or media_scheme(patient.scheme)
    known = {medium.index: medium.material for medium in scheme.media}
    known.setdefault(0, material("air"))
    indices, renumbered = np.unique(patient.medium, return_inverse=True)
    unknown = [int(index) for index in indices if int(index) not in known]
    if unknown:
        raise DoseError(f"The patient map holds the media {unknown}, which scheme {scheme.name!r} does not name.")
    return renumbered.reshape(patient.medium.shape).astype(np.uint8), [known[int(index)] for index in indices]


def _require_tia_in_tissue(task: DoseTask) -> None:
    tia = task.tia.image.voxels
    in_air = float(tia[task.patient.medium == 0].sum(dtype=np.float64)) / float(tia.sum(dtype=np.float64))
    if in_air > MOST_TIA_IN_AIR:
        raise DoseError(
            f"{100 * in_air:.3g} % of the decays lie in air: activity and CT do not fit together (Monte Carlo takes up "
            f"to {100 * MOST_TIA_IN_AIR:g} %). Check their alignment, or what lies outside the CT (density.outside_ct)."
        )


def _interim_of(task: DoseTask) -> Any:
    def show(dose: VoxelDose) -> None:
        assert task.interim is not None
        grid = task.tia.image.grid
        tissue = task.patient.medium > 0
        task.interim(
            Image(np.where(tissue, dose.total_gy, np.float32(0.0)), grid, "Gy"),
            Image(np.where(tissue, dose.standard_error_gy, np.float32(0.0)), grid, "Gy"),
        )

    return show


def _method(task: DoseTask, case: VoxelCase, dose: VoxelDose) -> str:
    from RPTDosimetryLib.transport.voxel_dose import error_reached

    chosen = task.settings.monte_carlo
    named = ", ".join(filling.name for filling in case.materials)
    finer = (
        "" if chosen.refine == 1 else f", on voxels {chosen.refine} times finer along each axis than those of the dose"
    )
    reached = 100 * error_reached(dose, ErrorTarget(0.01))
    return (
        f"Monte Carlo of {dose.decays:.4g} decays of {nuclide(task.nuclide).name} ({dose.batches} batches, seed "
        f"{chosen.seed}, {chosen.device}): condensed-history electrons above 10 keV, photons above 2 keV; composition "
        f"of {task.patient.scheme} ({named}), density voxel by voxel{finer}; vacuum outside the grid. Statistical "
        f"error of voxels above 10 % of the highest dose: {reached:.2g} % (1 σ, RMS)."
    )


def _missed(dose: VoxelDose, settings: VoxelRunSettings) -> Sequence[str]:
    """What the run did not reach."""
    from RPTDosimetryLib.transport.voxel_dose import error_reached

    target = settings.target
    if target is None or (found := error_reached(dose, target)) <= target.relative_error:
        return ()
    return (
        f"The Monte Carlo error aimed at, {100 * target.relative_error:g} %, was not reached within {dose.decays:g} "
        f"decays: it is {100 * found:.3g} %. Allow more histories.",
    )


def _stated(dose: VoxelDose, settings: VoxelRunSettings, refine: int) -> Mapping[str, Any]:
    regions = {name: {**vars(region), "relative_error": region.relative_error} for name, region in dose.regions.items()}
    return {
        **asdict(settings),
        "refine": refine,
        "decays_per_batch": settings.decays_per_batch,
        "decays_simulated": dose.decays,
        "batches": dose.batches,
        "emitted_j": dose.emitted_j,
        "escaped_j": dose.escaped_j,
        "balance": dose.balance,
        "volumes": regions,
    }
