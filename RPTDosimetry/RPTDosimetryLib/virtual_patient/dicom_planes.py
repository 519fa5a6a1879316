"""A grid and its voxel values in the terms of DICOM slices."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ImageFileError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.virtual_patient.dicom_identity import decimal

STORED_MAX: Final = 65535


def set_plane(ds: Any, grid: Grid) -> None:
    """Pixel description of one slice: unsigned 16 bit."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = grid.shape_zyx[1], grid.shape_zyx[2]
    ds.PixelSpacing = [decimal(grid.spacing_mm[1]), decimal(grid.spacing_mm[0])]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0


def stored(values: NDArray[Any]) -> tuple[float, NDArray[np.uint16]]:
    """(slope, stored) with values = slope·stored to half a step; the slope is one that a DS holds exactly."""
    if float(values.min()) < 0 or not np.isfinite(values).all():
        raise ImageFileError("Activity below zero or not finite cannot be written as DICOM: correct the image first.")
    slope = float(str(decimal(float(values.max()) / STORED_MAX))) or 1.0
    return slope, np.minimum(np.rint(values.astype(np.float64) / slope), STORED_MAX).astype("<u2")


def stacking(grid: Grid) -> float:
    """+1 where slices follow the normal row × column, −1 where they run against it."""
    axes = np.reshape(grid.direction, (3, 3))
    return float(np.cross(axes[:, 0], axes[:, 1]) @ axes[:, 2])


def slice_position(grid: Grid, k: int) -> list[Any]:
    """ImagePositionPatient of slice k."""
    return [decimal(v) for v in (grid.lps_from_ijk @ [0.0, 0.0, float(k), 1.0])[:3]]


def orientation(grid: Grid) -> list[Any]:
    """ImageOrientationPatient: direction cosines of a row and of a column."""
    axes = np.reshape(grid.direction, (3, 3))
    return [decimal(v) for v in (*axes[:, 0], *axes[:, 1])]
