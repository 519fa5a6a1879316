"""A dose map written as DICOM RT Dose (PS3.3 A.18, C.8.8.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import DoseMap
from RPTDosimetryLib.report.dicom_identity import DicomIdentity
from RPTDosimetryLib.report.dicom_object import set_dates, set_uids, start_object
from RPTDosimetryLib.report.provenance import DISCLAIMER
from RPTDosimetryLib.study.rtdose import RTDOSE
from RPTDosimetryLib.virtual_patient.dicom_identity import decimal, save
from RPTDosimetryLib.virtual_patient.dicom_planes import orientation, slice_position, stacking

Bits = Literal[16, 32]
Heterogeneity = Literal["IMAGE", "ROI_OVERRIDE", "WATER"]
#: Engines that take the whole patient as one soft tissue; all others take density and medium from the image.
_ONE_TISSUE: Final = ("ssv",)
_GRID_FRAME_OFFSET_VECTOR: Final = 0x3004000C
#: Most characters of the value representations LO and ST (PS3.5 table 6.2-1).
_LO, _ST = 64, 1024


@dataclass(frozen=True)
class RtDoseOptions:
    """bits: 16 stores a dose to 1/131070 of the maximum (0.0008 %), 32 to 1e-10 of it; not every reader takes 32.

    created: date and time that the file states; None leaves them out (they are optional), so that the same dose gives
    the same file. heterogeneity: what TissueHeterogeneityCorrection says; None: as fits the engine, or nothing where
    the engine is not known.
    """

    bits: Bits = 16
    created: datetime | None = None
    heterogeneity: Heterogeneity | None = None

    def __post_init__(self) -> None:
        if self.bits not in (16, 32):
            raise ReportError(f"An RT Dose stores 16 or 32 bits a voxel, not {self.bits}.")


@dataclass(frozen=True)
class WrittenRtDose:
    """Where the file is, its identity, and how exactly it holds the dose: largest rounding error [Gy]."""

    path: Path
    sop_instance_uid: str
    dose_grid_scaling_gy: float
    largest_error_gy: float
    warnings: tuple[str, ...] = ()


def write_rtdose(
    dose: DoseMap, path: Path, identity: DicomIdentity, options: RtDoseOptions | None = None
) -> WrittenRtDose:
    """Write one file, whole or not at all; stored value = dose/DoseGridScaling, unsigned.

    Planes ascend along row × column. There is no RT Plan to refer to in radiopharmaceutical therapy, so the dose is
    summed over a plan overview (DoseSummationType PLAN_OVERVIEW) of one administration. All UIDs derive from the
    content. Raises ReportError: negative or non-finite dose, another unit than Gy, one plane only, disk refuses.
    """
    options = options or RtDoseOptions()
    _require_dose(dose, path)
    voxels, grid = _ascending(dose)
    scaling, stored = _stored(voxels, options.bits)
    ds = Dataset()
    ds.update(identity.attributes)
    start_object(ds, RTDOSE, "RTDOSE", 1)
    ds.OperatorsName = ""
    set_dates(ds, options.created, ("InstanceCreation", "Series", "Content"))
    _set_pixels(ds, grid, options.bits)
    _set_dose(ds, dose, options.heterogeneity)
    ds.DoseGridScaling = decimal(scaling)
    ds.PlanOverviewSequence = [_plan_overview(identity.images)]
    set_uids(ds, stored.tobytes())
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"
    save(ds, path)
    return WrittenRtDose(path, str(ds.SOPInstanceUID), scaling, scaling / 2, identity.warnings)


def _require_dose(dose: DoseMap, path: Path) -> None:
    voxels = dose.image.voxels
    if dose.image.unit != "Gy":
        raise ReportError(f"{path}: an RT Dose holds Gy, this map is in {dose.image.unit!r}.")
    if not np.isfinite(voxels).all() or float(voxels.min()) < 0:
        bad = int(np.count_nonzero(~(voxels >= 0) | ~np.isfinite(voxels)))
        raise ReportError(
            f"{path}: {bad} voxels of the dose are negative, NaN or infinite: this is no absorbed dose. Correct the "
            "map first."
        )
    if voxels.shape[0] < 2:
        raise ReportError(f"{path}: the dose has one plane only: an RT Dose grid needs at least two.")


def _ascending(dose: DoseMap) -> tuple[NDArray[Any], Grid]:
    """Voxels and grid with planes along the normal row × column; a left-handed grid is turned over."""
    voxels, grid = dose.image.voxels, dose.image.grid
    if stacking(grid) > 0:
        return voxels, grid
    x, y, z = (grid.lps_from_ijk @ [0.0, 0.0, grid.shape_zyx[0] - 1.0, 1.0])[:3]
    axes = np.reshape(grid.direction, (3, 3)) * [1.0, 1.0, -1.0]
    return voxels[::-1], replace(grid, origin_mm=(x, y, z), direction=tuple(axes.ravel()))


def _stored(voxels: NDArray[Any], bits: int) -> tuple[float, NDArray[Any]]:
    """(scaling, stored) with dose = scaling·stored to half a step; the scaling is one that a DS holds exactly."""
    most = 2**bits - 1
    scaling = float(str(decimal(float(voxels.max()) / most))) or 1.0
    return scaling, np.minimum(np.rint(voxels.astype(np.float64) / scaling), most).astype(f"<u{bits // 8}")


def _set_pixels(ds: Dataset, grid: Grid, bits: int) -> None:
    nk, nj, ni = grid.shape_zyx
    sx, sy, sz = grid.spacing_mm
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.NumberOfFrames = nj, ni, nk
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit, ds.PixelRepresentation = bits - 1, 0
    ds.PixelSpacing, ds.SliceThickness = [decimal(sy), decimal(sx)], decimal(sz)
    ds.ImagePositionPatient, ds.ImageOrientationPatient = slice_position(grid, 0), orientation(grid)
    ds.FrameIncrementPointer = _GRID_FRAME_OFFSET_VECTOR
    ds.GridFrameOffsetVector = [decimal(k * sz) for k in range(nk)]


def _set_dose(ds: Dataset, dose: DoseMap, heterogeneity: Heterogeneity | None) -> None:
    """What the values are and how they came about; nothing is said that the map does not tell."""
    named = " ".join(word for word in (dose.nuclide, dose.engine_told) if word)
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "GY", "PHYSICAL", "PLAN_OVERVIEW"
    ds.SeriesDescription = f"Absorbed dose {named}".strip()[:_LO]
    ds.DoseComment = f"{named}{': ' if named else ''}research use, verify independently"[:_LO]
    if dose.method:
        ds.DerivationDescription = dose.method[:_ST]
    ds.ImageComments = "\n".join(text for text in (dose.method, DISCLAIMER) if text)
    if heterogeneity is None and dose.engine:
        heterogeneity = "WATER" if dose.engine in _ONE_TISSUE else "IMAGE"
    if heterogeneity is not None:
        ds.TissueHeterogeneityCorrection = heterogeneity


def _plan_overview(images: Sequence[tuple[str, str]]) -> Dataset:
    """One administration; label, site and prescription are not known and stay empty."""
    overview = Dataset()
    overview.PlanOverviewIndex, overview.NumberOfFractionsIncluded = 1, 1
    overview.RTPlanLabel, overview.TreatmentSite = "", ""
    overview.TreatmentSiteCodeSequence, overview.PrescriptionOverviewSequence = [], []
    referenced = []
    for sop_class, instance in images:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        referenced.append(item)
    if referenced:
        overview.ReferencedImageSequence = referenced
    return overview
