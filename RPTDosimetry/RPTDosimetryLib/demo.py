"""The whole chain on a virtual patient whose absorbed dose is known."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.configuration import RunSettings
from RPTDosimetryLib.errors import ConfigurationError, ReportError
from RPTDosimetryLib.evaluation.organ_table import OrganDose, organ_doses
from RPTDosimetryLib.files import whole_file, whole_folder
from RPTDosimetryLib.physics.media import media_scheme
from RPTDosimetryLib.pipeline import run
from RPTDosimetryLib.records import DoseMap, Image, Progress, TiaMap, part_of, silent
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.report.provenance import json_text
from RPTDosimetryLib.report.results import RunResults
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.study.read_ct import read_ct
from RPTDosimetryLib.text import aligned
from RPTDosimetryLib.transport.voxel_case import VoxelCase
from RPTDosimetryLib.transport.voxel_run import simulate_voxels
from RPTDosimetryLib.transport.voxel_settings import VoxelRunSettings
from RPTDosimetryLib.virtual_patient.demo_study import DemoTruth, write_demo_study

#: Stands beside a study that the demo wrote, with the truth; only such a study is ever replaced.
MARKER = "virtual_patient.json"
ERRORS = "errors_against_truth.json"
TRUTH = "Monte Carlo in the exact activity, density and outlines of the virtual patient"
#: Enough for 0.2 % in kidneys and lesions and 1 % in the coldest volume.
TRUE_DECAYS = 4e6


@dataclass(frozen=True)
class DemoSettings:
    """seed of anatomy, kinetics, motion and noise; ct: a real CT (DICOM folder or image file), labels: its organs."""

    seed: int = 1
    ct: Path | None = None
    labels: Path | None = None


@dataclass(frozen=True)
class OrganError:
    """Mean dose (mass-weighted) of a VOI from the images against the truth. error_fraction = computed/true − 1."""

    name: str
    computed_gy: float
    true_gy: float
    error_fraction: float
    volume_ml: float
    true_volume_ml: float
    tia_error_fraction: float


@dataclass(frozen=True)
class DemoOutcome:
    """Results of the run, and each organ's error against the truth."""

    study: Path
    results: RunResults
    organ_errors: tuple[OrganError, ...]
    truth: str
    seconds: float

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        errors = {"study": self.study, "truth": self.truth, "organ_errors": self.organ_errors, "seconds": self.seconds}
        return errors | self.results.answer()

    def text(self) -> str:
        """Where everything is, and the table of errors."""
        head = ("VOI", "volume", "dose", "true dose", "error", "error of Ã")
        unit = ("", "mL", "Gy", "Gy", "%", "%")
        rows = [
            (
                *(e.name, f"{e.volume_ml:.1f}", f"{e.computed_gy:.3f}", f"{e.true_gy:.3f}"),
                *(f"{100 * e.error_fraction:+.1f}", f"{100 * e.tia_error_fraction:+.1f}"),
            )
            for e in self.organ_errors
        ]
        return (
            f"{'Virtual study (DICOM)':28} {self.study}\n{self.results.where()}\n\n"
            f"Mean absorbed dose against the truth ({self.truth})\n{aligned([head, unit, *rows])}\n\n"
            "Small volumes read low because SPECT blurs them; nothing is corrected for that without being asked.\n"
            f"{self.seconds:.0f} s in all."
        )


def run_demo(out: Path, settings: DemoSettings | None = None, progress: Progress = silent) -> DemoOutcome:
    """Write the virtual study as DICOM under ``out``/study, run the pipeline on it, hold each organ to the truth."""
    chosen, started = settings or DemoSettings(), time.monotonic()
    study, folder = out / "study", out / "results"
    truth = _write_study(study, chosen, part_of(progress, 0.0, 0.35))
    results = run(study, RunSettings(), folder, part_of(progress, 0.35, 0.9))
    errors = organ_errors(results.organ_doses, true_organ_doses(truth, part_of(progress, 0.9, 1.0)))
    with whole_file(folder / ERRORS) as temporary:
        record = {"truth": TRUTH, "organ_errors": errors}
        temporary.write_text(json_text(record) + "\n", encoding="utf-8")
    progress(1.0, "Done")
    return DemoOutcome(study, results, errors, TRUTH, time.monotonic() - started)


def true_organ_doses(truth: DemoTruth, progress: Progress = silent) -> list[OrganDose]:
    """Organ doses of the virtual patient by Monte Carlo in its exact activity, density and outlines."""
    patient = patient_map(truth.hu, truth.grid)
    name = truth.administration.nuclide or ""
    materials = [medium.material for medium in media_scheme(patient.scheme).media]
    case = VoxelCase(truth.tia.voxels, patient.density.voxels, patient.medium, materials, truth.grid)
    simulated = simulate_voxels(name, case, VoxelRunSettings(decays=TRUE_DECAYS), progress)
    tissue = patient.medium > 0
    dose = DoseMap(Image(np.where(tissue, simulated.total_gy, 0.0), truth.grid, "Gy"), "monte_carlo", TRUTH, name)
    return organ_doses(dose, truth.vois, patient, TiaMap(truth.tia, "exact", 0.0), truth.administration)


def organ_errors(computed: Sequence[OrganDose], true: Sequence[OrganDose]) -> tuple[OrganError, ...]:
    """Computed against true, for each VOI that both have."""
    truth = {row.name: row for row in true}
    return tuple(
        OrganError(
            name=row.name,
            computed_gy=row.mean_gy,
            true_gy=truth[row.name].mean_gy,
            error_fraction=row.mean_gy / truth[row.name].mean_gy - 1,
            volume_ml=row.volume_ml,
            true_volume_ml=truth[row.name].volume_ml,
            tia_error_fraction=row.tia_bq_s / truth[row.name].tia_bq_s - 1,
        )
        for row in computed
        if row.name in truth
    )


def _write_study(study: Path, settings: DemoSettings, progress: Progress) -> DemoTruth:
    """The study folder, whole; an earlier one of the demo's own is replaced. Raises ReportError for any other."""
    marker = study.with_name(MARKER)
    if study.exists() and not marker.is_file():
        raise ReportError(f"{study} holds files that the demo did not write. Choose another folder with --out.")
    ct = None if settings.ct is None else read_ct(settings.ct)
    if settings.labels is not None and ct is None:
        raise ConfigurationError("--labels belongs to a CT: give --ct as well.")
    labels = None if settings.labels is None else read_image(settings.labels, "1")
    with whole_folder(study.with_name("study.new")) as folder:
        truth = write_demo_study(folder, settings.seed, ct, labels, progress)
    shutil.rmtree(study, ignore_errors=True)
    study.with_name("study.new").rename(study)
    with whole_file(marker) as temporary:
        temporary.write_text(json_text({"seed": settings.seed, **truth.summary()}) + "\n", encoding="utf-8")
    return truth
