"""Reading earlier cycles: tables of earlier runs, dose maps brought onto the present anatomy, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.errors import RadiobiologyError
from RPTDosimetryLib.evaluation.organ_table import dose_summary
from RPTDosimetryLib.grid import Grid, coverage, resample, resample_mean
from RPTDosimetryLib.radiobiology.cycles import (
    CyclesSettings,
    EarlierCycle,
    EarlierOrgan,
    Present,
    PresentCycle,
    PreviousCycle,
    key_of,
)
from RPTDosimetryLib.radiobiology.linear_quadratic import bed_gy
from RPTDosimetryLib.radiobiology.organ_effects import OrganEffect
from RPTDosimetryLib.records import Image, Voi

TABLE: Final = "organ_doses.csv"
EFFECTS: Final = "radiobiology.csv"
RECORD: Final = "provenance.json"
MAP: Final = "dose_gy.nrrd"
RT_DOSE: Final = "dose_rtdose.dcm"
#: Share of a voxel that must lie in the field of view of an earlier map for the voxel to have a dose of it.
SEEN: Final = 0.99


def require_addable(settings: CyclesSettings, now: PresentCycle) -> None:
    """Ask what can be asked of earlier cycles before a long computation: files, patient, nuclides, maps.

    Raises RadiobiologyError as read_cycles.
    """
    for given in settings.previous:
        for path in (given.results, given.dose, given.transform):
            if path is not None and not path.exists():
                raise RadiobiologyError(
                    f"cycles.previous: there is no {path}. Give the earlier results where they are."
                )
        _require_patient(given, now.patient_id)
        if given.results is not None:
            told = _record(_folder(given.results))
            _require_nuclide(given.name, str(told["steps"]["dose"]["nuclide"]), now.nuclide)
        else:
            _require_nuclide(given.name, str(given.nuclide), now.nuclide)
        if given.wants_map:
            _map(given, given.dose or _folder(given.results or Path()) / MAP, now)


def read_cycles(settings: CyclesSettings, present: Present) -> tuple[EarlierCycle, ...]:
    """All earlier cycles, checked against the present one.

    Raises RadiobiologyError: no such file, another nuclide, a dose map on another grid without a transform, negative
    doses; ConfigurationError is raised earlier, by the settings.
    """
    require_addable(settings, present.cycle)
    return tuple(_read(given, present) for given in settings.previous)


def _read(given: PreviousCycle, present: Present) -> EarlierCycle:
    if given.results is None:
        return _of_map(given, present)
    folder = _folder(given.results)
    table = given.results if given.results.suffix == ".csv" else folder / TABLE
    organs = _organs(table, _effects(folder / EFFECTS), present)
    path = given.dose or (folder / MAP if (folder / MAP).is_file() else None)
    image: Image | None = None
    warnings: tuple[str, ...] = ()
    try:
        image = None if path is None else _map(given, path, present.cycle)
    except RadiobiologyError as error:
        if given.wants_map:
            raise
        warnings = (f"No cumulative dose map: {error}",)
    return EarlierCycle(given.name, organs, image, "table", warnings)


def _of_map(given: PreviousCycle, present: Present) -> EarlierCycle:
    """A cycle of which only the dose map is at hand: means in the present volumes."""
    image = _map(given, given.dose, present.cycle)
    if image is None:
        return EarlierCycle(given.name)
    pairs = zip(present.vois, present.effects, strict=True)
    means = {key_of(voi.name): _mean_of(image, voi, effect, present) for voi, effect in pairs}
    organs = {key: organ for key, organ in means.items() if organ is not None}
    said = f"{given.name}: a map tells no kinetics; G of the present cycle is used for its BED."
    return EarlierCycle(given.name, organs, image, "map", (said,))


def _folder(results: Path) -> Path:
    return results if results.is_dir() else results.parent


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        str(told["steps"]["dose"]["nuclide"])
    except OSError as error:
        raise RadiobiologyError(
            f"{path} cannot be read ({error.strerror}): cycles.previous wants the results of an earlier run with their "
            "provenance.json, or a dose map (dose)."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RadiobiologyError(f"{path} is not the record of a run: give the folder of its results.") from error
    return told


def _require_nuclide(name: str, then: str, now: str) -> None:
    from RPTDosimetryLib.physics.nuclides import nuclide

    if nuclide(then).name != now:
        raise RadiobiologyError(
            f"The earlier cycle {name} was {then}, the present one is {now}: their doses are not added, as repair and "
            "limits differ. Leave it out of cycles.previous, or add them by hand."
        )


def _require_patient(given: PreviousCycle, now: str) -> None:
    """The patient's ID in the earlier RT Dose, where there is one, is that of now, or the one that was given for it."""
    then = _header(given, "PatientID")
    if then and now and then not in (now, given.patient_id):
        raise RadiobiologyError(
            f"The earlier cycle {given.name} is of patient {then}, the present one of {now}: doses are not added. "
            f'Give the right one, or patient_id = "{then}" in cycles.previous where both are the same person.'
        )


