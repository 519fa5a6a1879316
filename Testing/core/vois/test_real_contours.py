"""Two real liver lesions, drawn by a physician on Lu-177 SPECT, against polygon area times slice spacing."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Contours
from RPTDosimetryLib.vois.delineate import voi_from_contours

PATIENT = Path(__file__).parents[3] / "../shared/data/lu177_patient"


def structures(scan):
    dataset = pydicom.dcmread(next((PATIENT / scan / "mask").iterdir()))
    for drawn, roi in zip(dataset.ROIContourSequence, dataset.StructureSetROISequence, strict=True):
        yield roi.ROIName, [np.reshape(c.ContourData, (-1, 3)).astype(float) for c in drawn.ContourSequence]


def volume_ml(polygons):
    """Σ shoelace area · slice spacing (these structures have no holes)."""
    areas = [abs(np.dot(p[:, 0], np.roll(p[:, 1], 1)) - np.dot(p[:, 1], np.roll(p[:, 0], 1))) / 2 for p in polygons]
    heights = np.unique(np.round([p[0, 2] for p in polygons], 2))
    return sum(areas) * float(np.median(np.diff(heights))) / 1000.0


@pytest.mark.parametrize("scan", ["SCAN_001", "SCAN_002"])
@pytest.mark.parametrize("spacing_mm", [1.953, 4.0, 4.795])
def test_lesion_volumes_agree_with_area_times_spacing(scan, spacing_mm):
    if not PATIENT.is_dir():
        pytest.skip("real patient not present: ../shared/data/lu177_patient")
    for name, polygons in structures(scan):
        low = np.concatenate(polygons).min(axis=0) - 20.0
        extent = np.ptp(np.concatenate(polygons), axis=0) + 40.0
        counts = np.ceil(extent / spacing_mm).astype(int)
        grid = Grid(tuple(int(n) for n in counts[::-1]), (spacing_mm,) * 3, tuple(low))
        voi = voi_from_contours(Contours(name, tuple(polygons)), grid, "RTSTRUCT", "lesion")
        assert voi.volume_ml == pytest.approx(volume_ml(polygons), rel=0.02)
