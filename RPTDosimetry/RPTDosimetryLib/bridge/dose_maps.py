"""What of a dose can be shown: itself, its statistical error, and what else its engine tells of it, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.dose_colours import dose_colours
from RPTDosimetryLib.bridge.map_colours import diverging, dress, symmetric_limit
from RPTDosimetryLib.bridge.volumes import image_of, volume_from_image, with_unit
from RPTDosimetryLib.records import DoseMap, Image

#: Names of DoseMap.extra_maps: what the box, the legend and the volume call them.
_TOLD: Final[dict[str, tuple[str, str, str]]] = {
    "correction_gy": (_("correction, hybrid − MSV-8"), _("Hybrid − MSV-8"), _("Correction")),
    "member_sd_gy": (_("spread of the networks, 1 SD"), _("Spread of the networks, 1 SD"), _("Spread of networks")),
    "correction_electrons_gy": (_("correction by electrons"), _("Correction by electrons"), _("Electron correction")),
    "correction_photons_gy": (_("correction by photons"), _("Correction by photons"), _("Photon correction")),
}
#: Of attribution: part of the correction that a map given to the network drove, by the map's name.
_DRIVEN_BY: Final = "correction_from_"
_INPUTS: Final[dict[str, str]] = {
    "hu": _("the CT numbers"),
    "tia": _("the activity"),
    "msv8": _("the MSV dose"),
}
_NAME: Final = "Map"
DOSE, ERROR, RELATIVE = "dose", "error", "relative"
#: The scale of an error map ends where this many of its voxels do: a few at the rim are far higher.
_SHOWN_PERCENTILE: Final = 99.0
#: Of maps of an engine: lesions, the hottest and often less than 1 % of the body, are to keep their shades.
_SHOWN_PERCENTILE_OF_BODY: Final = 99.9
_COLOURS: Final = "Correction colours"


@dataclass(frozen=True)
class Shown:
    """A map that can lie over the CT: the key that settings know it by, and what box and legend say."""

    key: str
    label: str
    legend: str
    node: Any


def maps_shown_of(case: Case, dose: Any) -> list[Shown]:
    """Whatever can be shown of a dose volume, itself first."""
    engine = at.text(dose, "Engine")
    found = [Shown(DOSE, _("dose"), _("Absorbed dose [Gy]"), dose)]
    for key, role, label, legend in (
        (ERROR, at.DOSE_ERROR, _("standard error in Gy"), _("Standard error of the dose [Gy]")),
        (RELATIVE, at.RELATIVE_ERROR, _("standard error in % of the dose"), _("Relative error of the dose [%]")),
    ):
        found += [Shown(key, label, legend, node) for node in case.nodes(role) if at.text(node, "Engine") == engine]
    for node in _nodes_of(case, engine):
        name, unit = at.text(node, _NAME), at.text(node, "Unit")
        label, legend, _title = _told(name)
        found.append(Shown(name, f"{label}, {unit}", f"{legend} [{unit}]", node))
    return found


def put_engine_maps(dose: DoseMap) -> list[Any]:
    """DoseMap.extra_maps as volumes: what can be negative in blue and red around 0, the rest as doses are.

    Air, where there is no dose, is NaN in the volume and so stays clear; engine_maps_of gives the 0 back.
    """
    made = []
    for name, image in dose.extra_maps.items():
        title = f"{_told(name)[2]} of dose {dose.engine}"
        air = (dose.image.voxels == 0.0) & (image.voxels == 0.0)
        clear = image.with_voxels(np.where(air, np.float32(np.nan), image.voxels))
        node = volume_from_image(clear, with_unit(title, image.unit), at.ENGINE_MAP)
        at.write_all(node, Engine=dose.engine, Map=name, Method=dose.method)
        limit = symmetric_limit(image.voxels, _SHOWN_PERCENTILE_OF_BODY)
        if name.startswith("correction") or float(image.voxels.min()) < 0.0:
            dress(node, _correction_colours(), -limit, limit)
        else:
            dress(node, dose_colours(), 0.0, limit)
        made.append(node)
    return made


def _with_air(image: Image) -> Image:
    return image.with_voxels(np.nan_to_num(image.voxels, nan=0.0))


def engine_maps_of(case: Case, engine: str) -> dict[str, Image]:
    """What put_engine_maps left of an engine, by name."""
    return {at.text(node, _NAME): _with_air(image_of(node)) for node in _nodes_of(case, engine)}


def dress_error(node: Any) -> None:
    """The colours of dose from 0 to what all but a few voxels hold."""
    values = slicer.util.arrayFromVolume(node)
    known = values[np.isfinite(values)]
    top = float(np.percentile(known, _SHOWN_PERCENTILE)) if known.size else 0.0
    dress(node, dose_colours(), 0.0, top if top > 0 else 1.0)


def _nodes_of(case: Case, engine: str) -> list[Any]:
    return [node for node in case.nodes(at.ENGINE_MAP) if at.text(node, "Engine") == engine]


def _told(name: str) -> tuple[str, str, str]:
    """Words for the box, the legend and the volume of a map."""
    if name in _TOLD:
        return _TOLD[name]
    if name.startswith(_DRIVEN_BY):
        by = name.removeprefix(_DRIVEN_BY).removesuffix("_gy")
        told = _("Correction driven by {what}").format(what=_INPUTS.get(by, by))
        return told[0].lower() + told[1:], told, told
    plain = name.replace("_", " ")
    return plain, plain, plain


def _correction_colours() -> Any:
    """The table of the scene: blue below 0, white at 0, red above it."""
    node = slicer.mrmlScene.GetFirstNode(_COLOURS, "vtkMRMLColorTableNode")
    return diverging(_COLOURS) if node is None else node
