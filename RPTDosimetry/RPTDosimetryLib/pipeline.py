"""The story: from a folder of SPECT/CT files to absorbed dose, one function a step, with progress and cancel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from RPTDosimetryLib.calibration.activity_table import CalibratedTotal, calibrated_totals
from RPTDosimetryLib.calibration.calibrate import calibrate
from RPTDosimetryLib.calibration.consistency import require_consistent_activity
from RPTDosimetryLib.calibration.settings import CalibrationSettings, with_camera
from RPTDosimetryLib.configuration import RunSettings
from RPTDosimetryLib.dose.dose_rate import dose_rates, integrate_dose_rate
from RPTDosimetryLib.dose.engine import compute_dose, media_wanted
from RPTDosimetryLib.evaluation.organ_table import organ_doses
from RPTDosimetryLib.files import require_folder, whole_folder
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.radiobiology.read_cycles import require_addable
from RPTDosimetryLib.records import (
    ActivitySeries,
    Administration,
    Cancelled,
    Progress,
    RegisteredStudy,
    Study,
    never,
    part_of,
    silent,
)
from RPTDosimetryLib.registration.beds import BedSettings, bed_groups, join_beds
from RPTDosimetryLib.registration.field_of_view import Truncation, truncation
from RPTDosimetryLib.registration.patient_map import patient_map_of
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.report.assessment import assessed, choices_of, present_cycle
from RPTDosimetryLib.report.outcome import Outcome
from RPTDosimetryLib.report.provenance import Origin, sha256_of_files
from RPTDosimetryLib.report.results import RunResults, outputs_of, remove_outdated, write_results
from RPTDosimetryLib.study.complete import require_complete
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.study.walk import files_below
from RPTDosimetryLib.tia.integrate import integrate
from RPTDosimetryLib.tia.side_by_side import side_by_side_of_vois
from RPTDosimetryLib.tia.voi_curves import fit_vois, voi_curves
from RPTDosimetryLib.vois.delineate import delineate
from RPTDosimetryLib.vois.review import reviews_of_nothing


@dataclass(frozen=True)
class Quantified:
    """A complete study in Bq/mL with its beds joined, its decay, and its activity before and after calibration.

    calibration: the settings as used, a camera's values written out. cut: what the fields of view cut. groups: indices
    of the time points, as they were read, that each of study.time_points was joined from.
    """

    study: Study
    nuclide: str
    lambda_phys_per_s: float
    calibration: CalibrationSettings
    totals: tuple[CalibratedTotal, ...]
    cut: Truncation
    groups: tuple[tuple[int, ...], ...] = ()


def quantify(
    folder: Path, settings: RunSettings, progress: Progress = silent, cancelled: Cancelled = never
) -> Quantified:
    """Read a study, calibrate its counts, join its beds. Nothing is written."""
    progress(0.0, "Reading the study")
    study = read_study(folder, settings.study)
    return quantified_study(study, settings.calibration, settings.beds, part_of(progress, 0.7, 1.0), cancelled)


def quantified_study(
    study: Study,
    calibration: CalibrationSettings,
    beds: BedSettings,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> Quantified:
    """Calibrate the counts of a study that has been read, join its beds. Raises StudyError for what it lacks."""
    require_complete(study)
    name, lambda_phys_per_s = decay_of(study.administration)
    used = with_camera(calibration, name)
    calibrated = calibrate(study, used, lambda_phys_per_s, progress, cancelled)
    whole = join_beds(calibrated, beds, lambda_phys_per_s)
    totals, groups = calibrated_totals(study, whole, lambda_phys_per_s), bed_groups(calibrated, beds)
    return Quantified(whole, name, lambda_phys_per_s, used, totals, truncation(whole), groups)


def compute(folder: Path, settings: RunSettings, progress: Progress = silent, cancelled: Cancelled = never) -> Outcome:
    """Read, calibrate, register, delineate, integrate, compute and assess the dose of one study; nothing is written."""
    quantified = quantify(folder, settings, part_of(progress, 0.0, 0.15), cancelled)
    study, name = quantified.study, quantified.nuclide
    checks = require_consistent_activity(study, quantified.lambda_phys_per_s)
    registered = register(study, settings.registration, part_of(progress, 0.15, 0.45), cancelled)
    require_addable(settings.cycles, present_cycle(registered, name))
    patient = patient_map_of(registered, settings.density, *media_wanted(settings.dose))
    vois = delineate(registered, patient, settings.vois, part_of(progress, 0.45, 0.5), cancelled)
    series = series_of(registered, name, quantified.lambda_phys_per_s)
    curves, fits = voi_curves(series, vois), fit_vois(series, vois, settings.tia)
    tia = integrate(series, vois, settings.tia, part_of(progress, 0.55, 0.65), cancelled)
    if settings.dose.integrate == "activity":
        dose = compute_dose(tia, patient, name, settings.dose, part_of(progress, 0.65, 0.9), cancelled, vois)
    else:
        rates = dose_rates(series, patient, settings.dose, part_of(progress, 0.65, 0.8), cancelled)
        dose = integrate_dose_rate(rates, vois, settings.tia, part_of(progress, 0.8, 0.9), cancelled)
    recovery = quantified.calibration.recovery_curve()
    rows = organ_doses(dose, vois, patient, tia, study.administration, recovery)
    pairs = {name: (curves[name], fits[name]) for name in curves}
    compared = side_by_side_of_vois(pairs, settings.tia)
    cut, nothing = quantified.cut, reviews_of_nothing(vois, settings.vois.reviews)
    said = (*checks, *cut.warnings, *cut.notes, *nothing)
    used = replace(settings, calibration=quantified.calibration)
    parts = (registered, patient, vois, pairs, tia, dose, tuple(rows), said, quantified.totals, compared, used)
    return assessed(Outcome(*parts), choices_of(used))


def run(
    folder: Path, settings: RunSettings, out: Path, progress: Progress = silent, cancelled: Cancelled = never
) -> RunResults:
    """Compute, and write maps, table, histograms, figures and provenance to ``out``: all of them or none.

    Files of an earlier run there are replaced, and removed where this run has no such file; other files stay.
    """
    require_folder(out)
    outcome = compute(folder, settings, part_of(progress, 0.0, 0.85), cancelled)
    root, files = files_below(folder)
    inputs, earlier = sha256_of_files(files, root), outputs_of(out)
    with whole_folder(out) as temporary:
        warnings = write_results(outcome, temporary, Origin(folder.resolve()), inputs, part_of(progress, 0.85, 1.0))
    remove_outdated(out, earlier)
    progress(1.0, "Done")
    return RunResults(out, outcome.organ_doses, warnings, outcome)


def decay_of(administration: Administration) -> tuple[str, float]:
    """Name of the nuclide and λ_phys [1/s], by the header's half-life where there is one."""
    known = nuclide(administration.nuclide or "")
    return known.name, math.log(2) / (administration.half_life_s or known.half_life_s)


def series_of(registered: RegisteredStudy, name: str, lambda_phys_per_s: float) -> ActivitySeries:
    """The registered activity with its times."""
    times_s = np.array([point.time_s for point in registered.study.time_points], dtype=np.float64)
    return ActivitySeries(registered.activity, times_s, name, lambda_phys_per_s)
