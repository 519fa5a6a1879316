"""A whole therapy cycle of a virtual patient written to disk as real DICOM, with the truth that only the demo knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.grid import Grid, resample_mean
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import Administration, Image, Progress, Voi, silent
from RPTDosimetryLib.units import S_PER_H
from RPTDosimetryLib.virtual_patient.ct_patient import patient_from_ct
from RPTDosimetryLib.virtual_patient.dicom_writer import (
    PatientInfo,
    Visit,
    write_ct_series,
    write_nm_recon_tomo,
    write_rtstruct,
)
from RPTDosimetryLib.virtual_patient.imaging import Pose, SpectImaging, draw_pose, spect_image
from RPTDosimetryLib.virtual_patient.kinetics import NUCLIDE
from RPTDosimetryLib.virtual_patient.patient import VirtualPatient
from RPTDosimetryLib.virtual_patient.torso_patient import torso_patient

SPECT_SPACING_MM: Final = 4.795  # Mansouri et al. 2024
SPECT_COLUMNS: Final = 128
SPECT_SLICES: Final = 80
#: Nominal scan times [h] of the same paper, and how far a clinic's day shifts them.
SCAN_TIMES_H: Final = (4.0, 24.0, 69.0, 120.0)
SCAN_JITTER_H: Final = (0.3, 1.0, 1.5, 1.5)
SCAN_DURATION_S: Final = 1200.0
ADMINISTERED_AT: Final = datetime(2024, 5, 13, 9, 30)  # without a zone, as scanners write it


@dataclass(frozen=True)
class DemoSettings:
    """Scanner and motion of the demo. Motion is against the first time point, whose CT is the anatomy."""

    imaging: SpectImaging = field(default_factory=SpectImaging)
    largest_shift_mm: float = 8.0
    largest_turn_deg: float = 3.0


@dataclass(frozen=True)
class DemoTruth:
    """What the pipeline must find. All images are on ``grid``, the SPECT grid of the first (reference) time point.

    tia: Bq·s per voxel, exact. labels: the VOIs by number (names), a voxel belonging to the one that fills half of it
    or more; vois: the same as masks. hu: mean of the CT. tia_bq_s: analytic Ã of each whole VOI; tia_in_grid_bq_s: the
    part of it inside the SPECT's field of view. moving_from_fixed: 4×4 for each time point, LPS mm.
    """

    grid: Grid
    tia: Image
    labels: Image
    names: Mapping[int, str]
    hu: Image
    vois: tuple[Voi, ...]
    tia_bq_s: Mapping[str, float]
    tia_in_grid_bq_s: Mapping[str, float]
    time_s: tuple[float, ...]
    moving_from_fixed: tuple[np.ndarray, ...]
    administration: Administration
    patient: VirtualPatient
    warnings: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The truth in numbers, for a JSON file beside the study."""
        return {
            "source": self.patient.source,
            "nuclide": self.administration.nuclide,
            "administered_activity_bq": self.administration.administered_activity_bq,
            "time_s": list(self.time_s),
            "activity_bq": {
                name: self.patient.activity_bq(name, np.asarray(self.time_s)).tolist() for name in self.tia_bq_s
            },
            "tia_bq_s": dict(self.tia_bq_s),
            "tia_in_grid_bq_s": dict(self.tia_in_grid_bq_s),
            "volume_ml": {
                name: float(self.patient.mask(name).sum()) * self.patient.grid.voxel_volume_ml for name in self.tia_bq_s
            },
            "moving_from_fixed": [matrix.tolist() for matrix in self.moving_from_fixed],
            "warnings": list(self.warnings),
        }


