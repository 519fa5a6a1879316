"""Doses of earlier cycles: from the results of earlier runs, or from dose maps brought onto the present anatomy."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from RPTDosimetryLib.errors import ConfigurationError, RadiobiologyError
from RPTDosimetryLib.evaluation.organ_table import dose_summary
from RPTDosimetryLib.grid import Grid, coverage, resample, resample_mean
from RPTDosimetryLib.radiobiology.linear_quadratic import bed_gy
from RPTDosimetryLib.radiobiology.organ_effects import OrganEffect
from RPTDosimetryLib.records import Image, PatientMap, Voi
from RPTDosimetryLib.vois.names import canonical_name

#: Read by pydantic when a configuration file is checked: a mistyped key is an error.
_STRICT = {"extra": "forbid"}
TABLE: Final = "organ_doses.csv"
EFFECTS: Final = "radiobiology.csv"
RECORD: Final = "provenance.json"
MAP: Final = "dose_gy.nrrd"
#: Share of a voxel that must lie in the field of view of an earlier map for the voxel to have a dose of it.
SEEN: Final = 0.99


@dataclass(frozen=True)
class PreviousCycle:
    """One earlier cycle. results: folder of its run, or its provenance.json or organ_doses.csv. dose: a dose map (RT
    Dose or an image in Gy), where there is no such folder, or in place of its map. transform: ITK file from points of
    the present reference image into that map (as Slicer saves it); same_anatomy: the map already lies on the present
    anatomy, though on other voxels. nuclide: needed with a dose map alone, which does not tell it.

    Raises ConfigurationError: neither results nor dose.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    results: Path | None = None
    dose: Path | None = None
    transform: Path | None = None
    same_anatomy: bool = False
    nuclide: str | None = None

    def __post_init__(self) -> None:
        if self.results is None and self.dose is None:
            raise ConfigurationError("cycles.previous: give results (folder of the earlier run) or dose (its map).")
        if self.transform is not None and self.same_anatomy:
            raise ConfigurationError("cycles.previous: give transform or same_anatomy, not both.")
        if self.results is None and not self.nuclide:
            raise ConfigurationError(f"cycles.previous: {self.dose} does not tell its nuclide: give nuclide.")

    @property
    def name(self) -> str:
        """What it is called in results and errors."""
        return str(self.results or self.dose)

    @property
    def wants_map(self) -> bool:
        """True where the user says something of the map: then it must be usable."""
        return self.dose is not None or self.transform is not None or self.same_anatomy


