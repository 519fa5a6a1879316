"""SUV of a PET whose numbers are known, as different vendors would store it; and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.prediction.pet_study import read_pet_study, suv_factor
from RPTDosimetryLib.prediction.tracers import HALF_LIFE_S, tracer_of
from RPTDosimetryLib.records import Administration, Image
from RPTDosimetryLib.virtual_patient.dicom_identity import PatientInfo, Visit
from RPTDosimetryLib.virtual_patient.dicom_writer import PtOptions, write_ct_series, write_pt_series

GRID = Grid((6, 8, 10), (4.0, 4.0, 5.0), (-20.0, -16.0, 0.0))
INJECTED = datetime(2024, 5, 6, 9, 0, 0)
SCAN = INJECTED + timedelta(minutes=60)
WEIGHT_KG, ACTIVITY_BQ, T = 80.0, 150e6, HALF_LIFE_S["Ga-68"]
#: The true SUV of the phantom: 1 in the background, 40 in a block.
TRUE = np.ones(GRID.shape_zyx, dtype=np.float32)
TRUE[2:4, 3:6, 3:6] = 40.0


def stored(decay_correction: str) -> np.ndarray:
    """Bq/mL of the phantom as the file holds them."""
    at_injection = TRUE * ACTIVITY_BQ / (1000.0 * WEIGHT_KG)
    return at_injection if decay_correction == "ADMIN" else at_injection * 2.0 ** (-3600.0 / T)


@pytest.fixture
def write(tmp_path):
    def build(correction="START", units="BQML", values=None, change=None, patient=None, start_datetime=True):
        who = patient or PatientInfo(weight_kg=WEIGHT_KG)
        given = Administration("Ga-68", ACTIVITY_BQ, INJECTED, T)
        visit = Visit(1, SCAN, 1e-3, frame="one")
        image = Image(stored(correction) if values is None else values, GRID, "Bq/mL")
        options = PtOptions(units, correction, start_datetime, description="PET")
        files = write_pt_series(image, tmp_path / "pet", who, visit, given, options)
        write_ct_series(Image(np.full(GRID.shape_zyx, 40.0), GRID, "HU"), tmp_path / "ct", who, visit)
        for file in files:
            ds = pydicom.dcmread(file)
            item = ds.RadiopharmaceuticalInformationSequence[0]
            item.Radiopharmaceutical = "68Ga-PSMA-11"
            code = pydicom.Dataset()
            code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "49127007", "SCT", "^68^Gallium"
            item.RadionuclideCodeSequence = [code]
            if change is not None:
                change(ds, item)
            ds.save_as(file)
        return tmp_path

    return build


@pytest.mark.parametrize("correction", ["START", "ADMIN", "NONE"])
def test_suv_is_the_same_whatever_the_decay_correction(write, correction):
    study = read_pet_study(write(correction))
    assert study.pet.unit == "SUV"
    assert np.allclose(study.pet.voxels, TRUE, rtol=2e-3)
    assert (study.tracer, study.nuclide, study.weight_kg) == ("[68Ga]Ga-PSMA-11", "Ga-68", WEIGHT_KG)
    assert study.scan_time_min == pytest.approx(60.0)


def test_suv_as_stored_in_gml_is_taken_as_it_is(write):
    assert np.allclose(read_pet_study(write(units="GML", values=TRUE)).pet.voxels, TRUE, rtol=2e-3)


def test_counts_with_the_vendors_factor_give_the_same_suv(write):
    def philips(ds, item):
        ds.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
        ds.add_new((0x7053, 0x1009), "DS", "2.0")

    study = read_pet_study(write(units="CNTS", values=stored("START") / 2.0, change=philips))
    assert np.allclose(study.pet.voxels, TRUE, rtol=2e-3)


def test_an_injection_time_without_a_date_is_that_of_the_same_day(write):
    study = read_pet_study(write(start_datetime=False))
    assert study.scan_time_min == pytest.approx(60.0)
    assert any("without a date" in warning for warning in study.warnings)


def without(keyword):
    def change(ds, item):
        for place in (ds, item):
            if keyword in place:
                delattr(place, keyword)

    return change


def named(text):
    def change(ds, item):
        item.Radiopharmaceutical = text

    return change


def untimed(ds, item):
    del item.RadiopharmaceuticalStartTime
    del item.RadiopharmaceuticalStartDateTime


def lean_body(ds, item):
    ds.SUVType = "LBM"


def wrong_half_life(ds, item):
    item.RadionuclideHalfLife = "6586.2"


@pytest.mark.parametrize(
    ("change", "units", "said"),
    [
        (without("PatientWeight"), "BQML", "weight"),
        (without("RadionuclideTotalDose"), "BQML", "injected activity"),
        (untimed, "BQML", "injection time"),
        (without("DecayCorrection"), "BQML", "decay correction"),
        (without("RadionuclideCodeSequence"), "BQML", "no known|radionuclide|68Ga"),
        (named("Solution"), "BQML", "tells no known tracer"),
        (lean_body, "GML", "body weight"),
        (None, "CNTS", "unit"),
        (wrong_half_life, "BQML", "half-life"),
    ],
)
def test_a_pet_that_lacks_something_is_refused_with_what_it_lacks(write, change, units, said):
    folder = write(units=units, change=change)
    if change is not None and said.startswith("no known"):
        assert read_pet_study(folder).nuclide == "Ga-68"  # the name alone tells it
        return
    with pytest.raises(StudyError, match=said):
        read_pet_study(folder)


def test_a_tracer_may_be_told_but_not_against_the_header(write):
    folder = write(change=named("Solution"))
    assert read_pet_study(folder, "[68Ga]Ga-PSMA-11").tracer == "[68Ga]Ga-PSMA-11"
    with pytest.raises(StudyError, match="no known tracer of Ga-68"):
        read_pet_study(folder, "[18F]FDG")


def test_a_folder_without_ct_is_refused(write):
    folder = write()
    for file in (folder / "ct").iterdir():
        file.unlink()
    with pytest.raises(StudyError, match="0 CT series"):
        read_pet_study(folder)


def test_suv_of_an_even_body_is_one():
    assert suv_factor(70.0, 1e8, T, T) * (1e8 / 2 / 70e3) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("nuclide", "text", "tracer"),
    [
        ("Ga-68", "68Ga-PSMA-11", "[68Ga]Ga-PSMA-11"),
        ("Ga-68", "Ga68 PSMA", "[68Ga]Ga-PSMA-11"),
        ("Ga-68", "PSMA-617", "[68Ga]Ga-PSMA-617"),
        ("Ga-68", "DOTATATE", "[68Ga]Ga-DOTATATE"),
        ("F-18", "PSMA-1007", "[18F]PSMA-1007"),
        ("F-18", "Fluorodeoxyglucose", "[18F]FDG"),
        ("Cu-64", "Copper Cu 64 dotatate", "[64Cu]Cu-DOTATATE"),
        ("F-18", "Solution", None),
    ],
)
def test_tracers_are_known_by_nuclide_and_name(nuclide, text, tracer):
    assert tracer_of(nuclide, text) == tracer


def test_every_tracer_is_known_by_its_own_name():
    from RPTDosimetryLib.prediction.tracers import _KNOWN

    for nuclide, _, tracer in _KNOWN:
        assert tracer_of(nuclide, tracer) == tracer
