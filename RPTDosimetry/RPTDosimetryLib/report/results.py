"""The folder of results: maps, table, histograms, figures, and the record of how they were made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.evaluation.dvh import Dvh, dvh
from RPTDosimetryLib.evaluation.organ_table import OrganDose
from RPTDosimetryLib.files import write_csv
from RPTDosimetryLib.records import Image, Progress, RegisteredStudy, Voi
from RPTDosimetryLib.report.acquisition import acquisition_of
from RPTDosimetryLib.report.assessment_tables import assessment_answer, write_assessment, written_by
from RPTDosimetryLib.report.compared import ComparedDoses, save_compared
from RPTDosimetryLib.report.dicom_identity import identity_of_study
from RPTDosimetryLib.report.documents import REPORT_HTML, REPORT_PDF, write_documents
from RPTDosimetryLib.report.figures import activity_backdrop, ct_backdrop, save_curves, save_dose_overlay, save_dvh
from RPTDosimetryLib.report.notice import notice, noticed_rows
from RPTDosimetryLib.report.outcome import Outcome
from RPTDosimetryLib.report.provenance import Origin, json_text, provenance_record, sha256_of, sha256_of_files
from RPTDosimetryLib.report.registration_figures import save_alignment_figure
from RPTDosimetryLib.report.registration_folder import write_transforms
from RPTDosimetryLib.report.rtdose import write_rtdose
from RPTDosimetryLib.report.run_record import PROVENANCE, RunRecord
from RPTDosimetryLib.report.tables import write_organ_table, write_rows
from RPTDosimetryLib.report.voi_layers import LAYERS, write_layers
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.tia.side_by_side import side_by_side_rows
from RPTDosimetryLib.vois.review import mask_sha256

DOSE, DOSE_ERROR = "dose_gy.nrrd", "dose_standard_error_gy.nrrd"
TIA, DENSITY, VOIS = "tia_bq_s.nrrd", "density_g_per_cm3.nrrd", "vois.nrrd"
TABLE, HISTOGRAMS = "organ_doses.csv", "dvh.csv"
FEWER_SCANS, RT_DOSE = "tia_with_fewer_scans.csv", "dose_rtdose.dcm"
OVERLAY, DVH_FIGURE, CURVES = "dose_overlay.png", "dvh.png", "curves.png"


@dataclass(frozen=True)
class Answerable:
    """Who answers for a report and what they say; figures and gamma of a comparison, empty without one.

    compared: the doses of that comparison, for its pictures; None where they are no longer at hand.
    """

    reviewer: str = ""
    comment: str = ""
    comparison: Mapping[str, Any] = field(default_factory=dict)
    compared: ComparedDoses | None = None

    def record(self) -> dict[str, Any]:
        """JSON-ready: all but the doses."""
        return {"reviewer": self.reviewer, "comment": self.comment, "comparison": self.comparison}


@dataclass(frozen=True)
class RunResults:
    """Where the results are, and the figures a caller wants at once."""

    folder: Path
    organ_doses: tuple[OrganDose, ...]
    warnings: tuple[str, ...]
    outcome: Outcome

    @property
    def dose_map(self) -> Path:
        """The absorbed-dose map [Gy]."""
        return self.folder / DOSE

    @property
    def provenance(self) -> Path:
        """How everything was made, with every warning."""
        return self.folder / PROVENANCE

    def answer(self) -> dict[str, Any]:
        """JSON-ready: organ doses, files and warnings."""
        return {
            "organ_doses": self.organ_doses,
            "method": self.outcome.dose.method,
            "files": {name.split(".")[0]: self.folder / name for name in self._described()},
            "warnings": self.warnings,
        } | assessment_answer(self.outcome)

    def _described(self) -> dict[str, str]:
        """Files and what they are; the statistical error only of an engine that has one."""
        named = _described()
        if self.outcome.dose.standard_error is None:
            del named[DOSE_ERROR]
        of_engine = {f"dose_{name}.nrrd": f"Map of the engine: {name}" for name in self.outcome.dose.extra_maps}
        return named | of_engine | written_by(self.outcome)

    def where(self) -> str:
        """One line a file: what it is and where."""
        lines = [f"{text:28} {self.folder / name}" for name, text in self._described().items()]
        return "\n".join([*lines, f"{'Registration, by time point':28} {self.folder / 'registration_*.png'}"])


def write_results(
    outcome: Outcome,
    folder: Path,
    origin: Origin,
    inputs: Mapping[str, str],
    progress: Progress,
    answerable: Answerable | None = None,
) -> tuple[str, ...]:
    """Write every file into ``folder`` and return all warnings of the run, those of writing last.

    inputs: SHA-256 of the study's files by their name in the study folder. The record lists the SHA-256 of every file
    but the report, which is written from the record itself and can be written again.
    """
    started = time.monotonic()
    dose, backdrop, density = outcome.dose, _backdrop(outcome), outcome.patient.source
    histograms = _dvhs(outcome)
    identity = identity_of_study(outcome.registered.study, outcome.registered.reference)
    warnings = tuple(dict.fromkeys((*outcome.warnings, *identity.warnings)))
    said = answerable or Answerable()
    title = f"{dose.nuclide}, engine {dose.engine_told}\nDensity: {density}"
    steps: dict[str, Callable[[], object]] = {
        "Writing maps": lambda: _write_maps(outcome, folder),
        "Writing tables": lambda: _write_tables(outcome, histograms, folder),
        "Writing the assessment": lambda: write_assessment(outcome, folder),
        "Writing DICOM": lambda: write_rtdose(dose, folder / RT_DOSE, identity),
        "Writing transforms": lambda: write_transforms(outcome.registered, folder),
        "Drawing the registration": lambda: _draw_registration(outcome.registered, folder),
        "Drawing the dose": lambda: save_dose_overlay(dose, backdrop, outcome.vois, folder / OVERLAY, density),
        "Drawing histograms": lambda: save_dvh(histograms, folder / DVH_FIGURE, f"Dose-volume histograms, {title}"),
        "Drawing curves": lambda: save_curves(outcome.curves, folder / CURVES, "Time-activity curves"),
    }
    if said.compared is not None:
        steps["Drawing the comparison"] = lambda: _draw_comparison(said, outcome.vois, folder)
    for number, (text, step) in enumerate(steps.items()):
        progress(0.9 * number / len(steps), text)
        step()
    written = sha256_of_files([f for f in folder.iterdir() if f.is_file()], folder)
    stated = {**_steps(outcome), "writing_s": round(time.monotonic() - started, 2)}
    record = provenance_record(inputs, outcome.settings, stated, written, warnings, origin)
    record |= {"patient": identity.record(), "report": {**said.record(), "notice": notice()}}
    text = json_text(record) + "\n"
    (folder / PROVENANCE).write_text(text, encoding="utf-8")
    progress(0.9, "Writing the report")
    write_documents(RunRecord(json.loads(text), folder), folder)
    return warnings


def outputs_of(folder: Path) -> dict[str, str]:
    """Name and SHA-256 of every file that an earlier run wrote into ``folder``; none where its record is not there."""
    try:
        told = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))["outputs_sha256"]
        return {str(name): str(digest) for name, digest in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remove_outdated(folder: Path, earlier: Mapping[str, str]) -> None:
    """Remove what an earlier run wrote and this one did not, unless somebody has changed it since."""
    for name in sorted(earlier.keys() - outputs_of(folder).keys()):
        path = folder / name
        if path.parent == folder and path.is_file() and sha256_of(path) == earlier[name]:
            path.unlink()


def _described() -> dict[str, str]:
    return {
        DOSE: "Absorbed dose [Gy]",
        DOSE_ERROR: "Its standard error [Gy]",
        TIA: "Time-integrated activity",
        DENSITY: "Density used",
        VOIS: "Volumes of interest",
        LAYERS: "The same, overlaps kept",
        RT_DOSE: "Absorbed dose, DICOM RT Dose",
        TABLE: "Organ table",
        FEWER_SCANS: "Ã with fewer scans",
        HISTOGRAMS: "Dose-volume histograms",
        OVERLAY: "Figure: dose over anatomy",
        DVH_FIGURE: "Figure: DVH",
        CURVES: "Figure: curves",
        REPORT_HTML: "Report to read",
        REPORT_PDF: "Report to print and file",
        PROVENANCE: "Provenance",
    }


def _backdrop(outcome: Outcome) -> Any:
    ct = outcome.registered.reference.ct
    return activity_backdrop(outcome.registered.reference.spect) if ct is None else ct_backdrop(ct)


def _write_maps(outcome: Outcome, folder: Path) -> None:
    write_image(outcome.dose.image, folder / DOSE, outcome.dose.method)
    if outcome.dose.standard_error is not None:
        write_image(outcome.dose.standard_error, folder / DOSE_ERROR, f"Standard error (1 σ) of: {outcome.dose.method}")
    for name, image in outcome.dose.extra_maps.items():
        write_image(image, folder / f"dose_{name}.nrrd", f"{name} of: {outcome.dose.method}")
    write_image(outcome.tia.image, folder / TIA)
    write_image(outcome.patient.density, folder / DENSITY)
    labels = np.zeros(outcome.dose.image.grid.shape_zyx, dtype=np.uint8)
    for number, voi in reversed(list(enumerate(outcome.vois, start=1))):
        labels[voi.mask] = number  # the first VOI in the table wins where two overlap
    write_image(Image(labels, outcome.dose.image.grid, "1"), folder / VOIS)
    write_layers(outcome.vois, folder / LAYERS)


def _draw_registration(registered: RegisteredStudy, folder: Path) -> None:
    for number in range(1, len(registered.activity) + 1):
        if number != registered.reference_index + 1:
            save_alignment_figure(registered, number, folder / f"registration_{number}.png")


def _draw_comparison(said: Answerable, vois: Sequence[Voi], folder: Path) -> None:
    if said.compared is not None:
        save_compared(said.compared, vois, said.comparison, folder)


def _write_tables(outcome: Outcome, histograms: Sequence[Dvh], folder: Path) -> None:
    write_organ_table(outcome.organ_doses, outcome.dose.method, folder / TABLE)
    write_rows(side_by_side_rows(outcome.compared), folder / FEWER_SCANS)
    write_csv(noticed_rows(_histogram_rows(histograms)), folder / HISTOGRAMS)


def _histogram_rows(histograms: Sequence[Dvh]) -> Iterator[list[object]]:
    yield ["name", "dose_gy", "cumulative_fraction", "cumulative_ml"]
    for histogram in histograms:
        bins = zip(histogram.dose_gy, histogram.cumulative, histogram.cumulative_ml, strict=True)
        for dose_gy, fraction, volume_ml in bins:
            yield [histogram.name, f"{dose_gy:.6g}", f"{fraction:.6g}", f"{volume_ml:.6g}"]


def _dvhs(outcome: Outcome) -> Sequence[Dvh]:
    tissue = outcome.patient.medium > 0
    volume_ml = outcome.dose.image.grid.voxel_volume_ml
    return [dvh(outcome.dose.image.voxels[voi.mask & tissue], volume_ml, voi.name) for voi in outcome.vois]


def _steps(outcome: Outcome) -> dict[str, Any]:
    registered, dose = outcome.registered, outcome.dose
    return {
        "administration": registered.study.administration,
        "time_points": [
            {
                "time_s": p.time_s,
                "acquired": p.acquired,
                "duration_s": p.duration_s,
                "unit": p.spect.unit,
                "decay_correction": p.decay_correction,
                "calibration": p.calibration,
                "grid": str(p.spect.grid),
                "acquisition": acquisition_of(p),
            }
            for p in registered.study.time_points
        ],
        "total_activity": outcome.totals,
        "registration": {"reference": registered.reference_index + 1, "alignments": registered.alignments},
        "density": {"source": outcome.patient.source, "scheme": outcome.patient.scheme},
        "vois": [
            {
                "label": n,
                "name": v.name,
                "kind": v.kind,
                "source": v.source,
                "code": v.code,
                "lesions": v.lesions,
                "review": v.review,
                "mask_sha256": mask_sha256(v),
            }
            for n, v in enumerate(outcome.vois, start=1)
        ],
        "tia": {
            "model": outcome.tia.model,
            "extrapolated_fraction": outcome.tia.extrapolated_fraction,
            "curves": {
                name: {
                    "time_s": curve.time_s,
                    "activity_bq": curve.activity_bq,
                    "model": fit.model,
                    "tia_bq_s": fit.tia_bq_s,
                    "tia_se_bq_s": fit.tia_se_bq_s,
                    "bootstrap_se_bq_s": fit.bootstrap_se_bq_s,
                    "tia_interval_bq_s": fit.tia_interval_bq_s,
                    "parameters": fit.parameters,
                    "extrapolated_fraction": fit.extrapolated_fraction,
                    "aicc": fit.aicc,
                    "alternatives": [
                        {name: getattr(other, name) for name in ("model", "tia_bq_s", "extrapolated_fraction", "aicc")}
                        for other in fit.alternatives
                    ],
                }
                for name, (curve, fit) in outcome.curves.items()
            },
            "with_fewer_scans": {name: several.answer() for name, several in outcome.compared.items()},
        },
        "dose": {"engine": dose.engine, "method": dose.method, "nuclide": dose.nuclide, "parameters": dose.parameters},
        "assessment": assessment_answer(outcome),
    }
