"""Single steps from plain files: one JSON answer on standard output, one clear error with exit code 2."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.study.image_files import read_image

REFERENCE = Path(__file__).parents[3] / ".." / "shared" / "reference"
#: mGy/(MBq·s) in Gy/(Bq·s), for 1e12 decays in one voxel.
GY_PER_TABLE_UNIT = 1e-9 * 1e12


def egsnrc_kernel(nuclide, medium):
    path = REFERENCE / "vsv_egsnrc.json"
    if not path.is_file():
        pytest.skip("../shared/reference/vsv_egsnrc.json is not here: no independent kernel to compare with")
    kernels = json.loads(path.read_text())["kernels"]
    return next(k for k in kernels if k["nuclide"] == nuclide and k["medium"] == medium)


def test_kernels_answer_has_the_schema_of_the_reference(rptdosimetry):
    answer = rptdosimetry("kernels", "--nuclide", "Lu-177", "--material", "water", "--voxel-mm", 4.8, 4.8, 4.8,
                          "--extent", 2, "--json")  # fmt: skip
    assert answer.code == 0
    assert answer.err == ""
    reference = egsnrc_kernel("Lu-177", "water_1.00")
    ours = {tuple(e["ijk"]): e for e in answer.json["kernel"]}
    assert len(ours) == 27
    assert set(reference["kernel"][0]) <= set(ours[0, 0, 0])
    near = [e for e in reference["kernel"] if max(e["ijk"]) <= 2]
    for entry in near[:1]:
        assert ours[tuple(entry["ijk"])]["S"] == pytest.approx(entry["S"], rel=0.005)


def test_dose_of_one_voxel_is_the_kernel_of_egsnrc(rptdosimetry, maps):
    out = maps.folder / "dose.nrrd"
    density = maps.write("water.nrrd", np.ones(maps.grid.shape_zyx, dtype=np.float32), "g/cm3")
    answer = rptdosimetry("dose", "--engine", "msv8", "--tia", maps.tia, "--density", density, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["out"] == str(out)
    dose = read_image(out, "Gy").voxels
    reference = egsnrc_kernel("Lu-177", "water_1.00")["kernel"]
    by_index = {tuple(e["ijk"]): e["S"] * GY_PER_TABLE_UNIT for e in reference}
    assert dose[5, 5, 5] == pytest.approx(by_index[0, 0, 0], rel=0.01)  # soft tissue kernel at 1.00 g/cm3
    for k, j, i in ((5, 5, 7), (5, 7, 7), (7, 7, 7)):  # beyond the electrons' range
        index = tuple(sorted((abs(i - 5), abs(j - 5), abs(k - 5)), reverse=True))
        assert dose[k, j, i] == pytest.approx(by_index[index], rel=0.05)


@pytest.mark.parametrize("engine", ["local", "ssv", "msv8"])
def test_dose_is_the_same_by_hu_and_by_density_and_states_its_method(rptdosimetry, maps, engine):
    by_hu = rptdosimetry(
        "dose", "--engine", engine, "--tia", maps.tia, "--hu", maps.hu, "--out", maps.folder / "a.nii.gz"
    )
    assert by_hu.code == 0, by_hu.err
    assert "Lu-177" in by_hu.out
    hu_density = np.interp(30.0, [23, 100], [1.031, 1.1199])  # Schneider 2000
    density = maps.write("same.mhd", np.full(maps.grid.shape_zyx, hu_density, dtype=np.float32))
    by_density = rptdosimetry("dose", "--engine", engine, "--tia", maps.tia, "--density", density, "--out",
                              maps.folder / "b.mha", "--json")  # fmt: skip
    assert by_density.code == 0, by_density.err
    first, second = read_image(maps.folder / "a.nii.gz", "Gy"), read_image(maps.folder / "b.mha", "Gy")
    assert first.grid.same_as(second.grid)
    assert first.voxels == pytest.approx(second.voxels, rel=1e-4)


def test_hu_on_another_grid_is_brought_to_the_tia(rptdosimetry, maps):
    fine = Grid((44, 22, 22), (2.4, 2.4, 1.2), (-25.2, -25.2, -25.8))
    hu = maps.write("fine.nrrd", np.full(fine.shape_zyx, 30, dtype=np.int16), grid=fine)
    one = rptdosimetry("dose", "--tia", maps.tia, "--hu", hu, "--out", maps.folder / "fine_dose.nrrd", "--json")
    two = rptdosimetry("dose", "--tia", maps.tia, "--hu", maps.hu, "--out", maps.folder / "dose.nrrd", "--json")
    assert one.json["max_gy"] == pytest.approx(two.json["max_gy"], rel=1e-3)


def test_dvh_of_a_uniform_dose_is_a_step(rptdosimetry, maps):
    dose = maps.write("uniform.nrrd", np.full(maps.grid.shape_zyx, 2.5, dtype=np.float32), "Gy")
    answer = rptdosimetry("dvh", dose, "--labels", maps.labels, "--density", maps.density, "--json")
    cube, slab = answer.json["volumes"]
    assert (cube["label"], slab["label"]) == (1, 2)
    assert cube["volume_ml"] == pytest.approx(125 * 0.48**3)
    assert cube["mass_g"] == pytest.approx(125 * 0.48**3 * 1.04, rel=1e-6)
    assert [cube[k] for k in ("mean_gy", "mean_plain_gy", "d2_gy", "d50_gy", "d98_gy")] == pytest.approx([2.5] * 5)
    text = rptdosimetry("dvh", dose, "--labels", maps.labels)
    assert text.code == 0
    assert "mean_gy" in text.out


CURVE = {"time_h": [4, 24, 72, 120], "activity_mbq": [100, 80, 45, 25], "nuclide": "Lu-177"}


def test_curve_answers_with_tia_and_extrapolated_share(rptdosimetry, tmp_path):
    path = tmp_path / "curve.json"
    path.write_text(json.dumps(CURVE))
    answer = rptdosimetry("curve", path, "--model", "kim", "--json")
    assert answer.code == 0, answer.err
    # by hand: trapezoids from 0 at t = 0, then physical decay with a half-life of 6.647 d
    trapezoids = 0.5 * 4 * 100 + 0.5 * 20 * 180 + 0.5 * 48 * 125 + 0.5 * 48 * 70
    tail = 25 * 6.647 * 24 / np.log(2)
    assert answer.json["tia_bq_s"] == pytest.approx((trapezoids + tail) * 3.6e9, rel=2e-3)
    assert answer.json["extrapolated_fraction"] == pytest.approx(tail / (trapezoids + tail), rel=2e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nuclide": "Xx-1"}, "Xx-1"),
        ({"time_h": [4], "activity_mbq": [100]}, "one|1"),
        ({"time_h": [4, 4, 72, 120]}, "same|alike|twice"),
        ({"activity_mbq": [100, -1, 45, 25]}, "negative"),
        ({"activity_mbq": [0, 0, 0, 0]}, "zero|no activity"),
    ],
)
def test_bad_curves_are_one_clear_error(rptdosimetry, tmp_path, change, says):
    path = tmp_path / "curve.json"
    path.write_text(json.dumps(CURVE | change))
    answer = rptdosimetry("curve", path, "--model", "monoexponential", "--json")
    assert_clear_error(answer, says)


def test_bad_maps_are_one_clear_error_and_leave_nothing(rptdosimetry, maps):
    out = maps.folder / "out" / "dose.nrrd"
    shape = maps.grid.shape_zyx
    nan = np.ones(shape, dtype=np.float32)
    nan[0, 0, 0] = np.nan
    negative, zero = -np.ones(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    broken = maps.folder / "broken.nrrd"
    broken.write_bytes(maps.tia.read_bytes()[:200])
    far = Grid(shape, (3.0, 3.0, 3.0), (500.0, 0.0, 0.0))
    cases = [
        ((("--tia", maps.write("nan.nrrd", nan)), ("--hu", maps.hu)), "NaN"),
        ((("--tia", maps.write("negative.nrrd", negative)), ("--hu", maps.hu)), "negative"),
        ((("--tia", maps.write("zero.nrrd", zero)), ("--hu", maps.hu)), "zero|no activity"),
        ((("--tia", broken), ("--hu", maps.hu)), "cannot be read"),
        ((("--tia", maps.folder / "none.nrrd"), ("--hu", maps.hu)), "no such file"),
        ((("--tia", maps.tia),), "--hu or --density"),
        ((("--tia", maps.tia), ("--hu", maps.hu), ("--density", maps.density)), "--hu or --density"),
        ((("--tia", maps.tia), ("--hu", maps.hu), ("--nuclide", "Lu-199")), "Lu-199"),
        ((("--tia", maps.tia), ("--density", maps.write("d.nrrd", np.ones(shape, np.float32), grid=far))), "cover"),
        ((("--tia", maps.tia), ("--density", maps.write("n.nrrd", negative))), "negative"),
    ]
    for options, says in cases:
        answer = rptdosimetry("dose", "--out", out, "--json", *(word for pair in options for word in pair))
        assert_clear_error(answer, says)
        assert not out.parent.exists() or not list(out.parent.iterdir())


def test_full_disk_is_one_clear_error_and_leaves_nothing(rptdosimetry, maps):
    resource = pytest.importorskip("resource", reason="file size limits need a POSIX system")
    out = maps.folder / "out" / "dose.nrrd"
    tia, hu = maps.tia, maps.hu
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        answer = rptdosimetry("dose", "--tia", tia, "--hu", hu, "--out", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_clear_error(answer, "could not be written")
    assert list(out.parent.iterdir()) == []


def assert_clear_error(answer, says):
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err
    message = [line for line in answer.err.splitlines() if line.startswith("rptdosimetry: ")]
    assert len(message) == 1
    assert re.search(says, message[0], re.IGNORECASE), message[0]
