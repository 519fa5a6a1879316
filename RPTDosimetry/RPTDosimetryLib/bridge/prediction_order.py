"""What step Predict predicts from: the PET/CT, its organs and what a person says of them, gathered from the scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.other_segmentations import segments_as_they_lie
from RPTDosimetryLib.bridge.prediction_parameters import OrgansOfPet, OtherMethods, PetFrom, PetRefersTo, PetUnit
from RPTDosimetryLib.bridge.quantified import ct_node_of
from RPTDosimetryLib.bridge.registered import reference_number
from RPTDosimetryLib.bridge.volumes import UNIT, image_of
from RPTDosimetryLib.bridge.volumes_of_interest import content_of, unreviewed, vois_of_case
from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.units import BQ_PER_MBQ

if TYPE_CHECKING:
    from RPTDosimetryLib.prediction.pet_images import PetImages
    from RPTDosimetryLib.prediction.pet_study import PetFacts
    from RPTDosimetryLib.prediction.predict_study import PredictionOrder

#: Node references of the parameter node: which volumes and which segmentation are predicted from.
PET, CT, ORGANS = "RPTDosimetry.predictPet", "RPTDosimetry.predictCt", "RPTDosimetry.predictOrgans"
#: What a volume may state as its coded unit.
_STATED = {"bq/ml": "Bq/mL", "{suvbw}g/ml": "SUV", "g/ml{suvbw}": "SUV"}
_CHOSEN = {PetUnit.unknown: "unknown", PetUnit.bq_per_ml: "Bq/mL", PetUnit.suv: "SUV"}


def chosen(case: Case, what: str) -> Any:
    """The node that was chosen as PET, CT or ORGANS; None where none is."""
    return case.node_of_settings.GetNodeReference(what)


def choose(case: Case, what: str, node: Any) -> None:
    """Remember a choice in the parameter node."""
    if chosen(case, what) is not node:
        case.node_of_settings.SetNodeReferenceID(what, None if node is None else node.GetID())


def stated_unit(node: Any) -> str:
    """Bq/mL or SUV where a PET volume says so itself; empty where it does not."""
    units = None if node is None else node.GetVoxelValueUnits()
    coded = "" if units is None else str(units.GetCodeValue() or "")
    return _STATED.get(coded.lower(), "")


def unit_of_pet(case: Case) -> str:
    """What the chosen PET volume states, else what the panel says of it; "unknown" where neither does."""
    return stated_unit(chosen(case, PET)) or _CHOSEN[case.parameters.predict.petUnit]


def _refers_to(case: Case) -> Literal["START", "ADMIN"] | None:
    told = {PetRefersTo.START: "START", PetRefersTo.ADMIN: "ADMIN"}
    return told.get(case.parameters.predict.refersTo)  # type: ignore[return-value]


def therapy_ct_node(case: Case) -> Any:
    """The CT of the therapy that doses and volumes of interest lie on; None without one."""
    if case.node(at.SEEN) is not None:
        return ct_node_of(case, reference_number(case))
    return next((point.ct for point in case.time_points() if point.ct is not None), None)


# what is missing ------------------------------------------------------------------------------------------------------


def begun(case: Case) -> bool:
    """Whether somebody has said from what to predict."""
    told = case.parameters.predict
    return bool(told.folder.strip()) or chosen(case, PET) is not None


def missing(case: Case) -> list[str]:
    """One sentence for each thing that is not chosen or said."""
    told = case.parameters.predict
    lacking = [*_missing_pet(case), *_missing_organs(case)]
    if told.align and therapy_ct_node(case) is None:
        lacking.append(_("There is no CT of the therapy to align with: add time points in step Study, or untick it."))
    if not told.plannedGbq > 0:
        lacking.append(_("Give the planned activity of the therapy [GBq]."))
    return lacking


def _missing_pet(case: Case) -> list[str]:
    told = case.parameters.predict
    if told.source is PetFrom.folder:
        if not told.folder.strip():
            return [_("Choose the folder of the PET/CT (DICOM).")]
        there = Path(told.folder).is_dir()
        return [] if there else [_("{path} is no folder: choose that of the PET/CT.").format(path=told.folder)]
    from RPTDosimetryLib.prediction.pet_images import missing_facts

    pet, ct = chosen(case, PET), chosen(case, CT)
    lacking = []
    for what, node in (("PET", pet), ("CT", ct)):
        if node is None:
            lacking.append(_("Choose the volume of the {what}.").format(what=what))
        elif node.GetImageData() is None:
            lacking.append(_("{name} holds no voxels: choose another volume.").format(name=node.GetName()))
        elif node.GetParentTransformNode() is not None:
            lacking.append(_("{name} lies under a transform: harden it first.").format(name=node.GetName()))
    if lacking:
        return lacking
    if pet is ct:
        return [_("The PET is the CT: choose two volumes.")]
    if at.text(ct, UNIT, "HU") not in ("HU", "unknown"):
        return [_("{name} is not in HU: choose the CT of the PET/CT.").format(name=ct.GetName())]
    return missing_facts(unit_of_pet(case), _refers_to(case), told.tracer or None, facts(case))


def _missing_organs(case: Case) -> list[str]:
    from RPTDosimetryLib.prediction.common_grid import common_name, require_organs

    told = case.parameters.predict
    if told.organs is OrgansOfPet.file:
        if not told.labels.strip():
            return [_("Choose the file with the organs (label image, SEG or RTSTRUCT).")]
        there = Path(told.labels).is_file()
        return [] if there else [_("{path} is no file: choose that of the organs.").format(path=told.labels)]
    node = chosen(case, ORGANS)
    if node is None:
        return [_("Choose the segmentation with the organs.")]
    if node.GetParentTransformNode() is not None:
        return [_("{name} lies under a transform: harden it first.").format(name=node.GetName())]
    segmentation = node.GetSegmentation()
    names = [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]
    try:
        require_organs({common_name(str(name)) for name in names})
    except PredictionError as error:
        return [str(error)]
    return []


# what it is made from -------------------------------------------------------------------------------------------------


def unreviewed_organs(case: Case) -> list[str]:
    """What nobody has accepted, where the organs are the case's own volumes of interest."""
    ours = case.parameters.predict.organs is OrgansOfPet.scene and _is_ours(case, chosen(case, ORGANS))
    return unreviewed(case) if ours else []


