"""Immutable records handed from room to room. Arrays are (z, y, x) beside their Grid; quantities are SI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import GridMismatchError
from RPTDosimetryLib.grid import Grid

#: Called with the fraction done (0 to 1) and one line of text for the user.
Progress = Callable[[float, str], None]
#: Asked often during long work; True means stop soon and leave nothing half-written.
Cancelled = Callable[[], bool]

ActivityUnit = Literal["Bq/mL", "counts"]


def silent(fraction: float, text: str) -> None:
    """Progress that shows nothing."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a step that runs from ``start`` to ``end`` of the whole."""
    return lambda fraction, text: progress(start + (end - start) * fraction, text)


def never() -> bool:
    """A run that is not cancelled."""
    return False


@dataclass(frozen=True)
class Image:
    """Voxels (z, y, x) on a grid, with the unit of their values ("Bq/mL", "Bq·s", "HU", "g/cm3", "Gy", "1")."""

    voxels: NDArray[Any]
    grid: Grid
    unit: str

    def __post_init__(self) -> None:
        if self.voxels.shape != self.grid.shape_zyx:
            raise GridMismatchError(
                f"An array of {self.voxels.shape} voxels (z, y, x) does not fit a grid of {self.grid.shape_zyx}."
            )

    def with_voxels(self, voxels: NDArray[Any], unit: str | None = None) -> Image:
        """Other values on the same grid."""
        return Image(voxels, self.grid, self.unit if unit is None else unit)


@dataclass(frozen=True)
class Administration:
    """What was given and when; None where neither the files nor the user say."""

    nuclide: str | None = None
    administered_activity_bq: float | None = None
    time: datetime | None = None
    half_life_s: float | None = None  # as the header states it; None where it does not


@dataclass(frozen=True)
class Code:
    """What a structure is, in a coding scheme: value and scheme as in DICOM's code sequences ("10200004", "SCT").

    laterality is what DICOM writes as the code's modifier; None for unpaired structures, or where it is not told.
    """

    value: str
    scheme: str
    meaning: str
    laterality: Literal["left", "right"] | None = None


@dataclass(frozen=True)
class Review:
    """Who looked at a volume of interest and accepted it, and when."""

    reviewer: str
    time: datetime
    comment: str = ""


@dataclass(frozen=True)
class Contours:
    """One structure of an RTSTRUCT: closed planar polygons, each (n, 3) LPS [mm]."""

    name: str
    polygons_mm: tuple[NDArray[np.float64], ...]
    frame_of_reference_uid: str | None = None


@dataclass(frozen=True)
class Segment:
    """One segment of a DICOM SEG or of a label map: a mask on its own grid."""

    name: str
    mask: NDArray[np.bool_]
    grid: Grid
    code: Code | None = None
    frame_of_reference_uid: str | None = None


@dataclass(frozen=True)
class TimePoint:
    """One SPECT, its activity at scan time (not decay-corrected).

    spect.unit is "Bq/mL" once quantitative, "counts" before calibration. missing names what neither the files nor the
    user give ("acquisition time", "unit", …); decay_correction says what the files held and what was undone.
    """

    spect: Image
    time_s: float | None  # acquisition start, since administration
    acquired: datetime | None = None
    duration_s: float | None = None
    ct: Image | None = None
    structures: tuple[Contours, ...] = ()
    segments: tuple[Segment, ...] = ()
    labels: Image | None = None  # a label map given beside the files, label 0 = background
    frame_of_reference_uid: str | None = None
    decay_correction: str = "NONE"
    calibration: str = ""
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Study:
    """One therapy cycle of one patient: administration and time points in the order of acquisition."""

    administration: Administration
    time_points: tuple[TimePoint, ...]
    patient_id: str = ""
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    label_names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deformation:
    """u(x): a smooth displacement (z, y, x, 3) of points of the reference, LPS [mm], linear between voxels, 0 outside.

    The outermost voxels hold 0, so that u has no step. It acts before the matrix: T(x) = M·(x + u(x)).
    """

    displacement_mm: NDArray[np.float32] = field(metadata={"in_record": False})
    grid: Grid

    def __post_init__(self) -> None:
        if self.displacement_mm.shape != (*self.grid.shape_zyx, 3):
            raise GridMismatchError(
                f"Displacements of shape {self.displacement_mm.shape} do not fit a grid of {self.grid.shape_zyx} × 3."
            )


@dataclass(frozen=True)
class Alignment:
    """How one time point was brought onto the reference, and how well.

    T(x) = M·(x + u(x)) takes points of the reference into the time point's own space (LPS, mm; SimpleITK's direction):
    M is moving_from_fixed (4×4), u the deformation (None: 0). Mutual information [nats] and correlation are over the
    reference's body, of the SPECT images or, where through is "ct", of the CTs; displacement_mm is its mean over the
    body, rotation_deg that of M. volume_change: lowest and highest det ∂T/∂x in the body (1 = volume kept).
    rescaled_by is the factor that restored the total activity after interpolation; cut_fraction is the share of the
    time point's activity that falls outside the reference grid and is lost. source: "search", or the transform's file.
    detail_correlation: of what lies between 6 and 18 mm inside the body, after the alignment (None: not judged).
    """

    moving_from_fixed: NDArray[np.float64]
    method: str
    mutual_information_before: float
    mutual_information_after: float
    correlation_before: float
    correlation_after: float
    displacement_mm: float
    rotation_deg: float
    rescaled_by: float = 1.0
    cut_fraction: float = 0.0
    warnings: tuple[str, ...] = ()
    deformation: Deformation | None = None
    through: str = "spect"
    source: str = "search"
    volume_change: tuple[float, float] = (1.0, 1.0)
    detail_correlation: float | None = None


