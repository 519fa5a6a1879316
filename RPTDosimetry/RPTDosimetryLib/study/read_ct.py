"""A CT in HU: a DICOM series or a plain image file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_files import CT, DicomFile, decoding, read_dicom, read_headers, source_of
from RPTDosimetryLib.study.dicom_geometry import stack_slices
from RPTDosimetryLib.study.dicom_pixels import plain_rescale, rescaled, stored_values
from RPTDosimetryLib.study.dicom_values import date_of, time_of_day, time_zone, words
from RPTDosimetryLib.study.image_files import is_image_file, read_image
from RPTDosimetryLib.study.scan import CtScan
from RPTDosimetryLib.study.walk import files_below

#: Air on the HU scale, and the lowest value a 12-bit scanner stores; below it are padding marks, not attenuation.
AIR_HU = -1000.0
LOWEST_HU = -1024.0


def read_ct(path: Path) -> Image:
    """HU from an image file, or from a folder that holds exactly one CT series. Raises StudyError or ImageFileError."""
    if path.is_file() and is_image_file(path):
        image = read_image(path, "HU")
        return image.with_voxels(without_padding(image.voxels.astype(np.float32))[0])
    root, paths = files_below(path)
    series = [files for files in read_headers(root, paths).series if files[0].kind == CT and not is_localizer(files)]
    if len(series) != 1:
        raise StudyError(
            f"{path} holds {len(series)} CT series where one is needed: name a folder with a single CT series, or an "
            "NRRD, NIfTI or MHD file in HU."
        )
    with decoding(series[0]):
        return read_ct_series(series[0], root).image


def read_ct_series(files: tuple[DicomFile, ...], root: Path) -> CtScan:
    """One CT series, sorted along its normal; padding outside the scanned circle becomes air, and that is said."""
    source = source_of(files, root)
    datasets = [read_dicom(file.path) for file in files]
    paths = [file.path for file in files]
    grid, order = stack_slices(datasets, paths, source.name)
    voxels = np.empty(grid.shape_zyx, dtype=np.float32)
    for k, i in enumerate(order):
        voxels[k] = rescaled(stored_values(datasets[i], paths[i]), plain_rescale(datasets[i], paths[i]))
    voxels, padded = without_padding(voxels)
    warnings = (
        (f"{padded} CT voxels below {LOWEST_HU:g} HU are padding and count as air ({AIR_HU:g} HU)",) if padded else ()
    )
    first, path = datasets[order[0]], paths[order[0]]
    day, clock = date_of(first, "AcquisitionDate", path), time_of_day(first, "AcquisitionTime", path)
    acquired = datetime.combine(day, clock, time_zone(first, path)) if day and clock else None
    return CtScan(Image(voxels, grid, "HU"), source, acquired, warnings)


def is_localizer(files: tuple[DicomFile, ...]) -> bool:
    """True for scout views."""
    return "LOCALIZER" in words(files[0].header, "ImageType")


def without_padding(voxels: np.ndarray) -> tuple[np.ndarray, int]:
    """Values below −1024 HU (scanners mark what they did not see, e.g. −3024) set to air, and how many they were."""
    padding = voxels < LOWEST_HU
    count = int(np.count_nonzero(padding))
    return (np.where(padding, np.float32(AIR_HU), voxels) if count else voxels), count
