"""The review table of the volumes of interest: what each holds, and who accepted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.geometry import grid_of_volume
from RPTDosimetryLib.bridge.registered import failure, registered_numbers
from RPTDosimetryLib.bridge.volumes_of_interest import known_of
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.units import BQ_PER_MBQ

_rows: WeakKeyDictionary[Case, tuple[str, list[Row]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Row:
    """One volume as kinetics and dose take it (settled by the rules).

    mass_g: Σ density · voxel volume without air; None where no density is in the scene. activity_mbq: one for each
    registered time point, at scan time, None where its volume lies on another grid or it could not be aligned.
    problem: why the volume cannot be used.
    """

    segment_id: str
    name: str
    voi: Voi | None
    mass_g: float | None
    activity_mbq: tuple[float | None, ...]
    problem: str = ""


def rows_of(case: Case) -> list[Row]:
    """One row a segment, in their order; worked out again only when something has changed."""
    known = known_of(case)
    images = [None if failure(case, n) else case.node(at.REGISTERED, n) for n in registered_numbers(case)]
    maps = [case.node(at.DENSITY), case.node(at.MEDIUM)]
    key = fingerprint([known.key, case.content([*images, *maps])])
    told = _rows.get(case)
    if told is None or told[0] != key:
        told = _rows[case] = (key, _made(known, images, maps))
    return told[1]


def texts_of(row: Row) -> list[str]:
    """The cells of a row; a dash where a figure cannot be given."""
    voi = row.voi
    if voi is None:
        return [row.name, "–", "–", "–", "–", *("–" for _mbq in row.activity_mbq), "–", _("cannot be used"), ""]
    review = voi.review
    return [
        row.name,
        "–" if voi.code is None else f"{voi.code.value} {voi.code.scheme}",
        voi.kind,
        f"{voi.volume_ml:.2f}",
        "–" if row.mass_g is None else f"{row.mass_g:.1f}",
        *("–" if value is None else f"{value:.3f}" for value in row.activity_mbq),
        voi.lesions or "–",
        _("not reviewed") if review is None else review.reviewer,
        "" if review is None else f"{review.time.astimezone():%Y-%m-%d %H:%M}",
    ]


def hours_of(case: Case, number: int) -> str:
    """How a registered time point is called: its hours after administration, or its number."""
    from RPTDosimetryLib.bridge.time_points import time_s_of
    from RPTDosimetryLib.units import S_PER_H

    spect = case.node(at.SPECT, number)
    time_s = None if spect is None else time_s_of(spect, case.administration(strict=False))
    return _("time point {n}").format(n=number) if time_s is None else f"{time_s / S_PER_H:.1f} h"


def _made(known: Any, images: list[Any], maps: list[Any]) -> list[Row]:
    settled = known.settled or tuple(part.voi for part in known.drawn)
    rows = []
    for part, voi in zip(known.drawn, settled, strict=True):
        if voi is None:
            rows.append(Row(part.segment_id, part.name, None, None, (None,) * len(images), part.problem))
            continue
        activity = tuple(_activity_mbq(image, voi) for image in images)
        problem = "" if known.settled else known.problem
        rows.append(Row(part.segment_id, part.name, voi, _mass_g(maps, voi), activity, problem))
    return rows


def _activity_mbq(image: Any, voi: Voi) -> float | None:
    """Σ concentration · voxel volume [MBq]."""
    if image is None or not _on(image, voi.grid):
        return None
    bq_per_ml = slicer.util.arrayFromVolume(image)[voi.mask].sum(dtype=np.float64)
    return float(bq_per_ml * voi.grid.voxel_volume_ml / BQ_PER_MBQ)


def _mass_g(maps: list[Any], voi: Voi) -> float | None:
    """Σ density · voxel volume [g] of what is not air (medium 0), as the organ table has it."""
    density, medium = maps
    if density is None or medium is None or not (_on(density, voi.grid) and _on(medium, voi.grid)):
        return None
    tissue = voi.mask & (slicer.util.arrayFromVolume(medium) > 0)
    return float(slicer.util.arrayFromVolume(density)[tissue].sum(dtype=np.float64) * voi.grid.voxel_volume_ml)


def _on(node: Any, grid: Grid) -> bool:
    return grid_of_volume(node).same_as(grid)
