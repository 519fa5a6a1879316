"""Doses of earlier cycles: from the results of earlier runs, or from dose maps brought onto the present anatomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.radiobiology.organ_effects import OrganEffect
from RPTDosimetryLib.records import Image, PatientMap, Voi
from RPTDosimetryLib.vois.names import canonical_name

#: Read by pydantic when a configuration file is checked: a mistyped key is an error.
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class PreviousCycle:
    """One earlier cycle. results: folder of its run, or its provenance.json or organ_doses.csv. dose: a dose map (RT
    Dose or an image in Gy), where there is no such folder, or in place of its map. transform: ITK file from points of
    the present reference image into that map (as Slicer saves it); same_anatomy: the map already lies on the present
    anatomy. One of both is needed for a map, unless its frame of reference is that of now. nuclide: needed with a dose
    map alone, which does not tell it. patient_id: under which the earlier cycle is filed, where that is another one.

    Raises ConfigurationError: neither results nor dose.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    results: Path | None = None
    dose: Path | None = None
    transform: Path | None = None
    same_anatomy: bool = False
    nuclide: str | None = None
    patient_id: str | None = None

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
    """previous: every earlier cycle of this patient that counts, each once, in any order. Raises ConfigurationError."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    previous: tuple[PreviousCycle, ...] = ()

    def __post_init__(self) -> None:
        places = [str(place) for given in self.previous for place in {given.results, given.dose} if place is not None]
        twice = sorted({place for place in places if places.count(place) > 1})
        if twice:
            raise ConfigurationError(f"cycles.previous: {', '.join(twice)} stands there twice and would count twice.")


@dataclass(frozen=True)
class EarlierOrgan:
    """What an earlier cycle gave to one volume [Gy]. bed_gy and lea_catcheside (its G): None where not known for the
    α/β and repair time of now.
    """

    dose_gy: float
    dose_u_gy: float | None = None
    bed_gy: float | None = None
    lea_catcheside: float | None = None


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
class PresentCycle:
    """What an earlier cycle must fit: nuclide, grid of the dose, patient's ID and frame of reference, where known."""

    nuclide: str
    grid: Grid
    patient_id: str = ""
    frame_uid: str | None = None


@dataclass(frozen=True)
class Present:
    """What earlier cycles are brought to: this cycle, its volumes, their effects in it, and the patient map.

    recovered: means over the recovery coefficient are added, where both cycles have them, instead of those as imaged.
    """

    cycle: PresentCycle
    vois: Sequence[Voi]
    effects: Sequence[OrganEffect]
    patient: PatientMap
    recovered: bool = False


@dataclass(frozen=True)
class CumulativeDose:
    """A volume over all cycles. dose_gy: sum of D; bed_gy: sum of the cycles' BED, each with its own D and G, None
    where one is not known. dose_u_gy, bed_u_gy: the cycles' ± added, as if fully correlated (one camera): an upper
    estimate.
    """

    name: str
    cycles: int
    previous_gy: float
    dose_gy: float
    dose_u_gy: float | None
    previous_bed_gy: float | None
    bed_gy: float | None
    bed_u_gy: float | None = None
    note: str = ""

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


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


def cumulative_bed_map(dose: Image, present: Present, earlier: Sequence[EarlierCycle]) -> Image | None:
    """Σ BED voxel by voxel [Gy], each cycle's D with the G it had in the smallest present volume that holds the voxel.

    NaN where a G or a dose is not known; None unless every earlier cycle has a map that lies on the present grid.
    """
    if not earlier or any(cycle.dose is None for cycle in earlier):
        return None
    total = np.full(dose.grid.shape_zyx, np.nan, dtype=np.float32)
    pairs = [(v, e) for v, e in zip(present.vois, present.effects, strict=True) if e.lea_catcheside is not None]
    for voi, effect in sorted(pairs, key=lambda pair: -np.count_nonzero(pair[0].mask)):
        known = [cycle.organs.get(key_of(voi.name), EarlierOrgan(0.0)) for cycle in earlier]
        doses = [dose, *(cycle.dose for cycle in earlier if cycle.dose is not None)]
        bed = np.zeros(np.count_nonzero(voi.mask), dtype=np.float64)
        for image, g in zip(doses, [effect.lea_catcheside, *(k.lea_catcheside for k in known)], strict=True):
            gray = image.voxels[voi.mask].astype(np.float64)
            bed += np.nan if g is None else gray + g * gray**2 / (effect.alpha_beta_gy or np.nan)
        total[voi.mask] = bed
    return dose.with_voxels(total)


def _added(parts: Sequence[float | None]) -> float | None:
    return None if any(part is None for part in parts) else float(sum(part or 0.0 for part in parts))


def _bed_u(organ: EarlierOrgan, now: OrganEffect) -> float | None:
    if organ.dose_u_gy is None or organ.lea_catcheside is None or now.alpha_beta_gy is None:
        return None
    return organ.dose_u_gy * (1 + 2 * organ.lea_catcheside * organ.dose_gy / now.alpha_beta_gy)


def _summed(voi: Voi, effect: OrganEffect, earlier: Sequence[EarlierCycle]) -> CumulativeDose:
    found = [(cycle.name, cycle.organs.get(key_of(voi.name))) for cycle in earlier]
    known = [organ for _, organ in found if organ is not None]
    lacking = [name for name, organ in found if organ is None]
    previous = float(sum(organ.dose_gy for organ in known))
    beds = [organ.bed_gy for organ in known]
    previous_bed = None if lacking or any(bed is None for bed in beds) else float(sum(bed or 0.0 for bed in beds))
    note = f"{voi.name}: not (wholly) in {', '.join(lacking)}: its dose there is not counted" if lacking else ""
    return CumulativeDose(
        name=voi.name,
        cycles=1 + len(known),
        previous_gy=previous,
        dose_gy=effect.dose_gy + previous,
        dose_u_gy=_added([effect.dose_u_gy, *(organ.dose_u_gy for organ in known)]),
        previous_bed_gy=previous_bed if earlier else 0.0,
        bed_gy=None if effect.bed_gy is None or previous_bed is None else effect.bed_gy + previous_bed,
        bed_u_gy=None if lacking else _added([effect.bed_u_gy, *(_bed_u(organ, effect) for organ in known)]),
        note=note,
    )


def key_of(name: str) -> str:
    """What a volume is found by in another cycle: its canonical name."""
    return canonical_name(name).lower()
