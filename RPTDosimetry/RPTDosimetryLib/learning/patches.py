"""Samples for a training step: patches at random places of random patients, mirrored and turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from RPTDosimetryLib.learning.maps import padded, turned
from RPTDosimetryLib.learning.training_cases import TrainingCase


@dataclass(frozen=True)
class PatchPlan:
    """Size of patches (z, y, x), margin of cut faces that does not count, and the names of the maps that are needed."""

    shape_zyx: tuple[int, int, int]
    margin: int
    names: tuple[str, ...]
    flips: bool
    turns: bool


@dataclass(frozen=True)
class Place:
    """Where one sample was cut, to name it when something is wrong."""

    patient: str
    origin_zyx: tuple[int, int, int]
    case: int

    def __str__(self) -> str:
        return f"{self.patient} at voxel (z, y, x) {self.origin_zyx}"


def random_batch(
    cases: Sequence[TrainingCase], plan: PatchPlan, samples: int, generator: Any
) -> tuple[dict[str, Any], list[Place]]:
    """Maps with a batch axis, also "counts" (1 where the loss counts), "highest" and, as a list, "vois"; and places."""
    import torch

    parts, places = [], []
    for _ in range(samples):
        number = int(torch.randint(len(cases), (1,), generator=generator))
        part, origin = _patch(cases[number], plan, generator)
        parts.append(part)
        places.append(Place(cases[number].name, origin, number))
    batch: dict[str, Any] = {name: torch.stack([part[name] for part in parts]) for name in (*plan.names, "counts")}
    batch["vois"] = [part["vois"] for part in parts]
    highest = [cases[place.case].highest_gy for place in places]
    batch["highest"] = torch.tensor(highest, device=batch["counts"].device).reshape(-1, 1, 1, 1, 1)
    return batch, places


def _patch(case: TrainingCase, plan: PatchPlan, generator: Any) -> tuple[dict[str, Any], tuple[int, int, int]]:
    """One patch; where it cuts through the patient, its margin does not count."""
    import torch

    shape = case.maps["tissue"].shape[-3:]
    flipped = [plan.flips and bool(torch.randint(2, (1,), generator=generator)) for _ in range(3)]
    square = plan.shape_zyx[1] == plan.shape_zyx[2]
    swapped = plan.turns and bool(torch.randint(2, (1,), generator=generator)) and square
    origin, box, inner = [], [], []
    for n, wanted in zip(shape, plan.shape_zyx, strict=True):
        start = int(torch.randint(max(n - wanted, 0) + 1, (1,), generator=generator))
        end = min(start + wanted, n)
        margin = min(plan.margin, (end - start - 1) // 2)
        inner.append(slice(margin if start > 0 else 0, end - start - (margin if end < n else 0)))
        origin.append(start)
        box.append(slice(start, end))
    cut = {name: case.maps[name][(..., *box)] for name in (*plan.names, "vois")}
    counts = torch.zeros_like(cut["tissue"])
    counts[(..., *inner)] = cut["tissue"][(..., *inner)]
    cut["counts"] = counts
    whole = padded(turned(cut, (flipped[0], flipped[1], flipped[2])), plan.shape_zyx)
    return turned(whole, (False, False, False), swapped), (origin[0], origin[1], origin[2])
