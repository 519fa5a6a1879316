"""SPECT of a virtual patient: moved, blurred, with noise as a post-filtered reconstruction has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ive

from RPTDosimetryLib.grid import Grid, Vector3, resample
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.virtual_patient.patient import VirtualPatient
from RPTDosimetryLib.virtual_patient.solids import turned

FWHM_PER_SIGMA: Final = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class Pose:
    """Rigid motion of the patient against the reference: turn about ``centre_mm``, then shift (LPS)."""

    shift_mm: Vector3 = (0.0, 0.0, 0.0)
    turn_deg: Vector3 = (0.0, 0.0, 0.0)
    centre_mm: Vector3 = (0.0, 0.0, 0.0)

    @property
    def moved_from_rest(self) -> NDArray[np.float64]:
        """4×4: a point of the reference to where it lies now [mm]; this is moving_from_fixed for registration."""
        matrix = np.eye(4)
        matrix[:3, :3] = turned(*self.turn_deg)
        matrix[:3, 3] = np.asarray(self.centre_mm) + self.shift_mm - matrix[:3, :3] @ np.asarray(self.centre_mm)
        return matrix


@dataclass(frozen=True)
class SpectImaging:
    """The scanner. fwhm_mm: resolution of the image as a whole (Gaussian); postfilter_fwhm_mm is the part of it applied
    after the noise, which gives the noise its grain. counts_per_bq: effective counts per Bq present during the scan,
    None for no noise. The default, 1e-3 per Bq, is 9 cps/MBq for 20 min divided by 10 for what a reconstruction adds.
    """

    fwhm_mm: float = 12.0
    postfilter_fwhm_mm: float = 7.0
    counts_per_bq: float | None = 1.0e-3


def draw_pose(rng: np.random.Generator, centre_mm: Vector3, shift_mm: float = 8.0, turn_deg: float = 3.0) -> Pose:
    """A pose with shift of at most shift_mm (length) and turns of at most turn_deg about each axis."""
    direction = rng.normal(size=3)
    shift = direction / np.linalg.norm(direction) * rng.uniform(0.4, 1.0) * shift_mm
    turn = rng.uniform(-turn_deg, turn_deg, 3)
    return Pose((shift[0], shift[1], shift[2]), (turn[0], turn[1], turn[2]), centre_mm)


def spect_image(
    patient: VirtualPatient,
    time_s: float,
    onto: Grid,
    pose: Pose,
    imaging: SpectImaging,
    rng: np.random.Generator,
) -> Image:
    """Activity concentration [Bq/mL] at time_s as the scanner shows it on ``onto``.

    1. the true concentration is moved; its total is kept; 2. averaged over voxels and blurred by √(fwhm² - post²);
    3. Poisson noise of counts_per_bq · Bq in each voxel; 4. post-filter. Steps 2 to 4 run on a larger grid, so that
    activity blurs over the edge of the field of view as it does in truth. Values are never negative, and the total
    before the field of view cuts it equals the true activity.
    """
    true = patient.concentration_at(time_s)
    total_bq = float(true.voxels.sum(dtype=np.float64)) * true.grid.voxel_volume_ml
    wide, crop = _wide_grid(true.grid, onto, pose)
    moved = _moved(true, wide, pose)
    before_mm = np.sqrt(max(imaging.fwhm_mm**2 - imaging.postfilter_fwhm_mm**2, 0.0))
    activity_bq = _blurred(moved, wide, before_mm) * wide.voxel_volume_ml
    activity_bq *= total_bq / activity_bq.sum()
    if imaging.counts_per_bq is not None:
        activity_bq = rng.poisson(activity_bq * imaging.counts_per_bq) / imaging.counts_per_bq
    image = _blurred(activity_bq, wide, imaging.postfilter_fwhm_mm) / wide.voxel_volume_ml
    image *= total_bq / (image.sum() * wide.voxel_volume_ml)
    return Image(_cropped(image, wide, onto, crop), onto, "Bq/mL")


def _wide_grid(source: Grid, onto: Grid, pose: Pose) -> tuple[Grid, tuple[int, int, int]]:
    """The lattice of ``onto`` enlarged to hold the moved patient and its blur; and the index of onto's first voxel."""
    nk, nj, ni = source.shape_zyx
    corners = np.array([[i, j, k, 1.0] for i in (0, ni - 1) for j in (0, nj - 1) for k in (0, nk - 1)])
    moved = np.linalg.inv(onto.lps_from_ijk) @ pose.moved_from_rest @ source.lps_from_ijk @ corners.T
    margin = np.ceil(20.0 / np.asarray(onto.spacing_mm))
    first = np.floor(moved[:3].min(axis=1) - margin).astype(int)
    last = np.ceil(moved[:3].max(axis=1) + margin).astype(int)
    origin = (onto.lps_from_ijk @ [*first, 1.0])[:3]
    counts = (last - first + 1)[::-1]
    wide = Grid(
        (int(counts[0]), int(counts[1]), int(counts[2])),
        onto.spacing_mm,
        (origin[0], origin[1], origin[2]),
        onto.direction,
    )
    return wide, (int(-first[2]), int(-first[1]), int(-first[0]))


