"""From slice positions and direction cosines to a Grid, for files of one slice each and for multi-frame NM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.study.dicom_values import number, numbers

#: Headers write positions and cosines with few digits; more than this apart is another geometry.
_COSINE_TOLERANCE = 1e-3
_SPACING_TOLERANCE = 0.01  # of the spacing, plus the rounding below
_ROUNDING_MM = 0.01
_SHEAR_TOLERANCE_MM = 0.05


def stack_slices(headers: list[Any], paths: list[Path], name: str) -> tuple[Grid, NDArray[np.intp]]:
    """Grid of a series of single slices, and the order of its files along the normal (row × column, LPS).

    The slice spacing is the mean distance of the positions, never SliceThickness. Raises StudyError: one slice only,
    differing shapes, orientations or pixel sizes, missing or duplicated slices, unequal spacing, sheared slices.
    """
    first, path = headers[0], paths[0]
    if len(headers) < 2:
        raise StudyError(f"{name} has one slice only: a volume needs at least two. Add the missing slices.")
    _require_uniform(headers, name)
    axes = _axes(numbers(first, "ImageOrientationPatient", 6, path), path)
    positions = np.array([_position(header, file) for header, file in zip(headers, paths, strict=True)])
    along = positions @ axes[:, 2]
    order = np.argsort(along, kind="stable")
    spacing_mm = _slice_spacing(along[order], [paths[i] for i in order], name)
    _require_square_stack(positions[order], axes, along[order], name)
    row_mm, column_mm = _pixel_spacing(first, path)
    x, y, z = positions[order[0]]
    grid = Grid(
        (len(headers), *_rows_columns(first, path)),
        (column_mm, row_mm, spacing_mm),
        (x, y, z),
        tuple(axes.ravel()),
    )
    return grid, order


def nm_volume(header: Any, path: Path) -> tuple[Grid, NDArray[np.intp], tuple[str, ...]]:
    """Grid of an NM RECON TOMO file, the order of its frames along the normal, and warnings.

    Frame n lies at position + (n − 1)·SpacingBetweenSlices·(row × column), a negative spacing stacking against the
    normal (DICOM PS3.3 C.8.4.15). Position and orientation are those of the detector item (0054,0022), or of the top
    level where a vendor writes them there. Raises StudyError when the geometry is not told.
    """
    places = [*header.get("DetectorInformationSequence", []), header]
    orientation = _first_of(places, "ImageOrientationPatient", 6, path)
    position = _first_of(places, "ImagePositionPatient", 3, path)
    warnings: list[str] = []
    if orientation is None:
        raise StudyError(
            f"{path} does not say how its slices are oriented (ImageOrientationPatient is missing): left and right "
            "would be a guess. Export it again, or convert it to NRRD or NIfTI and describe it in a study.json."
        )
    axes = _axes(orientation, path)
    spacing_mm = number(header, "SpacingBetweenSlices", path)
    if spacing_mm is None:
        spacing_mm = number(header, "SliceThickness", path)
        warnings.append("no SpacingBetweenSlices: the slice thickness is taken as the distance between slices")
    if not spacing_mm:
        raise StudyError(
            f"{path} does not give the distance between its slices (SpacingBetweenSlices). Export it again."
        )
    if position is None:
        position = (0.0, 0.0, 0.0)
        warnings.append("no ImagePositionPatient: the first voxel is put at (0, 0, 0); no CT or contour can be paired")
    order = _frame_order(header, path)
    if spacing_mm < 0:
        order = order[::-1]
        position = tuple(np.add(position, axes[:, 2] * spacing_mm * (len(order) - 1)))
    row_mm, column_mm = _pixel_spacing(header, path)
    shape = (len(order), *_rows_columns(header, path))
    origin = (position[0], position[1], position[2])
    grid = Grid(shape, (column_mm, row_mm, abs(spacing_mm)), origin, tuple(axes.ravel()))
    return grid, order, tuple(warnings)


def rt_dose_volume(header: Any, path: Path) -> tuple[Grid, NDArray[np.intp]]:
    """Grid of a multi-frame RT Dose, and the order of its frames along the normal (row × column, LPS).

    A GridFrameOffsetVector that begins with 0 holds distances from ImagePositionPatient along the normal; one that
    begins with the position's z holds the patient's z, and then the planes are transverse (DICOM PS3.3 C.8.8.3.2).
    Raises StudyError: no or another number of offsets, planes at one place or unequally spaced, geometry not told.
    """
    axes = _axes(numbers(header, "ImageOrientationPatient", 6, path), path)
    position = np.array(_position(header, path))
    frames = int(number(header, "NumberOfFrames", path) or 1)
    if frames < 2:
        raise StudyError(f"{path} holds one dose plane only: a volume needs at least two. Export the whole dose grid.")
    offsets = numbers(header, "GridFrameOffsetVector", frames, path)
    if offsets is None:
        raise StudyError(f"{path} does not say where its planes lie (GridFrameOffsetVector). Export the dose again.")
    along = np.array(offsets)
    if abs(along[0]) > _ROUNDING_MM:
        if abs(along[0] - position[2]) > _ROUNDING_MM or abs(axes[2, 2] - 1.0) > _COSINE_TOLERANCE:
            raise StudyError(
                f"{path}: GridFrameOffsetVector begins with {along[0]:g} mm, which is neither 0 nor the z of "
                f"transverse planes that begin at {position[2]:g} mm. Export the dose again."
            )
        along = along - position[2]
    order = np.argsort(along, kind="stable")
    spacing_mm = _even_spacing(along[order], path)
    x, y, z = position + axes[:, 2] * along[order[0]]
    row_mm, column_mm = _pixel_spacing(header, path)
    shape = (frames, *_rows_columns(header, path))
    return Grid(shape, (column_mm, row_mm, spacing_mm), (x, y, z), tuple(axes.ravel())), order


def _even_spacing(along: NDArray[np.float64], path: Path) -> float:
    gaps = np.diff(along)
    mean = float((along[-1] - along[0]) / (len(along) - 1))
    worst = float(np.abs(along - along[0] - mean * np.arange(len(along))).max())
    if gaps.min() <= 0 or worst > _SPACING_TOLERANCE * mean + _ROUNDING_MM:
        raise StudyError(
            f"{path}: its dose planes are {gaps.min():.4g} to {gaps.max():.4g} mm apart; equal spacing is needed. "
            "Export the dose on an even grid."
        )
    return mean


def _frame_order(header: Any, path: Path) -> NDArray[np.intp]:
    frames = int(number(header, "NumberOfFrames", path) or 1)
    for vector, what in (("EnergyWindowVector", "energy windows"), ("TimeSlotVector", "time slots")):
        values = np.atleast_1d(header.get(vector) if header.get(vector) is not None else 1)
        if len(np.unique(values)) > 1:
            raise StudyError(f"{path} holds several {what} in one file: export one reconstruction a file.")
    if frames < 2:
        raise StudyError(f"{path} has one slice only: a volume needs at least two. Export it again.")
    slices = header.get("SliceVector")
    numbered = np.arange(1, frames + 1) if slices is None else np.atleast_1d(np.asarray(slices, dtype=int))
    expected = int(number(header, "NumberOfSlices", path) or frames)
    if len(np.unique(numbered)) < len(numbered):
        raise StudyError(f"{path} has duplicated slices: its slice vector names a slice twice. Export it again.")
    if len(numbered) != frames or frames != expected or not np.array_equal(np.sort(numbered), np.arange(1, frames + 1)):
        raise StudyError(
            f"{path} has missing slices: {frames} frames, {expected} slices announced, slice numbers "
            f"{numbered.min()} to {numbered.max()}. Export it again."
        )
    return np.argsort(numbered)


def _axes(orientation: tuple[float, ...] | None, path: Path) -> NDArray[np.float64]:
    """3×3, columns i (along a row), j (down a column), k = i × j; orthonormal to double precision."""
    if orientation is None:
        raise StudyError(f"{path} does not say how its slices are oriented (ImageOrientationPatient). Export it again.")
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ column)) > _COSINE_TOLERANCE:
        raise StudyError(
            f"{path}: ImageOrientationPatient {orientation} is not two perpendicular unit vectors. Export it again."
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.column_stack([row, column, np.cross(row, column)])


def _slice_spacing(along: NDArray[np.float64], paths: list[Path], name: str) -> float:
    gaps = np.diff(along)
    typical = float(np.median(gaps))
    double = np.flatnonzero(gaps < 0.01 * max(typical, _ROUNDING_MM))
    if len(double):
        k = int(double[0])
        raise StudyError(
            f"{name} has duplicated slices: {paths[k].name} and {paths[k + 1].name} lie at the same place "
            f"({len(double)} such pairs). Remove one copy, or split the series."
        )
    wide = np.flatnonzero(gaps > 1.5 * typical)
    steps = gaps[wide] / typical
    if len(wide) and np.allclose(steps, np.round(steps), atol=0.05):
        k = int(wide[0])
        raise StudyError(
            f"{name} has missing slices: {int(np.round(steps).sum()) - len(wide)} between {paths[k].name} and the "
            f"last, the first gap is {gaps[k]:.4g} mm where slices are {typical:.4g} mm apart. Copy the series again."
        )
    mean = float((along[-1] - along[0]) / (len(along) - 1))
    expected = along[0] + mean * np.arange(len(along))
    worst = float(np.abs(along - expected).max())
    if worst > _SPACING_TOLERANCE * mean + _ROUNDING_MM:
        raise StudyError(
            f"{name} has unequal slice spacing: {gaps.min():.4g} to {gaps.max():.4g} mm. Reconstruct or export the "
            "series with equal spacing."
        )
    return mean


def _require_square_stack(
    positions: NDArray[np.float64], axes: NDArray[np.float64], along: NDArray[np.float64], name: str
) -> None:
    across = (positions - positions[0]) - np.outer(along - along[0], axes[:, 2])
    if np.abs(across).max() > _SHEAR_TOLERANCE_MM:
        raise StudyError(
            f"{name}: the slices are shifted against each other by up to {np.abs(across).max():.3g} mm (a tilted "
            "gantry). Resample the series to a straight stack first."
        )


def _require_uniform(headers: list[Any], name: str) -> None:
    for keyword, what, tolerance in (
        ("Rows", "matrix sizes", 0.0),
        ("Columns", "matrix sizes", 0.0),
        ("PixelSpacing", "pixel sizes", 1e-4),
        ("ImageOrientationPatient", "orientations", 1e-4),
    ):
        first = headers[0].get(keyword)
        for header in headers[1:]:
            value = header.get(keyword)
            same = (value is None) == (first is None)
            if same and first is not None:
                a, b = np.atleast_1d(np.asarray(first, float)), np.atleast_1d(np.asarray(value, float))
                same = a.shape == b.shape and bool(np.abs(a - b).max() <= tolerance)
            if not same:
                raise StudyError(
                    f"{name} mixes {what} ({keyword} {first} and {value}): these slices are not one volume. Split the "
                    "series, or leave files out with ignore."
                )


def _pixel_spacing(header: Any, path: Path) -> tuple[float, float]:
    spacing = numbers(header, "PixelSpacing", 2, path)
    if spacing is None or min(spacing) <= 0:
        raise StudyError(f"{path} does not give its pixel size (PixelSpacing). Export it again.")
    return spacing[0], spacing[1]


def _rows_columns(header: Any, path: Path) -> tuple[int, int]:
    rows, columns = number(header, "Rows", path), number(header, "Columns", path)
    if not rows or not columns or min(rows, columns) < 1:
        raise StudyError(f"{path} does not give its number of rows and columns. Copy or export it again.")
    return int(rows), int(columns)


def _position(header: Any, path: Path) -> tuple[float, ...]:
    position = numbers(header, "ImagePositionPatient", 3, path)
    if position is None:
        raise StudyError(f"{path} does not say where its slice lies (ImagePositionPatient). Export the series again.")
    return position


def _first_of(places: list[Any], keyword: str, count: int, path: Path) -> tuple[float, ...] | None:
    return next((found for place in places if (found := numbers(place, keyword, count, path)) is not None), None)
