"""Doses of a volume whose edge cuts through voxels: each voxel in parts, each part with its own dose and share.

A mask of whole voxels makes a staircase of a smooth edge, and a voxel at the edge counts with the dose of its centre,
which lies elsewhere than the part of it inside. Here each voxel is cut into factor³ parts; a part has the dose of its
centre, linear between voxel centres, and the share of it that the volume fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError, VoiError
from RPTDosimetryLib.evaluation.dvh import dvh
from RPTDosimetryLib.evaluation.organ_table import BINS_TOLD, dose_summary, histogram_answer
from RPTDosimetryLib.grid import Grid, require_same_grid, resample
from RPTDosimetryLib.physics.media import SCHNEIDER_8
from RPTDosimetryLib.records import Contours, Image, Segment, Voi
from RPTDosimetryLib.study.dicom_files import RTSTRUCT, DicomFile, decoding, read_dicom
from RPTDosimetryLib.study.dicom_seg import read_seg
from RPTDosimetryLib.study.image_files import is_image_file
from RPTDosimetryLib.study.rtstruct import read_rtstruct
from RPTDosimetryLib.vois.contours import draw_contours, mask_of_same_volume
from RPTDosimetryLib.vois.from_file import vois_from_file
from RPTDosimetryLib.vois.share import share_on

#: Parts of a voxel along each axis: a sphere of 25 mm in voxels of 4.8 mm is then right to 0.1 % (a test).
PARTS = 4
#: More parts of a voxel than 10³ cost memory and change nothing.
MOST_PARTS = 10

#: Larger volumes gain nothing: a sphere of so many whole voxels is right to 0.3 % (a test), and the parts of a whole
#: body take minutes.
MOST_VOXELS = 10_000

Shape = Contours | Segment | Voi


@dataclass(frozen=True)
class CoveredDose:
    """Doses [Gy] of the parts of voxels in a volume; weights: share of a dose voxel that each fills.

    Σ weights · voxel volume = volume. density_g_per_cm3 in the same order, None where unknown. drawn_from: contours,
    segment or mask.
    """

    name: str
    dose_gy: NDArray[np.float64]
    weights: NDArray[np.float64]
    drawn_from: str
    density_g_per_cm3: NDArray[np.float64] | None = None


def covered_dose(dose: Image, shape: Shape, parts: int = PARTS, density: Image | None = None) -> CoveredDose:
    """The dose [Gy] of a volume with partial voxels at its edge; parts: along each axis of a voxel.

    Contours and segments of a finer grid give the true share. A mask on the dose grid tells no more than whole voxels:
    its surface is smoothed (linear between voxel centres, at the level that keeps its volume). Raises EvaluationError
    (parts), VoiError (nothing inside the image), GridMismatchError (a mask or density on another grid).
    """
    if not 1 <= parts <= MOST_PARTS:
        raise EvaluationError(f"A voxel is cut into 1 to {MOST_PARTS} parts along each axis, not {parts}.")
    if density is not None:
        require_same_grid(dose.grid, density.grid, "Dose and density")
    box = _box(dose.grid, shape)
    fine = _part_of(dose.grid, box).refined(parts)
    share = _share(shape, dose.grid, box, fine)
    filled = share > 0.0
    if not filled.any():
        raise VoiError(f"{shape.name} holds no part of a voxel of the dose: it lies outside the image, or is empty.")
    gray = resample(dose.voxels, dose.grid, fine)[filled].astype(np.float64)
    densities = None
    if density is not None:  # a voxel's density is that of all its parts
        parts_of = np.repeat(np.repeat(np.repeat(density.voxels[box], parts, 0), parts, 1), parts, 2)
        densities = parts_of[filled].astype(np.float64)
    kind = type(shape).__name__.lower().replace("voi", "mask")
    return CoveredDose(shape.name, gray, share[filled].astype(np.float64) / parts**3, kind, densities)


def shapes_from_file(path: Path, grid: Grid) -> Sequence[Shape]:
    """What a file draws, as it draws it: contours of an RTSTRUCT, segments of a SEG, masks of a label image."""
    if not path.is_file() or is_image_file(path):
        return vois_from_file(path, grid)
    file = DicomFile(path, read_dicom(path, pixels=False))
    if file.kind == RTSTRUCT:
        with decoding([file]):
            return read_rtstruct(file, path.parent).contours
    vois_from_file(path, grid)  # says what is wrong with any other kind of file
    with decoding([file]):
        return read_seg(file, path.parent).segments


def partial_dvh_answer(
    dose: Image, shapes: Sequence[Shape], parts: int = PARTS, density: Image | None = None
) -> dict[str, Any]:
    """dvh_answer with partial voxels: dose figures and histogram of every shape, as plain numbers for JSON.

    Air by density counts in volume_ml and air_ml only. Raises what covered_dose raises, VoiError (only air).
    """
    covers = [covered_dose(dose, shape, parts, density) for shape in shapes]
    return {
        "unit": "Gy",
        "mean_weighting": "voxel volume (no density given)" if density is None else "voxel mass",
        "bins": BINS_TOLD,
        "partial_volume": partial_told(parts),
        "volumes": [_figures(cover, label, dose.grid.voxel_volume_ml) for label, cover in enumerate(covers, start=1)],
        "warnings": [text for shape in shapes for text in getattr(shape, "warnings", ())],
    }


def parts_of(voi: Voi, parts: int | None) -> int | None:
    """Parts of a voxel along each axis where a volume of the dose grid is small enough to gain by them, else None."""
    return parts if parts is not None and np.count_nonzero(voi.mask) <= MOST_VOXELS else None


def partial_told(parts: int) -> str:
    """What was done, in words."""
    return (
        f"each voxel in {parts}x{parts}x{parts} parts, dose linear between voxel centres, weighted by the share of a "
        "part that the volume fills; cumulative volume a monotonic cubic through its steps"
    )


def _figures(cover: CoveredDose, label: int, voxel_volume_ml: float) -> dict[str, Any]:
    doses, weights, densities = cover.dose_gy, cover.weights, cover.density_g_per_cm3
    volume = float(weights.sum())
    if densities is not None:
        tissue = SCHNEIDER_8.media_from_density(densities) > 0
        doses, weights, densities = doses[tissue], weights[tissue], densities[tissue]
        if doses.size == 0:
            raise VoiError(f"{cover.name} holds only air: no dose can be given. Leave it out.")
    return {
        "label": label,
        "name": cover.name,
        "drawn_from": cover.drawn_from,
        "volume_ml": volume * voxel_volume_ml,
        "air_ml": (volume - float(weights.sum())) * voxel_volume_ml,
        **vars(dose_summary(doses, densities, voxel_volume_ml, weights, cover.name)),
        **histogram_answer(dvh(doses, voxel_volume_ml, cover.name, weights=weights)),
    }


def _share(shape: Shape, grid: Grid, box: tuple[slice, ...], fine: Grid) -> NDArray[np.float32]:
    if isinstance(shape, Contours):
        return draw_contours(shape, fine).fraction
    if isinstance(shape, Segment):
        return share_on(shape.mask, shape.grid, fine)
    require_same_grid(grid, shape.grid, f"Dose and the mask of {shape.name}")
    smooth = resample(shape.mask[box].astype(np.float32), _part_of(grid, box), fine)
    return mask_of_same_volume(smooth, fine.voxel_volume_ml, shape.volume_ml).astype(np.float32)


def _box(grid: Grid, shape: Shape) -> tuple[slice, ...]:
    """The part of the grid that the volume can touch, with two voxels around it."""
    if isinstance(shape, Voi):
        where = np.argwhere(shape.mask)
    else:
        points = np.concatenate(shape.polygons_mm) if isinstance(shape, Contours) else _corners_mm(shape)
        homogeneous = np.c_[points, np.ones(len(points))]
        where = (homogeneous @ np.linalg.inv(grid.lps_from_ijk).T)[:, 2::-1]
    if not len(where):
        raise VoiError(f"The mask of {shape.name} is empty: no dose can be given. Draw it again or leave it out.")
    low, high = np.floor(where.min(axis=0)).astype(int) - 2, np.ceil(where.max(axis=0)).astype(int) + 3
    box = tuple(slice(max(0, int(a)), min(n, int(b))) for a, b, n in zip(low, high, grid.shape_zyx, strict=True))
    if any(part.start >= part.stop for part in box):
        raise VoiError(f"{shape.name} lies outside the dose: no dose can be given. Leave it out.")
    return box


def _corners_mm(segment: Segment) -> NDArray[np.float64]:
    filled = np.argwhere(segment.mask)
    if not len(filled):
        raise VoiError(f"Segment {segment.name} is empty: no dose can be given. Draw it again or leave it out.")
    low, high = filled.min(axis=0) - 0.5, filled.max(axis=0) + 0.5
    corners = np.array(
        [[i, j, k, 1.0] for i in (low[2], high[2]) for j in (low[1], high[1]) for k in (low[0], high[0])]
    )
    return np.asarray((corners @ segment.grid.lps_from_ijk.T)[:, :3])


def _part_of(grid: Grid, box: tuple[slice, ...]) -> Grid:
    x, y, z = (grid.lps_from_ijk @ [box[2].start, box[1].start, box[0].start, 1.0])[:3]
    nk, nj, ni = (part.stop - part.start for part in box)
    return Grid((nk, nj, ni), grid.spacing_mm, (float(x), float(y), float(z)), grid.direction)
