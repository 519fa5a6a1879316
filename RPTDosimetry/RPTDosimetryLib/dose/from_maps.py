"""Dose and dose rate from plain image files, no study needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.dose.dose_rate import dose_rate, dose_rates, integrate_dose_rate
from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, media_wanted
from RPTDosimetryLib.dose.patient_map import patient_from_density, patient_from_labels
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.media import MediaScheme, scheme_from_json
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import (
    ActivitySeries,
    Cancelled,
    DoseMap,
    DoseRateMap,
    Image,
    PatientMap,
    Progress,
    TiaMap,
    Voi,
    never,
    part_of,
    silent,
)
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.study.image_files import read_image, require_image_name, write_image
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.units import S_PER_H
from RPTDosimetryLib.vois.from_file import vois_from_file


@dataclass(frozen=True)
class PatientFiles:
    """HU, or density [g/cm³] with or without labels of materials and what they are made of."""

    hu: Path | None = None
    density: Path | None = None
    material: Path | None = None
    materials_json: Path | None = None


@dataclass(frozen=True)
class DoseRequest:
    """A dose map from a map of TIA [Bq·s per voxel], whose grid is the dose grid.

    labels: volumes whose mean doses are wanted, with statistical errors where the engine has them. out_se: where the
    standard error map goes. out_maps: folder for what else the engine can show (DoseMap.extra_maps).
    """

    tia: Path
    patient: PatientFiles
    nuclide: str
    settings: DoseSettings = field(default_factory=DoseSettings)
    labels: Path | None = None
    out_se: Path | None = None
    out_maps: Path | None = None


@dataclass(frozen=True)
class DoseRateRequest:
    """Dose rate maps from activity concentration [Bq/mL] of time points on one grid.

    time_h: hours since administration, one for each image; empty for one image of which only the rate is wanted.
    """

    activity: Sequence[Path]
    time_h: Sequence[float]
    patient: PatientFiles
    nuclide: str
    settings: DoseSettings = field(default_factory=DoseSettings)
    kinetics: TiaSettings = field(default_factory=TiaSettings)


def dose_from_maps(
    request: DoseRequest, out: Path, progress: Progress = silent, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Write the dose map [Gy] and return how it was made. Raises DosimetryError children; nothing half-written."""
    require_image_name(out)
    if request.out_se is not None:
        _require_place_for_errors(request, out)
    progress(0.0, "Reading maps")
    tia = TiaMap(read_image(request.tia, "Bq·s"), "given", 0.0)
    patient = patient_from_files(request.patient, tia.image.grid, request.settings)
    vois = () if request.labels is None else vois_from_file(request.labels, tia.image.grid)
    dose = compute_dose(
        tia, patient, nuclide(request.nuclide).name, request.settings, part_of(progress, 0.1, 0.9), cancelled, vois
    )
    write_image(dose.image, out, dose.method)
    if request.out_se is not None and dose.standard_error is not None:
        write_image(dose.standard_error, request.out_se, f"Standard error (1 σ) of: {dose.method}")
    if request.out_maps is not None:
        _write_extra_maps(dose, request.out_maps)
    progress(1.0, "Done")
    return {
        "out": out,
        "out_se": request.out_se,
        **_made(dose),
        "total_tia_bq_s": float(tia.image.voxels.sum(dtype=np.float64)),
        **_figures(dose, patient, "gy"),
        **({"monte_carlo": dose.parameters} if dose.standard_error is not None else {}),
        **({"hybrid": dose.parameters} if dose.engine == "hybrid" else {}),
        "volumes": [_volume(voi, dose, patient) for voi in vois],
    }


def _write_extra_maps(dose: DoseMap, folder: Path) -> None:
    if not dose.extra_maps:
        raise DoseError(
            f"Engine {dose.engine} gave no maps beside the dose: leave --out-maps out. The dose is written."
        )
    with whole_folder(folder) as temporary:
        for name, image in dose.extra_maps.items():
            write_image(image, temporary / f"{name}.nrrd", f"{name} of: {dose.method}")


def _require_place_for_errors(request: DoseRequest, out: Path) -> None:
    """Before hours of work: a second file for errors, and an engine that has any."""
    if request.settings.engine != "monte_carlo":
        raise DoseError(f"Engine {request.settings.engine} has no statistical error: leave --out-se out.")
    assert request.out_se is not None
    require_image_name(request.out_se)
    if request.out_se.resolve() == out.resolve():
        raise DoseError("--out and --out-se are the same file: give the standard error a name of its own.")


def _volume(voi: Voi, dose: DoseMap, patient: PatientMap) -> dict[str, Any]:
    """Mean dose of a volume, energy per mass, with its error; None where it holds only air."""
    tissue = voi.mask & (patient.medium > 0)
    mass = patient.density.voxels[tissue].astype(np.float64)
    mean = float(np.average(dose.image.voxels[tissue], weights=mass)) if tissue.any() else None
    return {"name": voi.name, "mean_gy": mean, "mean_se_gy": dose.region_errors_gy.get(voi.name)}


