"""The default model on the ICRP-110 adult male phantom, an anatomy it was not trained on, against EGSnrc."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
from RPTDosimetryLib.dose.hybrid_settings import HybridSettings
from RPTDosimetryLib.records import TiaMap
from RPTDosimetryLib.registration.patient_map import patient_map
from RPTDosimetryLib.study.image_files import read_image

AM = Path(__file__).parents[3] / "../shared/data/am"
#: Largest error of a region's mean dose against EGSnrc [%]; the phantom's bladder wall is a third of a voxel thick.
WITHIN = {"lungs": 1.0, "bone_cortical": 1.0}
ELSEWHERE = 1.0


@pytest.fixture(scope="module")
def errors():
    """Percent error of each region's mean dose (energy per mass), MSV-8 and hybrid."""
    if not AM.is_dir():
        pytest.skip("the EGSnrc torso (../shared/data/am) is not beside this checkout")
    tia, hu = read_image(AM / "tia_bq_s.nrrd", "Bq·s"), read_image(AM / "hu.nrrd", "HU")
    regions = read_image(AM / "regions.nrrd", "1").voxels.astype(int)
    egsnrc = read_image(AM / "dose_gy.nrrd", "Gy").voxels
    density = read_image(AM / "density_gcc.nrrd", "g/cm3").voxels
    names = json.loads((AM / "summary.json").read_text(encoding="utf-8"))["regions"]
    found = {}
    for engine in ("msv8", "hybrid"):
        chosen = DoseSettings(engine=engine, hybrid=HybridSettings(when_outside="use"))
        dose = compute_dose(TiaMap(tia, "given", 0.0), patient_map(hu, tia.grid), "Lu-177", chosen).image.voxels
        for name, region in names.items():
            inside = regions == region["label"]
            if not inside.any():
                continue  # thinner than half a voxel
            mass = density[inside].astype(float)
            ratio = np.average(dose[inside], weights=mass) / np.average(egsnrc[inside], weights=mass)
            found[engine, name] = 100.0 * (ratio - 1.0)
    return found


def test_lungs_and_bones_are_led_to_egsnrc(errors):
    assert errors["msv8", "lungs"] > 8.0
    assert errors["msv8", "bone_cortical"] < -8.0
    for name, most in WITHIN.items():
        assert abs(errors["hybrid", name]) < most


def require_close(errors, name):
    assert abs(errors["hybrid", name]) < ELSEWHERE, name
    assert abs(errors["hybrid", name]) < abs(errors["msv8", name]) + 0.4, name


def test_no_region_is_off_by_more_than_a_percent_and_none_is_worse_than_msv_by_more(errors):
    names = {name for engine, name in errors if engine == "hybrid"} - {"bladder_wall"}
    assert len(names) >= 12
    for name in names:
        require_close(errors, name)


@pytest.mark.xfail(
    strict=True, reason="the shipped model is -1.1 % off in the bladder wall, MSV-8 +0.6 %", raises=AssertionError
)
def test_nor_is_the_bladder_wall(errors):
    require_close(errors, "bladder_wall")