def settings(case: Case) -> list[Any]:
    """All that changes the prediction, JSON-able; files by their path and time."""
    told = case.parameters.predict
    parts: list[Any] = [told.source.name, told.organs.name, told.align, told.tracer, told.agent, told.method]
    parts += [told.weightKg, told.injectedMbq, told.minutes, told.plannedGbq, told.others.name, told.thoughUnlike]
    parts += [told.model, _written(told.model)]
    if told.source is PetFrom.folder:
        parts.append(told.folder)
    else:
        parts += [told.petUnit.name, told.refersTo.name, case.content([chosen(case, PET), chosen(case, CT)])]
    if told.organs is OrgansOfPet.file:
        parts += [told.labels, _written(told.labels)]
    else:
        node = chosen(case, ORGANS)
        parts.append(content_of(case) if _is_ours(case, node) else case.content([node]))
    return [*parts, case.content([therapy_ct_node(case)]) if told.align else ""]


def facts(case: Case) -> PetFacts:
    """What a person says of the PET; 0 is nothing said."""
    from RPTDosimetryLib.prediction.pet_study import PetFacts

    told = case.parameters.predict
    return PetFacts(told.weightKg or None, told.injectedMbq * BQ_PER_MBQ or None, told.minutes or None)


def order_of(case: Case) -> PredictionOrder:
    """The order of the prediction, as the panel says. Raises VoiError, GridMismatchError for what cannot be used."""
    from RPTDosimetryLib.prediction.methods import method_choices
    from RPTDosimetryLib.prediction.predict_study import PredictionOrder

    told = case.parameters.predict
    wanted = {OtherMethods.none: (), OtherMethods.quick: (True,), OtherMethods.every: (True, False)}[told.others]
    return PredictionOrder(
        source=Path(told.folder) if told.source is PetFrom.folder else _images(case),
        organs=Path(told.labels) if told.organs is OrgansOfPet.file else _organs(case),
        method=told.method,
        model=model_of(case),
        tracer=told.tracer or None,
        said=facts(case),
        agent=told.agent,
        therapy_ct=_in_hu(therapy_ct_node(case)) if told.align else None,
        though_unlike=told.thoughUnlike,
        others=tuple(choice.name for choice in method_choices() if choice.quick in wanted and not choice.lacks),
        patient=at.text(case.node_of_settings, "PatientId") if case.nodes(at.SPECT) else "",
    )


def model_of(case: Case) -> Path | None:
    """The model in place of the shipped one; None for that."""
    told = case.parameters.predict.model.strip()
    return Path(told) if told else None


def _images(case: Case) -> PetImages:
    from RPTDosimetryLib.prediction.pet_images import PetImages

    node = chosen(case, PET)
    pet = image_of(node)
    image = Image(pet.voxels, pet.grid, unit_of_pet(case))
    return PetImages(image, _in_hu(chosen(case, CT)), _refers_to(case), node.GetName())


def _in_hu(node: Any) -> Image:
    image = image_of(node)
    return Image(image.voxels, image.grid, "HU") if image.unit == "unknown" else image


def _organs(case: Case) -> tuple[Voi, ...]:
    """The case's own volumes settled by its rules; of another segmentation every segment on its own grid."""
    from RPTDosimetryLib.vois.delineate import kind_of_segment

    node = chosen(case, ORGANS)
    if _is_ours(case, node):
        return vois_of_case(case)
    source = f"segmentation {node.GetName()}"
    parts = segments_as_they_lie(node)
    return tuple(Voi(part.name, part.mask, part.grid, kind_of_segment(part), source) for part in parts)


def _is_ours(case: Case, node: Any) -> bool:
    return node is not None and node is case.node(at.VOIS)


def _written(path: str) -> int:
    """When a file was written last [ns]; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime_ns if path.strip() else 0
    except OSError:
        return 0