def dose_rate_from_maps(request: DoseRateRequest, out: Path, progress: Progress = silent) -> dict[str, Any]:
    """Write dose_rate_1.nrrd … [Gy/s] in order of time and, of several time points, dose.nrrd [Gy] to a new folder.

    Raises DosimetryError children; nothing half-written.
    """
    if len(request.time_h) != len(request.activity) and (request.time_h or len(request.activity) != 1):
        raise DoseError(
            f"{len(request.activity)} activity images and {len(request.time_h)} times: give one --time-h for each "
            "--activity, in the same order."
        )
    progress(0.0, "Reading maps")
    images = tuple(read_image(path, "Bq/mL") for path in request.activity)
    patient = patient_from_files(request.patient, images[0].grid, request.settings)
    rates, times_h, dose = _rates_and_dose(request, images, patient, part_of(progress, 0.1, 0.9))
    with whole_folder(out) as folder:
        for number, rate in enumerate(rates, start=1):
            write_image(rate.image, folder / f"dose_rate_{number}.nrrd", rate.method)
        if dose is not None:
            write_image(dose.image, folder / "dose.nrrd", dose.method)
    progress(1.0, "Done")
    listed = [
        {"out": out / f"dose_rate_{number}.nrrd", "time_h": time_h, **_figures(rate, patient, "gy_per_s")}
        for number, (rate, time_h) in enumerate(zip(rates, times_h, strict=True), start=1)
    ]
    answer = {**_made(rates[0]), "dose_rates": listed, "dose": None}
    if dose is not None:
        answer["dose"] = {"out": out / "dose.nrrd", **_made(dose), **_figures(dose, patient, "gy")}
    return answer


def _rates_and_dose(
    request: DoseRateRequest, images: tuple[Image, ...], patient: PatientMap, progress: Progress
) -> tuple[tuple[DoseRateMap, ...], list[float | None], DoseMap | None]:
    """(rates, their hours, dose): one image gives a dose only if a single-time-point model is asked for by name."""
    decaying = nuclide(request.nuclide)
    step = part_of(progress, 0.0, 0.8)
    if not request.time_h:
        return (dose_rate(images[0], patient, decaying.name, request.settings, step),), [None], None
    time_s = np.asarray(request.time_h, dtype=np.float64) * S_PER_H
    series = ActivitySeries(images, time_s, decaying.name, decaying.lambda_phys_per_s)
    found = dose_rates(series, patient, request.settings, step)
    dose = None
    if len(images) > 1 or request.kinetics.model != "auto":
        dose = integrate_dose_rate(found, (), request.kinetics, part_of(progress, 0.8, 1.0))
    return found.rates, [float(t) / S_PER_H for t in found.time_s], dose


def patient_from_files(files: PatientFiles, grid: Grid, settings: DoseSettings) -> PatientMap:
    """HU, density and labels on any grid, brought onto the dose grid, in the media of the engine, and on a finer one
    where it wants that.

    Raises DoseError for a contradiction or a lack among the files.
    """
    scheme, refine = media_wanted(settings)
    patient = _patient_on(grid, files, scheme)
    return patient if refine == 1 else replace(patient, fine=_patient_on(grid.refined(refine), files, scheme))


def _patient_on(grid: Grid, files: PatientFiles, scheme: MediaScheme) -> PatientMap:
    if (files.material is None) != (files.materials_json is None):
        raise DoseError("--material and --materials-json belong together: labels, and what they are made of.")
    if files.hu is not None and files.density is None:
        if files.material is not None:
            raise DoseError("--material goes with --density; with --hu the media follow from the HU.")
        return patient_map(read_image(files.hu, "HU"), grid, scheme=scheme)
    if files.density is None or files.hu is not None:
        raise DoseError("Give either --hu or --density: the density of the patient is needed once.")
    density = read_image(files.density, "g/cm3")
    if files.material is None or files.materials_json is None:
        return patient_from_density(density, grid, scheme=scheme)
    return patient_from_labels(read_image(files.material, "1"), scheme_from_json(files.materials_json), grid, density)


def _made(result: DoseMap | DoseRateMap) -> Mapping[str, Any]:
    return {
        "engine": result.engine,
        "method": result.method,
        "nuclide": result.nuclide,
        "unit": result.image.unit,
        "warnings": result.warnings,
    }


def _figures(result: DoseMap | DoseRateMap, patient: PatientMap, unit: str) -> Mapping[str, float]:
    """Mean over tissue and maximum."""
    voxels = result.image.voxels
    return {
        f"mean_{unit}": float(voxels[patient.medium > 0].mean(dtype=np.float64)),
        f"max_{unit}": float(voxels.max()),
    }