@dataclass(frozen=True)
class RegisteredStudy:
    """Every time point on the reference grid (the dose grid): activity concentration at its scan time [Bq/mL].

    activity and alignments are in the order of study.time_points; seen is True where every time point's field of view
    reaches.
    """

    study: Study
    reference_index: int
    grid: Grid
    activity: tuple[Image, ...]
    alignments: tuple[Alignment, ...]
    seen: NDArray[np.bool_]
    warnings: tuple[str, ...] = ()

    @property
    def reference(self) -> TimePoint:
        """The time point that was not moved."""
        return self.study.time_points[self.reference_index]


@dataclass(frozen=True)
class Voi:
    """A volume of interest: a mask with a name, on a grid.

    lesions says whether the lesions inside an organ count in it; None where it holds none. review is None until a
    person has accepted the contour.
    """

    name: str
    mask: NDArray[np.bool_]
    grid: Grid
    kind: Literal["organ", "lesion", "region"] = "organ"
    source: str = ""  # file or rule that drew it
    warnings: tuple[str, ...] = ()
    code: Code | None = None
    lesions: Literal["included", "excluded"] | None = None
    review: Review | None = None

    def __post_init__(self) -> None:
        if self.mask.shape != self.grid.shape_zyx:
            raise GridMismatchError(f"The mask of {self.name} has another shape than its grid.")

    @property
    def volume_ml(self) -> float:
        """Number of voxels times voxel volume [mL]."""
        return float(np.count_nonzero(self.mask)) * self.grid.voxel_volume_ml


@dataclass(frozen=True)
class TimeActivityCurve:
    """Activity at scan times [Bq] against seconds since administration; nuclide fixes λ_phys."""

    time_s: NDArray[np.float64]
    activity_bq: NDArray[np.float64]
    nuclide: str
    lambda_phys_per_s: float
    standard_error_bq: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class KineticFit:
    """A curve integrated with one model. extrapolated_fraction: share of Ã beyond the last scan.

    activity_bq_at: the fitted A(t) [Bq] for drawing and checks; standard errors are None where the model has none.
    """

    model: str
    tia_bq_s: float
    parameters: Mapping[str, float]
    extrapolated_fraction: float
    activity_bq_at: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    tia_se_bq_s: float | None = None
    bootstrap_se_bq_s: float | None = None
    tia_interval_bq_s: tuple[float, float] | None = None  # the central 95 % of a bootstrap
    parameter_se: Mapping[str, float] = field(default_factory=dict)
    aicc: float | None = None
    warnings: tuple[str, ...] = ()
    alternatives: tuple[KineticFit, ...] = ()  # the other fits of the same curve, where a choice was made


@dataclass(frozen=True)
class ActivitySeries:
    """Quantitative images of one therapy cycle on ONE grid: activity concentration [Bq/mL] at scan time."""

    activities: tuple[Image, ...]
    time_s: NDArray[np.float64]  # since administration, one for each image
    nuclide: str
    lambda_phys_per_s: float


@dataclass(frozen=True)
class TiaMap:
    """Time-integrated activity per voxel: image.unit is "Bq·s" (a voxel's total, not a concentration).

    parameters: what the model took from the VOIs, such as their effective half-lives [h] by name.
    """

    image: Image
    model: str
    extrapolated_fraction: float
    warnings: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PatientMap:
    """What dose engines need of the patient: density and medium, voxel by voxel, on the TIA grid.

    medium: index into the scheme's media (0 = air: no dose). source says where the density comes from (CT curve, given
    map, or assumed), and is printed with every result. media: the physics.media.MediaScheme itself where it is not one
    of the named ones (a file of the user); None stands for the named one. fine: the same patient on a whole number of
    voxels in each voxel of this one, where an engine wants it (Grid.refined).
    """

    density: Image  # g/cm3
    medium: NDArray[np.uint8]
    scheme: str
    source: str
    warnings: tuple[str, ...] = ()
    media: Any = None
    fine: PatientMap | None = None


@dataclass(frozen=True)
class DoseMap:
    """Absorbed dose [Gy] per voxel with what made it. standard_error is Monte Carlo's own, 1 σ [Gy]; region_errors_gy
    that of the mean doses of volumes, by name, with the covariance of their voxels. extra_maps: what else the engine
    can show, by name (hybrid: correction_gy, member_sd_gy, …).
    """

    image: Image
    engine: str
    method: str  # one line: kernels, density rule, reach
    nuclide: str
    standard_error: Image | None = None
    region_errors_gy: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    extra_maps: Mapping[str, Image] = field(default_factory=dict)

    @property
    def engine_told(self) -> str:
        """The engine as titles name it: one that gave MSV-8 in place of its own dose says so."""
        return f"{self.engine} (MSV-8 in its place)" if self.parameters.get("fell_back") else self.engine


@dataclass(frozen=True)
class DoseRateMap:
    """Absorbed dose rate [Gy/s] per voxel at the time of one scan, with what made it."""

    image: Image
    engine: str
    method: str
    nuclide: str
    warnings: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DoseRateSeries:
    """Absorbed dose rate maps of one therapy cycle on ONE grid, in the order of their times since administration."""

    rates: tuple[DoseRateMap, ...]
    time_s: NDArray[np.float64]
    nuclide: str
    lambda_phys_per_s: float
