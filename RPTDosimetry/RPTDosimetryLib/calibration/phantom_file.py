"""What a phantom was filled with, as a small TOML file tells it, and the scan of it."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError

from RPTDosimetryLib.calibration.spheres import sphere_diameter_mm, sphere_volume_ml
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.activity_units import read_unit
from RPTDosimetryLib.study.checks import activity_image
from RPTDosimetryLib.study.image_files import is_image_file, read_image
from RPTDosimetryLib.study.read_dicom_study import read_dicom_study
from RPTDosimetryLib.study.scan import Scan, SourceFiles
from RPTDosimetryLib.study.walk import files_below

_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class Sphere:
    """A hot sphere: diameter [mm] or volume [mL] of its inside; centre_mm (LPS), found in the image where left out.

    activity_mbq or concentration_mbq_per_ml at the phantom's reference time.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    diameter_mm: float | None = None
    volume_ml: float | None = None
    activity_mbq: float | None = None
    concentration_mbq_per_ml: float | None = None
    centre_mm: Vector3 | None = None

    def __post_init__(self) -> None:
        for pair in (("diameter_mm", "volume_ml"), ("activity_mbq", "concentration_mbq_per_ml")):
            given = [getattr(self, name) for name in pair if getattr(self, name) is not None]
            if len(given) != 1 or not 0 < given[0] < math.inf:
                raise CalibrationError(f"Every sphere needs one of {pair[0]} and {pair[1]}, above 0: got {given}.")

    @property
    def diameter(self) -> float:
        """Inner diameter [mm]."""
        return self.diameter_mm if self.diameter_mm is not None else sphere_diameter_mm(self.volume_ml or 0.0)

    @property
    def volume(self) -> float:
        """Inner volume [mL]."""
        return self.volume_ml if self.volume_ml is not None else sphere_volume_ml(self.diameter_mm or 0.0)

    @property
    def concentration(self) -> float:
        """MBq/mL at the reference time."""
        if self.concentration_mbq_per_ml is not None:
            return self.concentration_mbq_per_ml
        return (self.activity_mbq or 0.0) / self.volume


@dataclass(frozen=True)
class PhantomFilling:
    """A phantom. activity_mbq: everything in it, spheres too, at reference_time; its relative_se as a fraction.

    background_mbq_per_ml: around the spheres. volume_ml: of all that is filled, to compare with the image. unit,
    decay_correction, acquired, duration_s: where the scan does not tell them (as in [[study.time_points]]).
    factor_cps_per_bq: known already; then only the spheres are measured. dead_time_factor: true over observed counts of
    this scan (1: a scan so weak that nothing is lost).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    nuclide: str
    reference_time: datetime
    activity_mbq: float | None = None
    activity_relative_se: float | None = None
    background_mbq_per_ml: float = 0.0
    volume_ml: float | None = None
    half_life_s: float | None = None
    factor_cps_per_bq: float | None = None
    dead_time_factor: float = 1.0
    unit: Literal["counts", "Bq/mL"] | None = None
    decay_correction: Literal["NONE", "START"] | None = None
    acquired: datetime | None = None
    duration_s: float | None = None
    spheres: tuple[Sphere, ...] = ()

    def __post_init__(self) -> None:
        for name in ("activity_mbq", "volume_ml", "half_life_s", "factor_cps_per_bq", "duration_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise CalibrationError(f"{name} = {value} of the phantom: a positive number is needed.")
        if not 1 <= self.dead_time_factor < math.inf:
            raise CalibrationError("dead_time_factor of the phantom is true over observed counts: 1 or more.")
        if not 0 <= self.background_mbq_per_ml < math.inf:
            raise CalibrationError("background_mbq_per_ml of the phantom is 0 or more.")

    def whole_activity_mbq(self) -> float | None:
        """All activity at the reference time: as stated, otherwise that of the spheres where they lie in the cold."""
        if self.activity_mbq is not None:
            return self.activity_mbq
        if self.spheres and self.background_mbq_per_ml == 0:
            return sum(sphere.concentration * sphere.volume for sphere in self.spheres)
        return None


@dataclass(frozen=True)
class PhantomScan:
    """The reconstructed image in counts (over the whole acquisition) or Bq/mL, its start and duration.

    is_mean: values are a mean over the acquisition, not corrected to its start.
    """

    image: Image
    acquired: datetime
    duration_s: float
    is_mean: bool


def read_filling(path: Path) -> PhantomFilling:
    """The phantom from its TOML file. Raises CalibrationError that names the key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        filling: PhantomFilling = TypeAdapter(PhantomFilling).validate_python(table)
    except OSError as error:
        raise CalibrationError(f"{path} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CalibrationError(f"{path}: {key}: {first['msg']}.") from error
    return filling


def read_phantom_scan(path: Path, filling: PhantomFilling) -> PhantomScan:
    """The scan from a DICOM file or folder, or an image file; what it does not tell comes from the filling.

    Raises CalibrationError when unit, decay correction, start or duration are told by neither, StudyError or
    ImageFileError for files that cannot be read.
    """
    scan = _scan(path)
    unit = filling.unit or scan.unit
    known = None if unit is None else read_unit(unit)
    reference = filling.decay_correction or scan.decay_reference
    acquired = filling.acquired or scan.acquired
    duration_s = filling.duration_s or scan.duration_s
    told = {"unit": known, "decay_correction": reference, "acquired": acquired, "duration_s": duration_s}
    lacking = [name for name, value in told.items() if value is None]
    if known is None or acquired is None or duration_s is None or lacking:
        raise CalibrationError(
            f"{path} does not tell: {', '.join(lacking)}. Add these keys to the description of the phantom; nothing is "
            "assumed."
        )
    if reference not in ("NONE", "START"):
        raise CalibrationError(
            f"{path}: its values are decay-corrected to {reference}, which a phantom does not have: export it with the "
            "decay correction NONE or START, or state which it is as decay_correction."
        )
    unit, factor = known
    image, _ = activity_image(Image(scan.image.voxels * factor, scan.image.grid, unit), scan.source.name)
    return PhantomScan(image, acquired, duration_s, reference == "NONE")


def _scan(path: Path) -> Scan:
    if path.is_file() and is_image_file(path):
        image = read_image(path, "unknown")
        return Scan(image, SourceFiles(path.name, (path,), frozenset()))
    root, paths = files_below(path)
    scans = read_dicom_study(root, paths, (), lambda scans: {}).scans
    if len(scans) != 1:
        names = ", ".join(scan.source.name for scan in scans)
        raise CalibrationError(f"{path} holds {len(scans)} SPECT ({names}) where one is needed: name one of them.")
    return scans[0]
