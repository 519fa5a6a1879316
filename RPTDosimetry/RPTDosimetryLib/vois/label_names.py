"""Names of labels that the label file itself carries: a NIfTI label table, or the header of Slicer's .seg.nrrd."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import SimpleITK as sitk

_NIFTI_HEADER_BYTES = {348: "<4B", 540: "<4B"}
_MOST_BYTES = 1 << 22


def label_names_in(path: Path) -> dict[int, str]:
    """Label → name as the file tells it; empty where it tells none, or tells it in a way that is not understood."""
    low = path.name.lower()
    if low.endswith((".nii", ".nii.gz")):
        return _of_nifti(path)
    if low.endswith((".nrrd", ".nhdr")):
        return _of_nrrd(path)
    return {}


def _of_nifti(path: Path) -> dict[int, str]:
    """The <LabelTable> of a header extension (the XML that Connectome Workbench and TotalSegmentator write).

    NIfTI: four bytes behind the header, the first not 0 when extensions follow; each one is esize, ecode, content.
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            content = stream.read(_MOST_BYTES)
        order = next(o for o in "<>" if struct.unpack_from(o + "i", content, 0)[0] in _NIFTI_HEADER_BYTES)
        at = struct.unpack_from(order + "i", content, 0)[0]
        if content[at] == 0:
            return {}
        at += 4
        (size,) = struct.unpack_from(order + "i", content, at)
        text = content[at + 8 : at + size].rstrip(b"\0 \n")
        table = ElementTree.fromstring(text.decode("utf-8")).iter("Label")
        return {int(item.attrib["Key"]): (item.text or "").strip() for item in table if (item.text or "").strip()}
    except (OSError, EOFError, zlib.error, struct.error, StopIteration, ValueError, KeyError, IndexError):
        return {}
    except ElementTree.ParseError:
        return {}


def _of_nrrd(path: Path) -> dict[int, str]:
    """SegmentN_LabelValue and SegmentN_Name of a segmentation saved by 3D Slicer."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return {}
    names = {}
    for key in reader.GetMetaDataKeys():
        number = re.fullmatch(r"(Segment\d+)_LabelValue", key)
        if number and reader.HasMetaDataKey(f"{number[1]}_Name"):
            value = reader.GetMetaData(key).strip()
            if value.isdigit():
                names[int(value)] = reader.GetMetaData(f"{number[1]}_Name").strip()
    return {label: name for label, name in names.items() if name}