@dataclass(frozen=True)
class CyclesSettings:
    """previous: every earlier cycle of this patient that counts, in any order."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    previous: tuple[PreviousCycle, ...] = ()


@dataclass(frozen=True)
class EarlierOrgan:
    """What an earlier cycle gave to one volume [Gy]. bed_gy None: not known for the α/β and repair time of now."""

    dose_gy: float
    dose_u_gy: float | None = None
    bed_gy: float | None = None


@dataclass(frozen=True)
class EarlierCycle:
    """An earlier cycle as read: by canonical name of the volume, and its dose map on the present grid where it has one.

    organs_from: "table" (of the earlier run, on its own contours) or "map" (on the present ones).
    """

    name: str
    organs: Mapping[str, EarlierOrgan] = field(default_factory=dict)
    dose: Image | None = field(default=None, metadata={"in_record": False})
    organs_from: str = "table"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Present:
    """What earlier cycles are brought to: volumes, their effects in this cycle, patient and nuclide."""

    vois: Sequence[Voi]
    effects: Sequence[OrganEffect]
    patient: PatientMap
    nuclide: str


@dataclass(frozen=True)
class CumulativeDose:
    """A volume over all cycles. dose_gy: sum of D; bed_gy: sum of the cycles' BED, each with its own D and G, None
    where one is not known. dose_u_gy: the cycles' ± added, as if fully correlated (one camera): an upper estimate.
    """

    name: str
    cycles: int
    previous_gy: float
    dose_gy: float
    dose_u_gy: float | None
    previous_bed_gy: float | None
    bed_gy: float | None
    note: str = ""

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


def require_addable(settings: CyclesSettings, nuclide_now: str, onto: Grid) -> None:
    """Ask what can be asked of earlier cycles before a long computation: files, nuclides, maps on the present grid.

    Raises RadiobiologyError as read_cycles.
    """
    for given in settings.previous:
        for path in (given.results, given.dose, given.transform):
            if path is not None and not path.exists():
                raise RadiobiologyError(
                    f"cycles.previous: there is no {path}. Give the earlier results where they are."
                )
        if given.results is not None:
            told = _record(_folder(given.results))
            _require_nuclide(given.name, str(told["steps"]["dose"]["nuclide"]), nuclide_now)
        else:
            _require_nuclide(given.name, str(given.nuclide), nuclide_now)
        if given.wants_map:
            _map(given, given.dose or _folder(given.results or Path()) / MAP, onto)


def read_cycles(settings: CyclesSettings, present: Present) -> tuple[EarlierCycle, ...]:
    """All earlier cycles, checked against the present one.

    Raises RadiobiologyError: no such file, another nuclide, a dose map on another grid without a transform, negative
    doses; ConfigurationError is raised earlier, by the settings.
    """
    require_addable(settings, present.nuclide, present.patient.density.grid)
    return tuple(_read(given, present) for given in settings.previous)


def cumulative_doses(present: Present, earlier: Sequence[EarlierCycle]) -> tuple[CumulativeDose, ...]:
    """Sums over the cycles, a row a volume in the present order; a cycle without that volume is said and left out."""
    return tuple(_summed(voi, effect, earlier) for voi, effect in zip(present.vois, present.effects, strict=True))


def cumulative_map(dose: Image, earlier: Sequence[EarlierCycle]) -> Image | None:
    """Σ D voxel by voxel [Gy] on the present grid; None unless every earlier cycle has a map that lies on it."""
    maps = [cycle.dose for cycle in earlier if cycle.dose is not None]
    if not earlier or len(maps) < len(earlier):
        return None
    total = dose.voxels.astype(np.float64)
    for image in maps:
        total = total + image.voxels
    return dose.with_voxels(total.astype(np.float32))


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
        image = None if path is None else _map(given, path, present.patient.density.grid)
    except RadiobiologyError as error:
        if given.wants_map:
            raise
        warnings = (f"No cumulative dose map: {error}",)
    return EarlierCycle(given.name, organs, image, "table", warnings)


def _of_map(given: PreviousCycle, present: Present) -> EarlierCycle:
    """A cycle of which only the dose map is at hand: means in the present volumes."""
    image = _map(given, given.dose, present.patient.density.grid)
    if image is None:
        return EarlierCycle(given.name)
    pairs = zip(present.vois, present.effects, strict=True)
    means = {_key(voi.name): _mean_of(image, voi, effect, present) for voi, effect in pairs}
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


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(line for line in handle if not line.startswith("#")))
    except OSError as error:
        raise RadiobiologyError(
            f"{path} cannot be read ({error.strerror}): give the folder of an earlier run."
        ) from error


def _effects(path: Path) -> dict[str, dict[str, str]]:
    return {_key(row["name"]): row for row in _rows(path)} if path.is_file() else {}


def _organs(table: Path, effects: Mapping[str, Mapping[str, str]], present: Present) -> dict[str, EarlierOrgan]:
    now = {_key(effect.name): effect for effect in present.effects}
    found = {}
    for row in _rows(table):
        try:
            key, dose = _key(row["name"]), float(row["mean_gy"])
        except (KeyError, TypeError, ValueError) as error:
            raise RadiobiologyError(f"{table} is no organ table of a run: it lacks name or mean_gy.") from error
        if not dose >= 0:
            raise RadiobiologyError(f"{table}: the dose of {row['name']} is {dose:g} Gy. Check the earlier run.")
        then, effect = effects.get(key, {}), now.get(key)
        u = _number(row.get("mean_u_gy"))
        if then and effect is not None:
            dose, u = float(then["dose_gy"]), _number(then.get("dose_u_gy"))
        found[key] = EarlierOrgan(dose, u, _bed_then(then, effect))
    return found


def _bed_then(then: Mapping[str, str], now: OrganEffect | None) -> float | None:
    """BED of an earlier run by its own D and G with the α/β of now; None where it took another repair time."""
    if not then or now is None or now.alpha_beta_gy is None:
        return None
    g, repair = _number(then.get("lea_catcheside")), _number(then.get("repair_half_life_h"))
    if g is None or repair is None or abs(repair - (now.repair_half_life_h or 0.0)) > 1e-9:
        return None
    return float(bed_gy(float(then["dose_gy"]), g, now.alpha_beta_gy))


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _map(given: PreviousCycle, path: Path | None, onto: Grid) -> Image | None:
    """The map of an earlier cycle on the present grid: as it is, by its transform, or by place where that is said."""
    if path is None:
        return None
    from RPTDosimetryLib.study.read_dose import read_dose

    image = read_dose(path)
    if float(image.voxels.min()) < 0:
        raise RadiobiologyError(f"{path} holds negative doses: it is no absorbed dose of a cycle. Check the file.")
    if given.transform is None and image.grid.same_as(onto):
        return image
    if given.transform is None and not given.same_anatomy:
        raise RadiobiologyError(
            f"The dose {path} lies on another grid ({image.grid}) than the present cycle ({onto}), and nothing says "
            "where the patient lay: register the two CTs and give transform (present reference to earlier map), or say "
            "same_anatomy = true in cycles.previous where the map was already brought onto the present anatomy."
        )
    return _brought(image, onto, given.transform)


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
    bed = None
    if effect.lea_catcheside is not None and effect.alpha_beta_gy is not None:
        bed = float(bed_gy(dose, effect.lea_catcheside, effect.alpha_beta_gy))
    return EarlierOrgan(dose, None, bed)


def _summed(voi: Voi, effect: OrganEffect, earlier: Sequence[EarlierCycle]) -> CumulativeDose:
    found = [(cycle.name, cycle.organs.get(_key(voi.name))) for cycle in earlier]
    known = [organ for _, organ in found if organ is not None]
    lacking = [name for name, organ in found if organ is None]
    previous = sum(organ.dose_gy for organ in known)
    beds = [organ.bed_gy for organ in known]
    previous_bed = None if lacking or any(bed is None for bed in beds) else float(sum(bed or 0.0 for bed in beds))
    parts = [effect.dose_u_gy, *(organ.dose_u_gy for organ in known)]
    u = None if any(part is None for part in parts) else float(sum(part or 0.0 for part in parts))
    note = f"{voi.name}: not (wholly) in {', '.join(lacking)}: its dose there is not counted" if lacking else ""
    return CumulativeDose(
        name=voi.name,
        cycles=1 + len(known),
        previous_gy=previous,
        dose_gy=effect.dose_gy + previous,
        dose_u_gy=u,
        previous_bed_gy=previous_bed if earlier else 0.0,
        bed_gy=None if effect.bed_gy is None or previous_bed is None else effect.bed_gy + previous_bed,
        note=note,
    )


def _key(name: str) -> str:
    return canonical_name(name).lower()