def _header(given: PreviousCycle, keyword: str) -> str:
    """An attribute of the earlier cycle's RT Dose: the dose that is given, or that of its results; empty without."""
    from RPTDosimetryLib.study.dicom_files import read_dicom
    from RPTDosimetryLib.study.read_dose import is_dicom

    path = given.dose or _folder(given.results or Path()) / RT_DOSE
    return str(read_dicom(path, pixels=False).get(keyword, "") or "") if is_dicom(path) else ""


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(line for line in handle if not line.startswith("#")))
    except OSError as error:
        raise RadiobiologyError(
            f"{path} cannot be read ({error.strerror}): give the folder of an earlier run."
        ) from error


def _effects(path: Path) -> dict[str, dict[str, str]]:
    return {key_of(row["name"]): row for row in _rows(path)} if path.is_file() else {}


def _organs(table: Path, effects: Mapping[str, Mapping[str, str]], present: Present) -> dict[str, EarlierOrgan]:
    now = {key_of(effect.name): effect for effect in present.effects}
    found = {}
    for row in _rows(table):
        try:
            key, dose = key_of(row["name"]), float(row["mean_gy"])
        except (KeyError, TypeError, ValueError) as error:
            raise RadiobiologyError(f"{table} is no organ table of a run: it lacks name or mean_gy.") from error
        if not dose >= 0:
            raise RadiobiologyError(f"{table}: the dose of {row['name']} is {dose:g} Gy. Check the earlier run.")
        then, effect, u = effects.get(key, {}), now.get(key), _number(row.get("mean_u_gy"))
        if present.recovered and row.get("mean_recovered_gy"):
            dose, u = float(row["mean_recovered_gy"]), _number(row.get("mean_recovered_u_gy"))
        found[key] = _weighted(dose, u, _factor_then(then, effect), effect)
    return found


def _factor_then(then: Mapping[str, str], now: OrganEffect | None) -> float | None:
    """G that the earlier run stated; None where it took another repair time, or none."""
    if not then or now is None or now.alpha_beta_gy is None:
        return None
    g, repair = _number(then.get("lea_catcheside")), _number(then.get("repair_half_life_h"))
    return None if g is None or repair is None or abs(repair - (now.repair_half_life_h or 0.0)) > 1e-9 else g


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _map(given: PreviousCycle, path: Path | None, now: PresentCycle) -> Image | None:
    """The map of an earlier cycle on the present grid: by its transform, or by place where that is known to hold.

    Equal grids are no proof: two scans of one camera have the same voxels wherever the patient lies.
    """
    if path is None:
        return None
    from RPTDosimetryLib.study.read_dose import read_dose

    image = read_dose(path)
    if float(image.voxels.min()) < 0:
        raise RadiobiologyError(f"{path} holds negative doses: it is no absorbed dose of a cycle. Check the file.")
    frame = _header(given, "FrameOfReferenceUID")
    if given.transform is None and not given.same_anatomy and not (frame and frame == now.frame_uid):
        raise RadiobiologyError(
            f"Nothing says where the patient lay in the dose {path} ({image.grid}; now {now.grid}; equal voxels prove "
            "nothing): register the two CTs and give transform (present reference to earlier map), or say "
            "same_anatomy = true in cycles.previous where the map was already brought onto the present anatomy."
        )
    if given.transform is None and image.grid.same_as(now.grid):
        return image
    return _brought(image, now.grid, given.transform)


def _brought(image: Image, onto: Grid, transform: Path | None) -> Image:
    """A dose at the voxels of another grid, NaN where its field of view does not reach: no dose is made up there."""
    if transform is None:
        dose, seen = resample_mean(image.voxels, image.grid, onto), coverage(image.grid, onto)
    else:
        from RPTDosimetryLib.registration.transform_file import read_transform

        moved = read_transform(transform, onto).transform()
        inside = np.ones(image.grid.shape_zyx, dtype=np.float32)
        dose = resample(image.voxels, image.grid, onto, moving_from_fixed=moved)
        seen = resample(inside, image.grid, onto, moving_from_fixed=moved)
    return Image(np.where(seen > SEEN, dose, np.nan).astype(np.float32), onto, "Gy")


def _mean_of(image: Image, voi: Voi, effect: OrganEffect, present: Present) -> EarlierOrgan | None:
    """Mean over mass of an earlier map in a present volume, BED with the present G; None where the map cuts it."""
    inside = voi.mask & (present.patient.medium > 0)
    if not inside.any():
        raise RadiobiologyError(f"{voi.name} holds no tissue: no dose of earlier cycles there. Draw it again.")
    if np.isnan(image.voxels[inside]).any():
        return None
    density = present.patient.density.voxels[inside]
    dose = dose_summary(image.voxels[inside], density, image.grid.voxel_volume_ml).mean_gy
    return _weighted(dose, None, effect.lea_catcheside, effect)


def _weighted(dose: float, u: float | None, g: float | None, now: OrganEffect | None) -> EarlierOrgan:
    """An earlier dose with its BED by its own D and G and the α/β of now."""
    if g is None or now is None or now.alpha_beta_gy is None:
        return EarlierOrgan(dose, u)
    return EarlierOrgan(dose, u, float(bed_gy(dose, g, now.alpha_beta_gy)), g)
