"""The demo on disk: what the reader finds is what was put there."""

import json
import time

import numpy as np
import pydicom
import pytest

from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.virtual_patient.demo_study import write_demo_study


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    steps = []
    started = time.process_time()
    truth = write_demo_study(folder, 3, progress=lambda fraction, text: steps.append((fraction, text)))
    return folder, truth, steps, time.process_time() - started


@pytest.fixture(scope="module")
def study(demo):
    return read_study(demo[0])


def test_it_is_written_within_its_time_and_says_what_it_does(demo):
    _, _, steps, cpu_s = demo
    assert cpu_s < 30.0  # 20 s on two cores
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_nothing_is_missing_when_it_is_read_back(study):
    assert study.missing == ()
    assert [point.missing for point in study.time_points] == [()] * 4
    assert study.administration.administered_activity_bq == pytest.approx(7.4e9, rel=1e-6)
    assert study.administration.nuclide == "Lu-177"


def test_times_units_and_grids_are_those_of_the_truth(demo, study):
    truth = demo[1]
    np.testing.assert_allclose([point.time_s for point in study.time_points], truth.time_s, atol=1e-3)
    np.testing.assert_allclose(np.array(truth.time_s) / 3600, (4, 24, 69, 120), atol=1.6)
    assert {point.spect.unit for point in study.time_points} == {"Bq/mL"}
    assert all(point.spect.grid.same_as(truth.grid) for point in study.time_points)


def test_total_activity_is_that_of_the_patient_in_the_field_of_view(demo, study):
    truth = demo[1]
    for point in study.time_points:
        total = point.spect.voxels.sum(dtype=np.float64) * point.spect.grid.voxel_volume_ml
        whole = sum(float(c.activity_fraction(point.time_s)) for c in truth.patient.kinetics.values()) * 7.4e9
        assert 0.80 * whole < total < whole
        assert total < 7.4e9 * 2 ** (-point.time_s / (6.647 * 86400))


def test_the_ct_and_contours_belong_to_the_first_time_point(demo, study):
    truth = demo[1]
    first, *others = study.time_points
    assert first.ct is not None
    np.testing.assert_allclose(first.ct.voxels, np.rint(np.clip(truth.patient.ct.voxels, -1000, 3071)), atol=0.51)
    assert {c.name for c in first.structures} == set(truth.patient.vois)
    assert all(point.ct is None and not point.structures for point in others)


def test_the_patient_moved_by_millimetres(demo):
    truth = demo[1]
    np.testing.assert_array_equal(truth.moving_from_fixed[0], np.eye(4))
    for matrix in truth.moving_from_fixed[1:]:
        centre = np.array([*truth.grid.centre_mm, 1.0])
        assert 3.0 < np.linalg.norm((matrix @ centre - centre)[:3]) <= 8.0


def test_the_truth_adds_up(demo):
    truth = demo[1]
    assert truth.tia.unit == "Bq·s"
    for voi in truth.vois:
        assert truth.tia_in_grid_bq_s[voi.name] <= truth.tia_bq_s[voi.name] * (1 + 1e-5)
    for name in ("liver", "kidney_left", "spleen", "lesion_liver_1", "lesion_bone_1", "bladder"):
        assert truth.tia_in_grid_bq_s[name] == pytest.approx(truth.tia_bq_s[name], rel=1e-4)
    big = {voi.name: voi for voi in truth.vois}["liver"]
    assert truth.tia.voxels[big.mask].sum() == pytest.approx(truth.tia_bq_s["liver"], rel=0.05)
    assert truth.labels.voxels.max() == len(truth.names)


def test_the_summary_is_json(demo):
    summary = json.loads(json.dumps(demo[1].summary()))
    assert set(summary["tia_bq_s"]) == set(demo[1].names.values())


def test_the_files_are_the_kinds_that_clinics_have(demo):
    kinds = {}
    for path in demo[0].rglob("*.dcm"):
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        kinds.setdefault(dataset.Modality, []).append(dataset)
    assert {kind: len(found) for kind, found in kinds.items()} == {"CT": 148, "NM": 4, "RTSTRUCT": 1}
    assert all(list(nm.ImageType)[2] == "RECON TOMO" for nm in kinds["NM"])
    assert len({nm.FrameOfReferenceUID for nm in kinds["NM"]}) == 4


@pytest.mark.slow
def test_the_same_seed_writes_the_same_bytes(demo, tmp_path):
    write_demo_study(tmp_path, 3)
    for path in sorted(demo[0].rglob("spect.dcm")):
        assert (tmp_path / path.relative_to(demo[0])).read_bytes() == path.read_bytes()
