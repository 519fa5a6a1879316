"""TiaMap and DoseMap of the library ↔ volumes of the scene, with all that made them in the node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.dose_colours import dose_colours
from RPTDosimetryLib.bridge.dose_maps import dress_error, engine_maps_of, put_engine_maps
from RPTDosimetryLib.bridge.hybrid_choices import accepted, fell_back
from RPTDosimetryLib.bridge.volumes import image_of, volume_from_image
from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.records import DoseMap, Image, TiaMap

#: What SlicerRT's own modules ask of a dose volume.
SLICER_RT = {"DicomRtImport.DoseVolume": "1"}
#: And of the study item above it: the unit, and Gy per voxel value.
SLICER_RT_STUDY = {"DicomRtImport.DoseUnitName": "GY", "DicomRtImport.DoseUnitValue": "1.0"}

#: Roles of the maps that come with a dose.
MAPS = (at.DOSE_ERROR, at.RELATIVE_ERROR, at.ENGINE_MAP)
#: Below this share of the highest dose a relative error says nothing.
LEAST_SHARE = 0.01


def put_tia(case: Case, tia: TiaMap) -> Any:
    """The map as a volume in place of an older one."""
    for old in case.nodes(at.TIA):
        case.remove(old)
    node = volume_from_image(tia.image, "Time-integrated activity [Bq·s]", at.TIA)
    at.write_all(
        node,
        Model=tia.model,
        ExtrapolatedFraction=float(tia.extrapolated_fraction),
        Warnings=list(tia.warnings),
        Parameters=_told(tia.parameters),
    )
    _place(case, node, "Kinetics")
    return node


def tia_of_case(case: Case) -> TiaMap:
    """The map that step Kinetics made. Raises DoseError without one."""
    node = case.node(at.TIA)
    if node is None:
        raise DoseError("There is no map of time-integrated activity yet: run step Kinetics.")
    return TiaMap(
        image=image_of(node),
        model=at.text(node, "Model"),
        extrapolated_fraction=at.number(node, "ExtrapolatedFraction") or 0.0,
        warnings=at.lines(node, "Warnings"),
        parameters=at.mapping(node, "Parameters"),
    )


def put_dose(case: Case, dose: DoseMap) -> list[Any]:
    """The dose of an engine as a volume [Gy] in place of that engine's older one; with whatever maps it comes with."""
    for old in [node for role in (at.DOSE, *MAPS) for node in case.nodes(role)]:
        if at.text(old, "Engine") == dose.engine:
            case.remove(old)
    node = volume_from_image(dose.image, f"Dose {dose.engine} [Gy]", at.DOSE)
    at.write_all(
        node,
        Engine=dose.engine,
        Method=dose.method,
        Nuclide=dose.nuclide,
        Warnings=list(dose.warnings),
        Parameters=_told(dose.parameters),
        RegionErrorsGy=dict(dose.region_errors_gy),
    )
    node.GetDisplayNode().SetAndObserveColorNodeID(dose_colours().GetID())
    for name, value in SLICER_RT.items():
        node.SetAttribute(name, value)
    if fell_back(node):
        node.SetName(f"Dose {dose.engine}: MSV-8 in its place [Gy]")
    made = [node, *([] if dose.standard_error is None else _put_errors(dose, dose.standard_error))]
    made += put_engine_maps(dose)
    for each in made:
        _place(case, each, "Dose")
    return made


def error_node(case: Case, engine: str, role: str) -> Any:
    """The standard error (at.DOSE_ERROR) or the relative one (at.RELATIVE_ERROR) of an engine's dose, or None."""
    return next((node for node in case.nodes(role) if at.text(node, "Engine") == engine), None)


def _put_errors(dose: DoseMap, error: Image) -> list[Any]:
    """The standard error in Gy, and in % of the dose: NaN where that is below 1 % of its maximum."""
    absolute = volume_from_image(error, f"Standard error of dose {dose.engine} [Gy]", at.DOSE_ERROR)
    relative = volume_from_image(
        relative_error(dose.image, error), f"Relative error of dose {dose.engine} [%]", at.RELATIVE_ERROR
    )
    for node in (absolute, relative):
        at.write(node, "Engine", dose.engine)
        dress_error(node)
    return [absolute, relative]


def relative_error(dose: Image, error: Image) -> Image:
    """100·σ/D [%] where D is at least LEAST_SHARE of its maximum, NaN elsewhere."""
    import numpy as np

    counted = (dose.voxels >= LEAST_SHARE * dose.voxels.max()) & (dose.voxels > 0)
    percent = np.full(dose.voxels.shape, np.nan, dtype=np.float32)
    percent[counted] = 100.0 * error.voxels[counted] / dose.voxels[counted]
    return Image(percent, dose.grid, "%")


def dose_of(case: Case, node: Any) -> DoseMap:
    """The DoseMap of a dose volume of the case."""
    engine = at.text(node, "Engine")
    errors = [other for other in case.nodes(at.DOSE_ERROR) if at.text(other, "Engine") == engine]
    return DoseMap(
        image=image_of(node),
        engine=engine,
        method=at.text(node, "Method"),
        nuclide=at.text(node, "Nuclide"),
        standard_error=image_of(errors[-1]) if errors else None,
        region_errors_gy=_region_errors(node),
        warnings=at.lines(node, "Warnings"),
        parameters=_parameters(node),
        extra_maps=engine_maps_of(case, engine),
    )


def _parameters(node: Any) -> dict[str, Any]:
    """As the engine told them; with who accepted a dose that the guard would not, where somebody has."""
    told, by = at.mapping(node, "Parameters"), accepted(node)
    return {**told, "guard": {**told["guard"], "accepted": by}} if by else told


def _region_errors(node: Any) -> dict[str, float]:
    """Errors of the mean doses of volumes; a scene of an older version has them among its parameters only."""
    own = at.mapping(node, "RegionErrorsGy")
    volumes = at.mapping(node, "Parameters").get("volumes", {})
    stated = {name: told.get("standard_error_gy") for name, told in dict(volumes).items()}
    return own or {name: float(error) for name, error in stated.items() if error is not None}


def doses_of_case(case: Case) -> list[DoseMap]:
    """Every dose map of the case, in the order of the scene; empty where none was computed yet."""
    return [dose_of(case, node) for node in case.nodes(at.DOSE)]


def _told(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON keeps them."""
    return dict(json.loads(json.dumps(dict(parameters), default=str)))


def _place(case: Case, node: Any, folder: str) -> None:
    study = hierarchy.study_item(at.text(case.node_of_settings, "PatientId"))
    for name, value in SLICER_RT_STUDY.items() if at.role(node) == at.DOSE else ():
        hierarchy.subject_hierarchy().SetItemAttribute(study, name, value)
    hierarchy.place(node, hierarchy.result_item(study, folder))
