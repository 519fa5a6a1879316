"""The ICRP-110 male torso: MSV dose from its CT numbers against EGSnrc, region by region."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, scheme_of
from RPTDosimetryLib.evaluation.organ_table import dose_summary
from RPTDosimetryLib.records import TiaMap
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.study.image_files import read_image
from RPTDosimetryLib.validation.row import ValidationRow, compared

#: Bars in per cent; regions not named here are shown without one (lung and bone: the known limits of MSV).
BARS = {
    "liver": 1.0,
    "kidney_left": 1.0,
    "kidney_right": 1.0,
    "kidneys": 1.0,
    "spleen": 1.0,
    "bladder_content": 1.0,
    "tumour_liver_30ml": 1.0,
    "tumour_liver_5ml": 1.0,
    "heart": 3.0,
    "pancreas": 3.0,
}
SOURCE = "own EGSnrc run on the ICRP-110 male phantom (OpenDose, CC BY 4.0), data/am/summary.json"


def torso_rows(shared: Path, engine: str) -> list[ValidationRow]:
    """Mass-weighted mean dose of every region, from HU, TIA and labels alone."""
    folder = shared / "data" / "am"
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    labels = read_image(folder / "regions.nrrd", "1").voxels
    tia = TiaMap(read_image(folder / "tia_bq_s.nrrd", "Bq·s"), "given", 0.0)
    patient = patient_map(read_image(folder / "hu.nrrd", "HU"), tia.image.grid, scheme=scheme_of(engine))
    dose = compute_dose(tia, patient, summary["nuclide"], DoseSettings(engine=engine))
    density = patient.density
    rows = []
    for name, region in summary["regions"].items():
        mask = region_mask(name, region["label"], labels, summary["regions"]) & (patient.medium > 0)
        ours = dose_summary(dose.image.voxels[mask], density.voxels[mask], density.grid.voxel_volume_ml).mean_gy
        place = (f"AM torso, {engine}", name.replace("_", " "), "Gy")
        rows.append(compared(place, ours, region["mean_dose_gy"], BARS.get(name), SOURCE))
    return rows


def region_mask(name: str, label: int | None, labels: np.ndarray, regions: dict[str, dict[str, Any]]) -> np.ndarray:
    """A labelled region, or one that joins several."""
    if label is not None:
        return labels == label
    if name == "kidneys":
        return np.isin(labels, [regions["kidney_left"]["label"], regions["kidney_right"]["label"]])
    return labels > 0 if name == "whole_body" else np.ones(labels.shape, dtype=bool)
