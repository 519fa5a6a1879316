"""Image of the library ↔ scalar volume node, with the unit in the node."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.geometry import grid_of_volume, set_grid
from RPTDosimetryLib.errors import GridMismatchError
from RPTDosimetryLib.records import Image

UNIT = "Unit"
#: Code, scheme and meaning of (quantity, unit) for vtkCodedEntry: DICOM PS3.16 and UCUM.
_CODES = {
    "Bq/mL": (("110821", "DCM", "Nuclear Medicine Tomographic Activity"), ("Bq/ml", "UCUM", "Becquerels/milliliter")),
    "counts": (("110821", "DCM", "Nuclear Medicine Tomographic Activity"), ("{counts}", "UCUM", "Counts")),
    "HU": (("112031", "DCM", "Attenuation Coefficient"), ("[hnsf'U]", "UCUM", "Hounsfield unit")),
    "g/cm3": (("127003", "99RPT", "Mass density"), ("g/cm3", "UCUM", "g/cm³")),
    "Bq·s": (("127001", "99RPT", "Time-integrated activity"), ("Bq.s", "UCUM", "Bq·s")),
    "%": (("127004", "99RPT", "Relative error"), ("%", "UCUM", "%")),
    "SUV": (
        ("126400", "DCM", "Standardized Uptake Value"),
        ("{SUVbw}g/ml", "UCUM", "Standardized Uptake Value body weight"),
    ),
    "Gy": (("128513", "DCM", "Absorbed Dose"), ("Gy", "UCUM", "Gy")),
}
#: Colour table of a role, by its name in Slicer's colour logic.
_COLOURS = {
    at.SPECT: "vtkMRMLPETProceduralColorNodePET-Heat",
    at.ACTIVITY: "vtkMRMLPETProceduralColorNodePET-Heat",
    at.REGISTERED: "vtkMRMLPETProceduralColorNodePET-Heat",
    at.TIA: "vtkMRMLPETProceduralColorNodePET-Heat",
    at.DOSE: "vtkMRMLColorTableNodeRainbow",
}
#: Share of the colour scale below which an overlay is transparent (a matter of display only): activity, dose.
_SEEN_FROM = 0.1
DOSE_SEEN_FROM = 0.02
#: Abdominal soft tissue; (width, level) [HU].
_CT_WINDOW = (400.0, 40.0)


def volume_from_image(image: Image, name: str, role: str) -> Any:
    """A new volume node in slicer.mrmlScene with the voxels, geometry, unit and role."""
    kind = "vtkMRMLLabelMapVolumeNode" if role in (at.LABELS, at.MEDIUM, at.SEEN) else "vtkMRMLScalarVolumeNode"
    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    at.write(node, at.ROLE, role)
    put_image(node, image)
    node.CreateDefaultDisplayNodes()
    dress(node, role)
    return node


def put_image(node: Any, image: Image) -> None:
    """Replace voxels, geometry and unit of a volume node."""
    voxels = image.voxels
    if voxels.dtype == np.float64:
        voxels = voxels.astype(np.float32)
    elif voxels.dtype == np.int64:  # not drawn by Slicer
        voxels = voxels.astype(np.int32)
    elif voxels.dtype == bool:
        voxels = voxels.astype(np.uint8)
    set_grid(node, image.grid)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(voxels))
    set_unit(node, image.unit)


def set_unit(node: Any, unit: str) -> None:
    """State the unit of the voxel values: as attribute, and as the coded quantity and unit that Slicer knows."""
    at.write(node, UNIT, unit)
    if not hasattr(node, "SetVoxelValueUnits"):
        return
    codes = _CODES.get(unit)
    node.SetVoxelValueQuantity(None if codes is None else _coded(codes[0]))
    node.SetVoxelValueUnits(None if codes is None else _coded(codes[1]))


def dress(node: Any, role: str) -> None:
    """Colours, window and threshold of a role, whatever another view has made of them."""
    display = node.GetDisplayNode()
    colours = _COLOURS.get(role)
    if display is None:
        return
    if colours is not None and slicer.mrmlScene.GetNodeByID(colours) is not None:
        display.SetAndObserveColorNodeID(colours)
    if role == at.CT:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(*_CT_WINDOW)
    elif colours is not None:
        from RPTDosimetryLib.registration.checkerboard import shown_top

        voxels = slicer.util.arrayFromVolume(node)
        highest = float(voxels.max())
        top = highest if role == at.DOSE else shown_top(voxels)  # one hot lesion would leave every organ dark
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0.0, top if highest > 0 else 1.0)
        seen_from = DOSE_SEEN_FROM if role == at.DOSE else _SEEN_FROM
        display.SetThreshold(seen_from * top, highest)  # the CT stays readable where there is next to nothing
        display.SetApplyThreshold(highest > 0)


def with_unit(name: str, unit: str) -> str:
    """The name with the unit at its end, where Slicer's data probe shows it; as it was where the unit is not known."""
    return without_unit(name) + (f" [{unit}]" if unit in _CODES else "")


def without_unit(name: str) -> str:
    """The name without a unit of ours at its end."""
    return next((name.removesuffix(f" [{unit}]") for unit in _CODES if name.endswith(f" [{unit}]")), name)


def image_of(node: Any) -> Image:
    """The voxels (a copy), geometry and unit of a volume node, in its own space.

    Raises GridMismatchError for a volume without voxels or with axes that are not perpendicular.
    """
    grid = grid_of_volume(node)
    voxels = slicer.util.arrayFromVolume(node)
    if voxels.ndim != 3:
        raise GridMismatchError(f"The volume {node.GetName()} has more than one value a voxel.")
    return Image(np.array(voxels), grid, at.text(node, UNIT, "unknown"))


def _coded(code: tuple[str, str, str]) -> Any:
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(*code)
    return entry
