"""What the files say about one image, before the user's values and the administration are known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from datetime import time as clock_time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.records import Contours, Image, Segment


@dataclass(frozen=True)
class HeaderAdministration:
    """The administration as one header tells it. time_of_day: where the header gives no date with the time."""

    time: datetime | None = None
    time_of_day: clock_time | None = None
    activity_bq: float | None = None
    half_life_s: float | None = None
    nuclide: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceFiles:
    """Where an image comes from. names: what a user may call it (file, folder, description, series UID)."""

    name: str
    files: tuple[Path, ...]
    names: frozenset[str]
    series_uid: str = ""
    study_uid: str = ""
    frame_of_reference_uid: str | None = None

    def is_called(self, name: str) -> bool:
        """True for any of its names, whatever the case of letters."""
        return name.strip().strip("/").lower() in self.names


@dataclass(frozen=True)
class CtScan:
    """One CT series in HU."""

    image: Image
    source: SourceFiles
    acquired: datetime | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class StructureSet:
    """The contours of one RTSTRUCT, the frame of reference they are drawn in and the series they are drawn on."""

    contours: tuple[Contours, ...]
    source: SourceFiles
    referenced_series_uids: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def frames_of_reference(self) -> frozenset[str]:
        """Those that the file and its contours name."""
        named = {contours.frame_of_reference_uid for contours in self.contours} | {self.source.frame_of_reference_uid}
        return frozenset(frame for frame in named if frame)


@dataclass(frozen=True)
class SegmentSet:
    """The segments of one SEG, the frame of reference they lie in and the series they were made on."""

    segments: tuple[Segment, ...]
    source: SourceFiles
    referenced_series_uids: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def frames_of_reference(self) -> frozenset[str]:
        """The one that the file names."""
        frame = self.source.frame_of_reference_uid
        return frozenset({frame} if frame else ())


@dataclass(frozen=True)
class Scan:
    """One SPECT with its values as stored (rescaled, decay correction not yet undone); image.unit is still "unknown".

    unit is as the files write it (BQML, kBq/ml, …). unit, decay_reference, acquired, time_s, duration_s are None where
    the files are silent. slice_delay_s: start of each slice's own acquisition after ``acquired`` (several beds), None
    when all start together.
    """

    image: Image
    source: SourceFiles
    unit: str | None = None
    decay_reference: str | None = None
    acquired: datetime | None = None
    time_s: float | None = None
    duration_s: float | None = None
    slice_delay_s: NDArray[np.float64] | None = None
    decay_factor: float | None = None
    administration: HeaderAdministration = HeaderAdministration()
    ct: Image | None = None
    structures: tuple[Contours, ...] = ()
    segments: tuple[Segment, ...] = ()
    labels: Image | None = None
    calibration: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundStudy:
    """All that the files of a study hold."""

    scans: tuple[Scan, ...]
    patient_id: str = ""
    administration: HeaderAdministration = HeaderAdministration()
    label_names: tuple[tuple[int, str], ...] = ()
    warnings: tuple[str, ...] = ()
