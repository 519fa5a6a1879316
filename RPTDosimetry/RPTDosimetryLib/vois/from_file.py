"""Volumes of interest from one file that a user names: a label image, an RTSTRUCT or a SEG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from RPTDosimetryLib.errors import ImageFileError, VoiError
from RPTDosimetryLib.grid import Grid, require_same_grid
from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.study.dicom_files import RTSTRUCT, SEGMENTATIONS, DicomFile, decoding, kinds_told, read_dicom
from RPTDosimetryLib.study.dicom_seg import read_seg
from RPTDosimetryLib.study.image_files import ENDINGS, is_image_file, read_image
from RPTDosimetryLib.study.rtstruct import read_rtstruct
from RPTDosimetryLib.vois.delineate import (
    kind_of,
    kind_of_segment,
    voi_from_contours,
    vois_from_labels,
    with_unique_names,
)
from RPTDosimetryLib.vois.label_map import label_volumes_ml
from RPTDosimetryLib.vois.label_names import label_names_in
from RPTDosimetryLib.vois.segment import voi_from_segment


def vois_from_file(path: Path, grid: Grid) -> tuple[Voi, ...]:
    """Every structure of a file as a mask on ``grid``; overlaps are allowed.

    A label image (NRRD, NIfTI, MHD) has to lie on ``grid`` itself: GridMismatchError otherwise; its labels have the
    names that the file gives (.seg.nrrd of 3D Slicer, NIfTI label tables), otherwise "label 1" and so on. Contours of
    an RTSTRUCT and segments of a SEG are drawn onto it, each with its volume. What the file says of structures it
    leaves out stands in the first volume's warnings. Raises VoiError for a file without a structure, and for a
    structure that is outside ``grid`` or smaller than half a voxel; ImageFileError or StudyError for files that cannot
    be read.
    """
    if not path.is_file():
        raise ImageFileError(f"{path}: no such file. Give a label image, an RTSTRUCT or a SEG.")
    if is_image_file(path):
        return _from_label_image(path, grid)
    vois, warnings = _from_dicom(path, grid)
    if not vois:
        raise VoiError(f"{path} holds no structure that encloses a volume{_because(warnings)}. Draw one first.")
    first = replace(vois[0], warnings=(*vois[0].warnings, *(f"{path.name}: {warning}." for warning in warnings)))
    return (first, *vois[1:])


def _from_label_image(path: Path, grid: Grid) -> tuple[Voi, ...]:
    labels = read_image(path, "1")
    require_same_grid(grid, labels.grid, f"The image and the labels of {path.name}")
    present = label_volumes_ml(labels)
    if not present:
        raise VoiError(f"{path} holds no label above 0: no volume to evaluate.")
    told = label_names_in(path)
    names = {number: told.get(number, f"label {number}") for number in present}
    return tuple(with_unique_names(vois_from_labels(labels, names, grid, path.name)))


def _from_dicom(path: Path, grid: Grid) -> tuple[list[Voi], tuple[str, ...]]:
    file = DicomFile(path, read_dicom(path, pixels=False))
    if file.kind != RTSTRUCT and file.kind not in SEGMENTATIONS:
        raise ImageFileError(
            f"{path} holds no structures ({kinds_told([file])}): give a label image ({', '.join(ENDINGS)}), an "
            "RTSTRUCT or a SEG."
        )
    with decoding([file]):
        if file.kind == RTSTRUCT:
            structures = read_rtstruct(file, path.parent)
            drawn = [voi_from_contours(c, grid, path.name, kind_of(c.name)) for c in structures.contours]
            return with_unique_names(drawn), structures.warnings
        segments = read_seg(file, path.parent)
    return with_unique_names(
        [voi_from_segment(s, grid, path.name, kind_of_segment(s)) for s in segments.segments]
    ), segments.warnings


def _because(warnings: tuple[str, ...]) -> str:
    return f" ({'; '.join(warnings)})" if warnings else ""
