"""The demo as a whole: real DICOM in, every result out, doses that differ from the truth only as imaging explains."""

import json

import pytest

from RPTDosimetryLib.demo import MARKER, DemoSettings, run_demo
from RPTDosimetryLib.errors import ReportError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo") / "out", DemoSettings(seed=3))


def test_dose_follows_activity_in_soft_organs(outcome):
    # the true dose is Monte Carlo, the computed one MSV: what is left after the error of Ã is the engine's own
    errors = {e.name: e for e in outcome.organ_errors}
    for name in ("liver", "spleen", "kidney_left", "kidney_right"):
        engine_only = (1 + errors[name].error_fraction) / (1 + errors[name].tia_error_fraction) - 1
        assert abs(engine_only) < 0.03, name


def test_activity_is_lost_to_blur_and_to_nothing_else(outcome):
    errors = {e.name: e.tia_error_fraction for e in outcome.organ_errors}
    assert abs(errors["liver"]) < 0.06  # large: blur takes little
    assert -0.30 < errors["kidney_left"] < -0.05  # 12 mm FWHM on a kidney
    lesions = {name: error for name, error in errors.items() if name.startswith("lesion")}
    assert len(lesions) == 3
    assert all(-0.50 < error < -0.10 for error in lesions.values())


def test_study_is_real_dicom_and_results_are_whole(outcome):
    pydicom = pytest.importorskip("pydicom")
    spects = sorted(outcome.study.glob("spect_*/*.dcm"))
    assert len(spects) == 4
    header = pydicom.dcmread(spects[0], stop_before_pixels=True)
    assert header.Modality == "NM"
    assert header.ImageType[2:4] == ["RECON TOMO", "EMISSION"]
    assert len(list((outcome.study / "ct").glob("*.dcm"))) > 100
    names = {p.name for p in outcome.results.folder.iterdir()}
    assert {"dose_gy.nrrd", "organ_doses.csv", "dvh.png", "dose_overlay.png", "provenance.json"} <= names
    truth = json.loads((outcome.study.parent / MARKER).read_text())
    assert truth["tia_bq_s"]["liver"] > 0


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "patient.dcm").write_bytes(b"precious")
    with pytest.raises(ReportError, match="did not write"):
        run_demo(tmp_path)
    assert (tmp_path / "study" / "patient.dcm").read_bytes() == b"precious"
