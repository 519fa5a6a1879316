"""Plain image files (NRRD, NIfTI, MHD): one map in, one map out, geometry kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk

from RPTDosimetryLib.errors import ImageFileError, ReportError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.grid import grid_of, sitk_image
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.nifti_check import require_whole_nifti

ENDINGS = (".nrrd", ".nii", ".nii.gz", ".mhd", ".mha")


def is_image_file(path: Path) -> bool:
    """True for the endings that read_image takes."""
    return path.name.lower().endswith(ENDINGS)


def read_image(path: Path, unit: str, undefined: Literal["refuse", "keep"] = "refuse") -> Image:
    """One 3-D scalar image, float32 unless stored as whole numbers; ``unit`` is what the caller knows the values to be.

    undefined "keep": NaN stays, for maps that have it where nothing was judged (gamma). Raises ImageFileError: no such
    file, unreadable, not three-dimensional, or NaN/inf among the values.
    """
    if not path.is_file():
        raise ImageFileError(f"{path}: no such file.")
    if not is_image_file(path):
        raise ImageFileError(f"{path}: not an image file this program reads ({', '.join(ENDINGS)}).")
    if path.name.lower().endswith((".nii", ".nii.gz")):
        require_whole_nifti(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ImageFileError(f"{path} cannot be read as an image: {reason} Check that the file is complete.") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ImageFileError(
            f"{path} has {image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} values a voxel; "
            "one value on a 3-D grid is needed."
        )
    voxels = sitk.GetArrayFromImage(image)
    if voxels.dtype.kind == "f":
        voxels = voxels.astype(np.float32, copy=False)
        bad = int(np.count_nonzero(np.isinf(voxels) if undefined == "keep" else ~np.isfinite(voxels)))
        if bad:
            raise ImageFileError(f"{path} holds {bad} voxels that are NaN or infinite. Repair the map first.")
    return Image(voxels, grid_of(image), unit)


def require_image_name(path: Path) -> None:
    """Raise ImageFileError for an ending that write_image does not know: asked before long work, not after it."""
    if not is_image_file(path):
        raise ImageFileError(f"{path}: choose one of the endings {', '.join(ENDINGS)}.")


def header_text(path: Path, key: Literal["unit", "method"]) -> str:
    """Unit, or how the map was made, as write_image put it into the header; empty where the file does not say."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return ""
    return str(reader.GetMetaData(key)) if reader.HasMetaDataKey(key) else ""


def write_image(image: Image, path: Path, method: str = "") -> None:
    """Write one map, compressed, whole or not at all; the ending chooses the format. Raises ReportError.

    Unit, and how the map was made (method), go into the header where the format has room for them (NRRD, MHD).
    """
    require_image_name(path)
    voxels = image.voxels.astype(np.float32) if image.voxels.dtype == np.float64 else image.voxels
    out = sitk_image(voxels, image.grid)
    out.SetMetaData("unit", image.unit)
    if method:
        out.SetMetaData("method", method)
    if path.suffix.lower() == ".mhd":
        _write_header_and_raw(out, path)
        return
    with whole_file(path) as temporary:
        _write(out, temporary)


def _write(image: sitk.Image, path: Path) -> None:
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(str(error).strip().splitlines()[-1].strip()) from error


def _write_header_and_raw(image: sitk.Image, path: Path) -> None:
    """An MHD names its voxel file: both are written under their final names elsewhere, then moved, header last."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as temporary:
            _write(image, Path(temporary) / path.name)
            for part in sorted(Path(temporary).iterdir(), key=lambda part: part.name == path.name):
                part.chmod(0o644)
                os.replace(part, path.parent / part.name)
    except OSError as error:
        raise ReportError(f"{path} could not be written ({error}). Free some space or choose another place.") from error