def _moved(true: Image, wide: Grid, pose: Pose) -> NDArray[np.float32]:
    """The moved concentration as a mean over each voxel of ``wide``, sampled at half its spacing."""
    axes = np.reshape(wide.direction, (3, 3))
    half = np.asarray(wide.spacing_mm) / 2
    origin = np.asarray(wide.origin_mm) - axes @ (half / 2)
    nk, nj, ni = wide.shape_zyx
    fine = Grid(
        (2 * nk, 2 * nj, 2 * ni), (half[0], half[1], half[2]), (origin[0], origin[1], origin[2]), wide.direction
    )
    inverse = np.linalg.inv(pose.moved_from_rest)
    rest_from_moved = sitk.AffineTransform(3)
    rest_from_moved.SetMatrix(inverse[:3, :3].ravel().tolist())
    rest_from_moved.SetTranslation(inverse[:3, 3].tolist())
    sampled = resample(true.voxels, true.grid, fine, "linear", 0.0, rest_from_moved)
    return np.asarray(sampled.reshape(nk, 2, nj, 2, ni, 2).mean(axis=(1, 3, 5)), dtype=np.float32)


def _blurred(voxels: NDArray[np.floating], grid: Grid, fwhm_mm: float) -> NDArray[np.float64]:
    """Convolved axis by axis with e^(-t) I_n(t), t = (σ/voxel)²: the discrete Gaussian whose variance is exactly σ².

    A sampled Gaussian is too narrow when σ is below a voxel. Lindeberg, IEEE Trans PAMI 12:234 (1990).
    """
    result = voxels.astype(np.float64)
    for axis, spacing_mm in enumerate(grid.spacing_mm[::-1]):
        sigma = fwhm_mm / FWHM_PER_SIGMA / spacing_mm
        reach = int(np.ceil(5.0 * sigma)) + 1
        kernel = ive(np.abs(np.arange(-reach, reach + 1)), sigma**2)
        result = ndimage.convolve1d(result, kernel / kernel.sum(), axis=axis, mode="constant")
    return result


def _cropped(image: NDArray[np.float64], wide: Grid, onto: Grid, first: tuple[int, int, int]) -> NDArray[np.float32]:
    """``image`` on the voxels of ``onto``, zero where the wide grid does not reach."""
    out = np.zeros(onto.shape_zyx, dtype=np.float32)
    target, source = [], []
    for start, n_onto, n_wide in zip(first, onto.shape_zyx, wide.shape_zyx, strict=True):
        low, high = max(0, -start), min(n_onto, n_wide - start)
        target.append(slice(low, max(low, high)))
        source.append(slice(low + start, max(low, high) + start))
    out[tuple(target)] = image[tuple(source)]
    return out
