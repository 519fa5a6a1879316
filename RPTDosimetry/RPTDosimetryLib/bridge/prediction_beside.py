"""The dose after therapy beside a prediction: the same organs by the same rule, both per administered activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case, fingerprint
from RPTDosimetryLib.bridge.geometry import grid_of_volume
from RPTDosimetryLib.bridge.prediction_nodes import ANSWER, part
from RPTDosimetryLib.bridge.volumes_of_interest import content_of, known_of
from RPTDosimetryLib.errors import DosimetryError
from RPTDosimetryLib.units import BQ_PER_GBQ

if TYPE_CHECKING:
    from RPTDosimetryLib.evaluation.dvh import Dvh
    from RPTDosimetryLib.records import Voi

_known: WeakKeyDictionary[Case, tuple[str, Beside]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Beside:
    """Mean dose [Gy/GBq] and histogram [Gy/GBq] by common organ name, as given; why_not: why there is none.

    key changes with the dose, the volumes and the activity.
    """

    key: str
    engine: str = ""
    activity_gbq: float = 0.0
    means: dict[str, float] | None = None
    histograms: tuple[Dvh, ...] = ()
    why_not: str = ""


def therapy_dose(case: Case) -> Any:
    """The dose volume that step Dose shows, else the last made; None without one."""
    nodes = case.nodes(at.DOSE)
    wanted = [node for node in nodes if at.text(node, "Engine") == case.parameters.dose.shown]
    return wanted[-1] if wanted else (nodes[-1] if nodes else None)


def beside_of(case: Case) -> Beside:
    """The dose after therapy by organ; worked out again only when something has changed."""
    dose, answer = therapy_dose(case), part(case, ANSWER)
    if dose is None or answer is None:
        return Beside("", why_not=_("There is no dose after therapy in the scene: steps Study to Dose make it."))
    given = case.administration(strict=False)
    maps = [dose, case.node(at.DENSITY), case.node(at.MEDIUM), answer]
    told = [given.administered_activity_bq, given.nuclide, content_of(case), case.content(maps)]
    key = fingerprint(told)
    found = _known.get(case)
    if found is None or found[0] != key:
        found = _known[case] = (key, _made(case, dose, key))
    return found[1]


def _made(case: Case, dose: Any, key: str) -> Beside:
    given, known = case.administration(strict=False), known_of(case)
    activity_bq = given.administered_activity_bq
    if not activity_bq:
        return Beside(
            key, why_not=_("The administered activity is not known (step Study): nothing to compare per GBq.")
        )
    if given.nuclide not in (None, "Lu-177"):
        why = _("The therapy was with {nuclide}, the prediction is for Lu-177: their doses are not compared.")
        return Beside(key, why_not=why.format(nuclide=given.nuclide))
    if not known.settled:
        return Beside(key, why_not=known.problem or _("There are no volumes of interest: no organ can be compared."))
    gbq = activity_bq / BQ_PER_GBQ
    try:
        means, histograms = organ_doses_per_gbq(dose, known.settled, _tissue(case, dose), gbq)
    except DosimetryError as error:
        return Beside(key, why_not=str(error))
    return Beside(key, at.text(dose, "Engine"), gbq, means, histograms)


def organ_doses_per_gbq(
    dose: Any, vois: tuple[Voi, ...], maps: tuple[NDArray[Any], NDArray[Any]] | None, gbq: float
) -> tuple[dict[str, float], tuple[Dvh, ...]]:
    """Mass-weighted means [Gy/GBq] and histograms of the organs on a dose volume; smaller volumes first, as organs_on.

    maps: density [g/cm3] and medium (0: air) on the dose's grid; without them the plain mean of all voxels.
    """
    from RPTDosimetryLib.evaluation.dvh import dvh
    from RPTDosimetryLib.evaluation.organ_table import dose_summary
    from RPTDosimetryLib.physics.hounsfield import density_from_hu
    from RPTDosimetryLib.prediction.common_grid import BONE_LESION_HU, common_name

    grid, gray = grid_of_volume(dose), slicer.util.arrayFromVolume(dose)
    taken = np.zeros(grid.shape_zyx, dtype=bool) if maps is None else maps[1] == 0
    bone = float(density_from_hu(np.array([BONE_LESION_HU]))[0])
    masks: dict[str, NDArray[np.bool_]] = {}
    for voi in sorted((v for v in vois if v.grid.same_as(grid)), key=lambda voi: voi.volume_ml):
        mask = voi.mask & ~taken
        dense = maps is not None and mask.any() and float(np.median(maps[0][mask])) > bone
        name = common_name(voi.name, voi.kind, bool(dense))
        if name is None or not mask.any():
            continue
        taken |= mask
        masks[name] = masks[name] | mask if name in masks else mask
    means, histograms = {}, []
    for name, mask in masks.items():
        density = None if maps is None else maps[0][mask]
        summary = dose_summary(gray[mask], density, grid.voxel_volume_ml, name=name)
        means[name] = summary.mean_gy / gbq
        histograms.append(dvh(gray[mask] / gbq, grid.voxel_volume_ml, name))
    return means, tuple(histograms)


def _tissue(case: Case, dose: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Density and medium where both lie on the grid of the dose."""
    nodes, grid = (case.node(at.DENSITY), case.node(at.MEDIUM)), grid_of_volume(dose)
    if any(node is None or not grid_of_volume(node).same_as(grid) for node in nodes):
        return None
    return slicer.util.arrayFromVolume(nodes[0]), slicer.util.arrayFromVolume(nodes[1])