def write_demo_study(
    folder: Path,
    seed: int,
    ct: Image | None = None,
    labels: Image | None = None,
    progress: Progress = silent,
    settings: DemoSettings | None = None,
) -> DemoTruth:
    """Write CT, four NM RECON TOMO SPECT and an RTSTRUCT into ``folder``; return the truth.

    ct: a real CT [HU] to lay the activity on, labels: its organs (see ct_patient.py); without ct the procedural torso.
    The same seed gives the same files. Raises StudyError (the CT), ReportError (the disk).
    """
    chosen = settings or DemoSettings()
    progress(0.0, "Building the virtual patient")
    patient = torso_patient(seed) if ct is None else patient_from_ct(ct, labels, seed)
    time_rng, motion_rng, noise_rng = np.random.default_rng([seed, 1]).spawn(3)
    jitter_h = time_rng.uniform(-1, 1, len(SCAN_TIMES_H)) * SCAN_JITTER_H
    times_s = tuple(float(round(t)) for t in (np.asarray(SCAN_TIMES_H) + jitter_h) * S_PER_H)
    grid = spect_grid(patient.grid)
    moves = [
        draw_pose(motion_rng, grid.centre_mm, chosen.largest_shift_mm, chosen.largest_turn_deg) for _ in times_s[1:]
    ]
    poses = (Pose(), *moves)
    administration = Administration(
        NUCLIDE, patient.administered_activity_bq, ADMINISTERED_AT, nuclide(NUCLIDE).half_life_s
    )
    who = PatientInfo(patient_id=f"VIRTUAL-{seed:04d}", seed=seed)
    visits = [Visit(n, ADMINISTERED_AT + timedelta(seconds=t), SCAN_DURATION_S) for n, t in enumerate(times_s, start=1)]
    _write_anatomy(folder, patient, (who, visits[0]), progress)
    for n, (visit, time_s, pose) in enumerate(zip(visits, times_s, poses, strict=True), start=1):
        progress(0.3 + 0.12 * n, f"Imaging the virtual patient at {time_s / S_PER_H:.1f} h")
        image = spect_image(patient, time_s, grid, pose, chosen.imaging, noise_rng)
        write_nm_recon_tomo(image, folder / f"spect_{n}" / "spect.dcm", who, visit, administration)
    progress(0.85, "Keeping the truth")
    truth = _truth(patient, grid, times_s, poses, administration)
    progress(1.0, "Virtual study written")
    return truth


def spect_grid(anatomy: Grid) -> Grid:
    """128×128 voxels of 4.795 mm around the anatomy, up to 80 slices and none beyond it."""
    length_mm = anatomy.shape_zyx[0] * anatomy.spacing_mm[2]
    slices = min(SPECT_SLICES, int(length_mm // SPECT_SPACING_MM))
    counts = (SPECT_COLUMNS, SPECT_COLUMNS, slices)
    origin = [c - (n - 1) / 2 * SPECT_SPACING_MM for c, n in zip(anatomy.centre_mm, counts, strict=True)]
    return Grid((slices, SPECT_COLUMNS, SPECT_COLUMNS), (SPECT_SPACING_MM,) * 3, (origin[0], origin[1], origin[2]))


def _write_anatomy(folder: Path, patient: VirtualPatient, who: tuple[PatientInfo, Visit], progress: Progress) -> None:
    """CT and contours of the first visit."""
    progress(0.12, "Writing the CT")
    hu = np.clip(patient.ct.voxels, -1000.0, 3071.0)
    write_ct_series(patient.ct.with_voxels(hu), folder / "ct", *who)
    progress(0.25, "Drawing the contours")
    numbers = dict(enumerate(patient.vois, start=1))
    labels = np.zeros(patient.grid.shape_zyx, dtype=np.uint8)
    for number, name in numbers.items():
        labels[patient.mask(name)] = number
    write_rtstruct(Image(labels, patient.grid, "1"), numbers, folder / "contours" / "rtstruct.dcm", *who)


def _truth(
    patient: VirtualPatient,
    grid: Grid,
    times_s: tuple[float, ...],
    poses: tuple[Pose, ...],
    administration: Administration,
) -> DemoTruth:
    names = dict(enumerate(patient.vois, start=1))
    labels = np.zeros(grid.shape_zyx, dtype=np.uint8)
    vois = []
    for number, name in names.items():
        mask = resample_mean(patient.mask(name).astype(np.float32), patient.grid, grid) >= 0.5
        labels[mask] = number
        vois.append(Voi(name, mask, grid, "lesion" if name.startswith("lesion") else "organ", "truth"))
    hu = resample_mean(np.maximum(patient.ct.voxels, -1000.0), patient.ct.grid, grid, fill=-1000.0)
    return DemoTruth(
        grid=grid,
        tia=patient.tia_on(grid),
        labels=Image(labels, grid, "1"),
        names=names,
        hu=Image(hu, grid, "HU"),
        vois=tuple(vois),
        tia_bq_s={name: patient.tia_bq_s(name) for name in patient.vois},
        tia_in_grid_bq_s={name: patient.tia_on_bq_s(name, grid) for name in patient.vois},
        time_s=times_s,
        moving_from_fixed=tuple(pose.moved_from_rest for pose in poses),
        administration=administration,
        patient=patient,
        warnings=patient.warnings,
    )
