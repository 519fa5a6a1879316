"""Images written as real DICOM: a CT series, SPECT as NM multi-frame RECON TOMO, SPECT as PT slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from RPTDosimetryLib.errors import ImageFileError
from RPTDosimetryLib.files import whole_folder
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image
from RPTDosimetryLib.study.dicom_files import CT, NM, PT
from RPTDosimetryLib.units import BQ_PER_MBQ
from RPTDosimetryLib.virtual_patient.dicom_identity import (
    PatientInfo,
    Visit,
    base_dataset,
    code_item,
    decimal,
    save,
    save_plain,
    set_acquired,
    uid,
)
from RPTDosimetryLib.virtual_patient.dicom_planes import (
    STORED_MAX,
    orientation,
    set_plane,
    slice_position,
    stacking,
    stored,
)
from RPTDosimetryLib.virtual_patient.dicom_radiopharmaceutical import (
    admin_factor,
    radiopharmaceutical_item,
    set_supine_head_first,
)
from RPTDosimetryLib.virtual_patient.rtstruct_writer import write_rtstruct

__all__ = [
    "NmOptions",
    "PatientInfo",
    "PtOptions",
    "Visit",
    "write_ct_series",
    "write_nm_recon_tomo",
    "write_pt_series",
    "write_rtstruct",
]

_LOWEST_HU = -1024
_MS_PER_S = 1000.0
_VIEWS = 60  # angles of the tomographic acquisition that the header describes
#: Main photopeaks [keV], ±10 % windows (EANM 2022 Lu-177 guideline for 208 keV).
_WINDOW_KEV = {"Lu-177": 208.4, "I-131": 364.5, "Y-90": 110.0}


@dataclass(frozen=True)
class NmOptions:
    """What the NM file says beyond its voxels.

    unit: UCUM code of the RealWorldValueMapping, None to leave the unit untold as the NM standard does.
    decay_correction: DecayCorrection (0054,1102), a PET attribute added as a standard extension; None leaves it out.
    negative_spacing: slices stored from the end of the normal, SpacingBetweenSlices below zero.
    start_datetime: date with the administration time; without it only RadiopharmaceuticalStartTime is written.
    activity_in_bq: RadionuclideTotalDose in Bq, as some vendors do, where the standard wants MBq.
    """

    unit: str | None = "Bq/ml"
    decay_correction: str | None = "NONE"
    negative_spacing: bool = False
    start_datetime: bool = True
    activity_in_bq: bool = False
    description: str = "SPECT quantitative"


@dataclass(frozen=True)
class PtOptions:
    """What the PT slices say. bed_starts_s: delay of each slice's own acquisition after the visit's start."""

    units: str = "BQML"
    decay_correction: str = "ADMIN"
    start_datetime: bool = True
    bed_starts_s: tuple[float, ...] = ()
    description: str = "SPECT as PT"


def write_ct_series(image: Image, folder: Path, patient: PatientInfo, visit: Visit) -> tuple[Path, ...]:
    """CT in HU, one file a slice, 16 bit; rounded to whole HU. Raises ImageFileError outside −1024…64511 HU."""
    above_lowest = np.rint(image.voxels.astype(np.float64) - _LOWEST_HU)
    if above_lowest.min() < 0 or above_lowest.max() > STORED_MAX:
        raise ImageFileError(
            f"{folder}: HU from {image.voxels.min():g} to {image.voxels.max():g} do not fit a CT file: clip them first."
        )
    shared = base_dataset(patient, visit, CT, "CT", (2, "CT"))
    shared.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    shared.PatientPosition, shared.KVP, shared.AcquisitionNumber = "HFS", "120", "1"
    set_acquired(shared, visit.acquired)
    shared.RescaleSlope, shared.RescaleIntercept, shared.RescaleType = "1", str(_LOWEST_HU), "HU"

    def finish(ds: Dataset, k: int) -> None:
        ds.PixelData = above_lowest[k].astype("<u2").tobytes()

    return _write_slices(shared, image.grid, folder, (patient, visit), finish)


def write_pt_series(
    image: Image,
    folder: Path,
    patient: PatientInfo,
    visit: Visit,
    administration: Administration,
    options: PtOptions | None = None,
) -> tuple[Path, ...]:
    """SPECT stored as PT; voxel values are written as they are, so they must already follow decay_correction."""
    options = options or PtOptions()
    shared = base_dataset(patient, visit, PT, "PT", (3, options.description))
    shared.ImageType = ["ORIGINAL", "PRIMARY"]
    shared.SeriesType, shared.Units, shared.CountsSource = ["WHOLE BODY", "IMAGE"], options.units, "EMISSION"
    shared.DecayCorrection, shared.NumberOfSlices = options.decay_correction, image.grid.shape_zyx[0]
    shared.CorrectedImage = ["ATTN", "SCAT"] + ([] if options.decay_correction == "NONE" else ["DECY"])
    shared.CollimatorType, shared.ActualFrameDuration = "PARA", round(visit.duration_s * _MS_PER_S)
    shared.FrameReferenceTime, shared.RescaleIntercept = "0", "0"
    set_supine_head_first(shared)
    item = radiopharmaceutical_item(administration, options.start_datetime)
    if administration.administered_activity_bq is not None:
        item.RadionuclideTotalDose = decimal(administration.administered_activity_bq)
    shared.RadiopharmaceuticalInformationSequence = [item]
    if options.decay_correction == "ADMIN":
        shared.DecayFactor = decimal(admin_factor(administration, visit))

    def finish(ds: Dataset, k: int) -> None:
        slope, stored_values = stored(image.voxels[k])
        ds.RescaleSlope, ds.PixelData, ds.ImageIndex = decimal(slope), stored_values.tobytes(), k + 1
        delay_s = options.bed_starts_s[k] if options.bed_starts_s else 0.0
        set_acquired(ds, visit.acquired + timedelta(seconds=delay_s))

    return _write_slices(shared, image.grid, folder, (patient, visit), finish)


def write_nm_recon_tomo(
    image: Image,
    path: Path,
    patient: PatientInfo,
    visit: Visit,
    administration: Administration,
    options: NmOptions | None = None,
) -> Path:
    """SPECT as one NM multi-frame RECON TOMO (DICOM PS3.3 A.5), uint16; voxel values are written as they are.

    Position and orientation of the first slice stand in the detector item, as the NM standard has it. The unit is
    told by a RealWorldValueMapping; RescaleSlope repeats the slope for viewers that know nothing else.
    """
    options = options or NmOptions()
    ds = base_dataset(patient, visit, NM, "NM", (1, options.description))
    ds.SOPInstanceUID = uid(patient, "NM", visit.number, options.description)
    ds.InstanceNumber = 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = visit.frame_of_reference_uid(patient), ""
    set_acquired(ds, visit.acquired)
    set_supine_head_first(ds)
    _nm_acquisition(ds, visit, administration, options)
    backwards = options.negative_spacing != (stacking(image.grid) < 0)
    voxels, start = image.voxels, 0
    if options.negative_spacing:
        voxels, start = image.voxels[::-1], image.grid.shape_zyx[0] - 1
    set_plane(ds, image.grid)
    ds.NumberOfFrames = ds.NumberOfSlices = image.grid.shape_zyx[0]
    ds.FrameIncrementPointer = 0x00540080
    ds.SliceVector = list(range(1, image.grid.shape_zyx[0] + 1))
    ds.SliceThickness = decimal(image.grid.spacing_mm[2])
    ds.SpacingBetweenSlices = decimal(-image.grid.spacing_mm[2] if backwards else image.grid.spacing_mm[2])
    detector = Dataset()
    detector.CollimatorType = "PARA"
    detector.ImagePositionPatient = slice_position(image.grid, start)
    detector.ImageOrientationPatient = orientation(image.grid)
    ds.NumberOfDetectors, ds.DetectorInformationSequence = 1, [detector]
    slope, stored_values = stored(voxels)
    ds.RescaleSlope, ds.RescaleIntercept, ds.PixelData = decimal(slope), "0", stored_values.tobytes()
    if options.unit is not None:
        ds.RealWorldValueMappingSequence = [_real_world_value(slope, options.unit)]
    save(ds, path)
    return path


def _nm_acquisition(ds: Dataset, visit: Visit, administration: Administration, options: NmOptions) -> None:
    item = radiopharmaceutical_item(administration, options.start_datetime)
    if administration.administered_activity_bq is not None:
        unit_bq = 1.0 if options.activity_in_bq else BQ_PER_MBQ
        item.RadionuclideTotalDose = decimal(administration.administered_activity_bq / unit_bq)
    ds.RadiopharmaceuticalInformationSequence = [item]
    peak_kev = _WINDOW_KEV.get(administration.nuclide or "")
    window = Dataset()
    if peak_kev is not None:
        limits = Dataset()
        limits.EnergyWindowLowerLimit = decimal(0.9 * peak_kev)
        limits.EnergyWindowUpperLimit = decimal(1.1 * peak_kev)
        window.EnergyWindowRangeSequence = [limits]
    ds.NumberOfEnergyWindows, ds.EnergyWindowInformationSequence = 1, [window]
    ds.CountsAccumulated, ds.CorrectedImage = None, ["ATTN", "SCAT"]
    if options.decay_correction is not None:
        ds.DecayCorrection = options.decay_correction
    rotation = Dataset()
    rotation.StartAngle, rotation.AngularStep, rotation.RotationDirection = "180", str(360 // _VIEWS), "CC"
    rotation.ScanArc, rotation.NumberOfFramesInRotation = "360", _VIEWS
    rotation.ActualFrameDuration = round(visit.duration_s * _MS_PER_S / _VIEWS)
    ds.NumberOfRotations, ds.RotationInformationSequence = 1, [rotation]


def _real_world_value(slope: float, unit: str) -> Dataset:
    item = Dataset()
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, STORED_MAX
    item["RealWorldValueFirstValueMapped"].VR = item["RealWorldValueLastValueMapped"].VR = "US"
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, 0.0
    item.LUTExplanation, item.LUTLabel = "Activity concentration", "ACTIVITY"
    item.MeasurementUnitsCodeSequence = [code_item(unit, "UCUM", "Becquerels/milliliter" if unit == "Bq/ml" else unit)]
    return item


def _write_slices(
    shared: Dataset,
    grid: Grid,
    folder: Path,
    who: tuple[PatientInfo, Visit],
    finish: Callable[[Dataset, int], None],
) -> tuple[Path, ...]:
    patient, visit = who
    shared.FrameOfReferenceUID, shared.PositionReferenceIndicator = visit.frame_of_reference_uid(patient), ""
    shared.SliceThickness = decimal(grid.spacing_mm[2])
    shared.ImageOrientationPatient = orientation(grid)
    set_plane(shared, grid)
    names = []
    with whole_folder(folder) as temporary:
        for k in range(grid.shape_zyx[0]):
            ds = Dataset()
            ds.update(shared)
            ds.SOPInstanceUID = uid(patient, shared.SeriesInstanceUID, k)
            ds.InstanceNumber, ds.ImagePositionPatient = k + 1, slice_position(grid, k)
            finish(ds, k)
            names.append(f"{shared.Modality}{k + 1:04d}.dcm")
            save_plain(ds, temporary / names[-1])
    return tuple(folder / name for name in names)
