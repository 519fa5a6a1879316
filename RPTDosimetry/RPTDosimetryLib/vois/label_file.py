"""Organs of a CT as a label file that keeps their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import SimpleITK as sitk

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import sitk_image
from RPTDosimetryLib.records import Cancelled, Image, Progress, never, silent
from RPTDosimetryLib.study.read_ct import read_ct
from RPTDosimetryLib.vois.label_map import label_volumes_ml
from RPTDosimetryLib.vois.listing import named
from RPTDosimetryLib.vois.total_segmentator import TotalSegmentatorSettings, segment_ct

ENDING: Final = ".nrrd"


def segment_to_file(
    ct: Path,
    out: Path,
    settings: TotalSegmentatorSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> dict[str, Any]:
    """Organs of a CT (image file, or folder with one CT series) as labels on its grid, and what was found [mL].

    Raises ConfigurationError for an ending other than .nrrd, VoiError as segment_ct does.
    """
    if out.suffix.lower() != ENDING:
        raise ConfigurationError(f"{out}: labels are written as {ENDING}, which keeps their names. Choose that ending.")
    found = segment_ct(read_ct(ct), settings, progress, cancelled)
    write_labels(found.labels, found.names, out, found.method)
    volumes_ml = label_volumes_ml(found.labels)
    return {
        "out": out,
        "method": found.method,
        "unit": "mL",
        "organs": [
            {"label": n, **named(name, None), "volume_ml": volumes_ml[n]} for n, name in sorted(found.names.items())
        ],
        "warnings": list(found.warnings),
    }


def write_labels(labels: Image, names: dict[int, str], path: Path, method: str = "") -> None:
    """A label image whose header names its labels as 3D Slicer's segmentations do, whole or not at all."""
    image = sitk_image(labels.voxels.astype("uint16" if max(names, default=0) > 255 else "uint8"), labels.grid)
    for index, (number, name) in enumerate(sorted(names.items())):
        for key, value in (("ID", f"Segment_{number}"), ("Name", name), ("LabelValue", str(number)), ("Layer", "0")):
            image.SetMetaData(f"Segment{index}_{key}", value)
    if method:
        image.SetMetaData("method", method)
    with whole_file(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise OSError(str(error).strip().splitlines()[-1].strip()) from error
