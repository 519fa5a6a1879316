"""The ICRP-110 male torso by the engine monte_carlo against EGSnrc, from its density and media, and from CT numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.dose.from_maps import PatientFiles, patient_from_files
from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
from RPTDosimetryLib.records import TiaMap, Voi
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.validation.row import ValidationRow, compared
from RPTDosimetryLib.validation.torso_case import SOURCE, region_mask

#: Per cent beyond two joint standard errors; the bladder wall, one voxel thin, is shown without.
DOSE_BAR: Final = 0.5
PHOTON_BAR: Final = 1.5
WITHOUT_BAR: Final = ("bladder_wall",)
SETTINGS: Final = MonteCarloSettings(histories=1e7, photon_share=0.5)
#: Decays whose photons EGSnrc followed: its photon part has no standard error of its own in the file, so it is ours
#: scaled to as many.
EGSNRC_PHOTON_DECAYS: Final = 8.78e7


def monte_carlo_rows(shared: Path) -> list[ValidationRow]:
    """Mean dose and photon part of every region, twice, with other random numbers."""
    folder = shared / "data" / "am"
    starts = {
        "from density and media": PatientFiles(
            density=folder / "density_gcc.nrrd",
            material=folder / "material.nrrd",
            materials_json=folder / "materials.json",
        ),
        "from HU": PatientFiles(hu=folder / "hu.nrrd"),
    }
    return [
        row
        for seed, (name, files) in enumerate(starts.items(), start=1)
        for row in _rows(folder, files, seed, f"AM torso, monte_carlo {name}")
    ]


def _rows(folder: Path, files: PatientFiles, seed: int, case: str) -> list[ValidationRow]:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    regions = summary["regions"]
    tia = TiaMap(read_image(folder / "tia_bq_s.nrrd", "Bq·s"), "given", 0.0)
    settings = DoseSettings(engine="monte_carlo", monte_carlo=replace(SETTINGS, seed=seed))
    patient = patient_from_files(files, tia.image.grid, settings)
    labels = read_image(folder / "regions.nrrd", "1").voxels
    vois = [
        Voi(name, region_mask(name, region["label"], labels, regions), tia.image.grid)
        for name, region in regions.items()
    ]
    dose = compute_dose(tia, patient, summary["nuclide"], settings, vois=vois)
    ours = dose.parameters["volumes"]
    return [
        row
        for name, region in regions.items()
        for row in (_dose(case, name, ours[name], region), _photon(case, name, ours[name], region))
    ]


def _dose(case: str, name: str, ours: Mapping[str, float], region: Mapping[str, Any]) -> ValidationRow:
    joint = math.hypot(ours["relative_error"], region["rel_se"])
    bar = None if name in WITHOUT_BAR else DOSE_BAR
    place = (case, name.replace("_", " "), "Gy")
    return compared(place, ours["mean_gy"], region["mean_dose_gy"], bar, SOURCE, 200.0 * joint)


def _photon(case: str, name: str, ours: Mapping[str, float], region: Mapping[str, Any]) -> ValidationRow:
    relative = ours["photon_standard_error_gy"] / ours["photon_gy"]
    simulated = (SETTINGS.histories or 0.0) * SETTINGS.photon_share
    joint = relative * math.sqrt(1.0 + simulated / EGSNRC_PHOTON_DECAYS)
    bar = None if name in WITHOUT_BAR else PHOTON_BAR
    place = (case, f"{name.replace('_', ' ')}, photon part", "Gy")
    return compared(place, ours["photon_gy"], region["mean_dose_photon_gy"], bar, SOURCE, 200.0 * joint)
