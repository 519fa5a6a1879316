"""Voxel values of DICOM files: stored values, their rescaling, and what unit the header proves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.study.activity_units import read_unit
from RPTDosimetryLib.study.dicom_values import number


@dataclass(frozen=True)
class Rescale:
    """value = slope·stored + intercept, in ``unit`` as the header writes it (None where it does not say)."""

    slope: float = 1.0
    intercept: float = 0.0
    unit: str | None = None


def stored_values(dataset: Any, path: Path) -> NDArray[Any]:
    """The pixel array, whole. Raises StudyError when pixels are cut off, not finite or compressed in an unknown way."""
    try:
        values = dataset.pixel_array
    except RuntimeError as error:
        raise StudyError(
            f"{path} is compressed ({dataset.file_meta.TransferSyntaxUID.name}) in a way this installation cannot "
            "unpack: export it uncompressed."
        ) from error
    except (ValueError, AttributeError, EOFError) as error:
        raise StudyError(f"{path} has incomplete pixel data ({str(error).splitlines()[0]}): copy it again.") from error
    if dataset.get("SamplesPerPixel", 1) != 1:
        raise StudyError(f"{path} is a colour image: one value a voxel is needed. Leave it out with ignore.")
    if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
        raise StudyError(f"{path} holds {np.count_nonzero(~np.isfinite(values))} voxels that are NaN or infinite.")
    return values


def rescale_of(dataset: Any, path: Path) -> Rescale:
    """How to get real values from stored ones, and the unit that the header proves for them.

    A RealWorldValueMapping (0040,9096) in Bq/mL or counts comes before RescaleSlope/Intercept; Units (0054,1001) is the
    unit of rescaled values. Raises StudyError for a slope that is not positive.
    """
    mapped = _real_world_mapping(dataset, path)
    rescale = plain_rescale(dataset, path) if mapped is None else mapped
    if rescale.slope <= 0:
        raise StudyError(f"{path}: a rescale slope of {rescale.slope:g} cannot give activities. Export the file again.")
    return rescale


def plain_rescale(dataset: Any, path: Path) -> Rescale:
    """RescaleSlope and RescaleIntercept, with Units where present."""
    slope, intercept = number(dataset, "RescaleSlope", path), number(dataset, "RescaleIntercept", path)
    unit = str(dataset.get("Units", "") or "").strip()
    return Rescale(1.0 if slope is None else slope, intercept or 0.0, unit or None)


def rescaled(stored: NDArray[Any], rescale: Rescale) -> NDArray[np.float32]:
    """slope·stored + intercept, float32; stored whole numbers up to 2²⁴ lose nothing."""
    if rescale.slope == 1.0 and rescale.intercept == 0.0:
        return stored.astype(np.float32)
    return (stored.astype(np.float64) * rescale.slope + rescale.intercept).astype(np.float32)


def _real_world_mapping(dataset: Any, path: Path) -> Rescale | None:
    for item in dataset.get("RealWorldValueMappingSequence", []):
        codes = item.get("MeasurementUnitsCodeSequence", [])
        unit = str(codes[0].get("CodeValue", "")) if codes else ""
        slope, intercept = number(item, "RealWorldValueSlope", path), number(item, "RealWorldValueIntercept", path)
        if slope is not None and read_unit(unit) is not None:
            return Rescale(slope, intercept or 0.0, unit)
    return None
