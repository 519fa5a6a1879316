"""A compared cohort as a folder: tables (CSV, JSON), figures over all patients, and maps of one case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from RPTDosimetryLib.evaluation.cohort import CohortCase, CohortSettings, cohort_of
from RPTDosimetryLib.evaluation.cohort_answer import CohortAnswer
from RPTDosimetryLib.evaluation.cohort_tables import cohort_tables, flat, organ_summary, summary
from RPTDosimetryLib.evaluation.gamma import gamma_index
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.records import Cancelled, Progress, never, silent
from RPTDosimetryLib.report.compare_cohort import (
    patients_told,
    save_cohort_bland_altman,
    save_organ_errors,
    save_patient_violins,
    save_pooled_errors,
)
from RPTDosimetryLib.report.compare_density import save_density
from RPTDosimetryLib.report.compare_dvh import save_dvh_of_methods
from RPTDosimetryLib.report.compare_maps import save_dose_planes, save_error_planes, save_gamma_planes
from RPTDosimetryLib.report.compare_profiles import save_profiles
from RPTDosimetryLib.report.provenance import json_text
from RPTDosimetryLib.report.tables import write_rows


def write_cohort(cohort: CohortAnswer, folder: Path) -> None:
    """cohort.json, tables.txt, CSV files and the figures over patients; all or none. Raises ReportError."""
    with whole_folder(folder) as temporary:
        (temporary / "cohort.json").write_text(json_text(cohort.answer()) + "\n", encoding="utf-8")
        (temporary / "tables.txt").write_text(cohort_tables(cohort) + "\n", encoding="utf-8")
        write_rows(flat(summary(cohort)), temporary / "summary.csv")
        write_rows([asdict(row) for row in cohort.cases], temporary / "cases.csv")
        write_rows([asdict(test) for test in cohort.tests()], temporary / "tests.csv")
        save_patient_violins(cohort, temporary / "patients.png")
        save_pooled_errors(cohort, temporary / "voxel_errors.png")
        save_density(cohort.pooled, temporary / "voxels.png", f"Voxel by voxel, {patients_told(cohort)}")
        if cohort.volumes:
            write_rows(flat(organ_summary(cohort)), temporary / "organs.csv")
            write_rows([asdict(row) for row in cohort.volumes], temporary / "volumes.csv")
            save_organ_errors(cohort, temporary / "organ_errors.png")
            save_organ_errors(cohort, temporary / "organ_errors_signed.png", "error_percent")
            save_cohort_bland_altman(cohort, temporary / "bland_altman.png")


def evaluate_into(
    folder: Path,
    cases: Iterable[CohortCase],
    settings: CohortSettings,
    drawn: str | None = None,
    watch: tuple[Progress, Cancelled] = (silent, never),
    expected: int | None = None,
) -> CohortAnswer:
    """cohort_of with everything in a folder, whole or not at all.

    case/ holds maps, profiles and histograms of one case: the first, or the first of the patient ``drawn``. Raises what
    cohort_of raises, and ReportError.
    """
    with whole_folder(folder) as temporary:
        found = cohort_of(_drawing(cases, settings, temporary / "case", drawn), settings, *watch, expected)
        write_cohort(found, temporary)
    return found


def _drawing(
    cases: Iterable[CohortCase], settings: CohortSettings, folder: Path, patient: str | None
) -> Iterator[CohortCase]:
    """The cases as they come; one is drawn once it has been compared."""
    done = False
    for case in cases:
        yield case
        if not done and patient in (None, case.patient):
            draw_case(case, settings, folder)
            done = True
        del case  # not kept while the next one is read


def draw_case(case: CohortCase, settings: CohortSettings, folder: Path) -> None:
    """doses.png, relative_error.png, gamma.png, profiles.png and, with volumes, dvh.png of one case; all or none."""
    doses = {"reference": case.reference, **case.evaluated}
    criterion = replace(settings.gamma_of(case.reference), cutoff_percent=settings.cutoff_percent)
    gammas = {name: gamma_index(case.reference, image, criterion, case.mask) for name, image in case.evaluated.items()}
    with whole_folder(folder) as temporary:
        save_dose_planes(doses, case.vois, temporary / "doses.png", case.label)
        save_error_planes(case.reference, case.evaluated, case.vois, temporary / "relative_error.png", case.label)
        save_gamma_planes(case.reference, gammas, case.vois, temporary / "gamma.png", case.label)
        save_profiles(doses, temporary / "profiles.png", label=case.label)
        if case.vois:
            save_dvh_of_methods(doses, case.vois, temporary / "dvh.png")
