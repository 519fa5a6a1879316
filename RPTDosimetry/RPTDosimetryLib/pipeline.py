"""The story: from a folder of SPECT/CT files to absorbed dose, one function a step, with progress and cancel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.calibration.consistency import require_consistent_activity
from RPTDosimetryLib.configuration import RunSettings
from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.dose.patient_map import patient_from_density, patient_from_labels
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.evaluation.organ_table import organ_doses
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.media import scheme_from_json
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import (
    ActivitySeries,
    Administration,
    Cancelled,
    PatientMap,
    Progress,
    TiaMap,
    never,
    part_of,
    silent,
)
from RPTDosimetryLib.registration.patient_map import patient_map, patient_map_of
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.report.outcome import Outcome
from RPTDosimetryLib.report.provenance import sha256_of_files
from RPTDosimetryLib.report.results import RunResults, write_results
from RPTDosimetryLib.study.complete import require_complete
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.study.walk import files_below
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.voi_curves import fit_vois, voi_curves
from RPTDosimetryLib.vois.delineate import delineate


def compute(folder: Path, settings: RunSettings, progress: Progress = silent, cancelled: Cancelled = never) -> Outcome:
    """Read, check, register, delineate, integrate and compute the dose of one study. Nothing is written."""
    progress(0.0, "Reading the study")
    study = read_study(folder, settings.study)
    require_complete(study)
    name, lambda_phys_per_s = _decay_of(study.administration)
    checks = require_consistent_activity(study, lambda_phys_per_s)
    registered = register(study, settings.registration, part_of(progress, 0.15, 0.45), cancelled)
    patient = patient_map_of(registered, settings.density)
    vois = delineate(registered, patient, settings.vois)
    times_s = np.array([point.time_s for point in study.time_points], dtype=np.float64)
    series = ActivitySeries(registered.activity, times_s, name, lambda_phys_per_s)
    curves, fits = voi_curves(series, vois), fit_vois(series, vois, settings.tia)
    tia = integrate(series, vois, settings.tia, part_of(progress, 0.55, 0.65), cancelled)
    dose = compute_dose(tia, patient, name, settings.dose, part_of(progress, 0.65, 0.9), cancelled)
    rows = organ_doses(dose, vois, patient, tia, study.administration)
    pairs = {name: (curves[name], fits[name]) for name in curves}
    return Outcome(registered, patient, vois, pairs, tia, dose, tuple(rows), checks)


def run(
    folder: Path, settings: RunSettings, out: Path, progress: Progress = silent, cancelled: Cancelled = never
) -> RunResults:
    """Compute, and write maps, table, histograms, figures and provenance to ``out``: all of them or none."""
    outcome = compute(folder, settings, part_of(progress, 0.0, 0.85), cancelled)
    root, files = files_below(folder)
    with whole_folder(out) as temporary:
        write_results(outcome, temporary, sha256_of_files(files, root), settings, part_of(progress, 0.85, 1.0))
    progress(1.0, "Done")
    return RunResults(out, outcome.organ_doses, outcome.warnings, outcome)


@dataclass(frozen=True)
class DoseRequest:
    """A dose map from maps: TIA [Bq·s per voxel], and HU or density with optional media."""

    tia: Path
    hu: Path | None
    density: Path | None
    material: Path | None
    materials_json: Path | None
    nuclide: str
    settings: DoseSettings


def dose_from_maps(request: DoseRequest, out: Path, progress: Progress = silent) -> dict[str, Any]:
    """Write the dose map and return how it was made. Raises DosimetryError children; nothing half-written."""
    progress(0.0, "Reading maps")
    tia = TiaMap(read_image(request.tia, "Bq·s"), "given", 0.0)
    patient = _patient_from_maps(request, tia.image.grid)
    dose = compute_dose(tia, patient, nuclide(request.nuclide).name, request.settings, part_of(progress, 0.1, 0.9))
    write_image(dose.image, out, dose.method)
    progress(1.0, "Done")
    return {
        "out": out,
        "engine": dose.engine,
        "method": dose.method,
        "nuclide": dose.nuclide,
        "unit": "Gy",
        "total_tia_bq_s": float(tia.image.voxels.sum(dtype=np.float64)),
        "mean_gy": float(dose.image.voxels[patient.medium > 0].mean(dtype=np.float64)),
        "max_gy": float(dose.image.voxels.max()),
        "warnings": dose.warnings,
    }


def _patient_from_maps(request: DoseRequest, grid: Grid) -> PatientMap:
    """HU, density and labels on any grid, brought onto the TIA's."""
    if (request.material is None) != (request.materials_json is None):
        raise DoseError("--material and --materials-json belong together: labels, and what they are made of.")
    if request.hu is not None and request.density is None:
        if request.material is not None:
            raise DoseError("--material goes with --density; with --hu the media follow from the HU.")
        return patient_map(read_image(request.hu, "HU"), grid)
    if request.density is None or request.hu is not None:
        raise DoseError("Give either --hu or --density: the density of the patient is needed once.")
    density = read_image(request.density, "g/cm3")
    if request.material is None or request.materials_json is None:
        return patient_from_density(density, grid)
    scheme = scheme_from_json(request.materials_json)
    return patient_from_labels(read_image(request.material, "1"), scheme, grid, density)


def _decay_of(administration: Administration) -> tuple[str, float]:
    """Name of the nuclide and λ_phys [1/s], by the header's half-life where there is one."""
    known = nuclide(administration.nuclide or "")
    return known.name, math.log(2) / (administration.half_life_s or known.half_life_s)
