"""The volumes of interest as an RT Structure Set: contours along the sides of their voxels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.report.dicom_object import LO, Exported, fitted, set_dates, start_object
from RPTDosimetryLib.study.dicom_files import RTSTRUCT
from RPTDosimetryLib.virtual_patient.dicom_identity import save
from RPTDosimetryLib.virtual_patient.rtstruct_writer import ReferencedSeries, add_structures


def write_structure_set(vois: Sequence[Voi], path: Path, exported: Exported) -> None:
    """One region a volume, in their order, on the slices of the dose grid; it refers to the images of the study.

    Filling the contours (inside where an odd number of them encloses a place) gives the masks back. Raises VoiError:
    no volume, or one without a voxel.
    """
    if not vois:
        raise VoiError("There is no volume of interest: a structure set needs at least one.")
    identity = exported.identity
    ds = Dataset()
    ds.update(identity.attributes)
    start_object(ds, RTSTRUCT, "RTSTRUCT", 4)
    ds.SeriesInstanceUID, ds.SOPInstanceUID = exported.uid("RTSTRUCT", "series"), exported.uid("RTSTRUCT", "instance")
    ds.StructureSetLabel, ds.OperatorsName = "DOSIMETRY", ""
    ds.SeriesDescription = "Volumes of interest"
    ds.StructureSetDate, ds.StructureSetTime = "", ""
    set_dates(ds, exported.created, ("InstanceCreation", "Series", "StructureSet"))
    referenced = None
    if identity.images:
        instances = tuple(instance for _class, instance in identity.images)
        referenced = ReferencedSeries(identity.series_instance_uid, identity.images[0][0], instances)
    add_structures(ds, ((fitted(voi.name, LO), voi.mask) for voi in vois), vois[0].grid, referenced)
    for roi, voi in zip(ds.StructureSetROISequence, vois, strict=True):
        roi.ROIDescription = fitted(voi.source or "source not recorded")
        roi.ROIGenerationAlgorithm = ""
    for observation, voi in zip(ds.RTROIObservationsSequence, vois, strict=True):
        observation.RTROIInterpretedType = {"organ": "ORGAN", "lesion": "GTV", "region": "EXTERNAL"}[voi.kind]
        if voi.kind == "region" and voi.name != "body":
            observation.RTROIInterpretedType = ""
        observation.ROIInterpreter = voi.review.reviewer.replace("^", " ")[:LO] if voi.review else ""
    save(ds, path)
