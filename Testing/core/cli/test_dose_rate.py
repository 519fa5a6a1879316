"""The verb dose-rate, and the engine msv20 and Tb-161 through the verb dose."""

from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.study.image_files import read_image

TIMES_H = (4, 24, 72)


@pytest.fixture
def activity(maps):
    """Three time points of one hot voxel with an effective half-life of 48 h, Bq/mL."""
    files = []
    for t in TIMES_H:
        voxels = np.zeros(maps.grid.shape_zyx, dtype=np.float32)
        voxels[5, 5, 5] = 1e7 * 2.0 ** (-t / 48)
        files.append(maps.write(f"spect_{t}.nrrd", voxels, "Bq/mL"))
    return files


def options(activity, times_h):
    return [word for path in activity for word in ("--activity", path)] + [
        word for t in times_h for word in ("--time-h", t)
    ]


def test_dose_rates_and_their_integral_are_written_and_told(rptdosimetry, maps, activity):
    out = maps.folder / "rates"
    answer = rptdosimetry(
        "dose-rate", *options(activity, TIMES_H), "--hu", maps.hu, "--out", out, "--model", "kim", "--json"
    )
    assert answer.code == 0, answer.err
    told = answer.json
    assert [rate["time_h"] for rate in told["dose_rates"]] == list(TIMES_H)
    assert told["unit"] == "Gy/s"
    rates = [read_image(Path(rate["out"]), "Gy/s").voxels[5, 5, 5] for rate in told["dose_rates"]]
    assert rates[2] / rates[0] == pytest.approx(2.0 ** (-68 / 48), rel=1e-5)
    dose = read_image(Path(told["dose"]["out"]), "Gy").voxels[5, 5, 5]
    # by hand: from 0 at t = 0 through the three rates, then physical decay
    area_h = 0.5 * 4 * rates[0] + 0.5 * 20 * (rates[0] + rates[1]) + 0.5 * 48 * (rates[1] + rates[2])
    by_hand = area_h * 3600 + rates[2] / nuclide("Lu-177").lambda_phys_per_s
    assert dose == pytest.approx(by_hand, rel=1e-5)
    assert told["dose"]["max_gy"] == pytest.approx(dose)
    assert "dose rate at 4, 24, 72 h" in told["dose"]["method"]


def test_one_image_without_a_time_gives_its_rate_alone(rptdosimetry, maps, activity):
    out = maps.folder / "one"
    answer = rptdosimetry("dose-rate", "--activity", activity[0], "--density", maps.density, "--out", out)
    assert answer.code == 0, answer.err
    assert [path.name for path in out.iterdir()] == ["dose_rate_1.nrrd"]
    assert "max_gy_per_s" in answer.out


@pytest.mark.parametrize(
    ("times_h", "says"),
    [((4, 24), "3 activity images and 2 times"), ((), "3 activity images and 0 times"), ((4, 4, 72), "same time"),
     ((-1, 24, 72), "after the administration")],
)  # fmt: skip
def test_times_that_do_not_fit_are_one_clear_error(rptdosimetry, maps, activity, times_h, says):
    out = maps.folder / "out"
    answer = rptdosimetry("dose-rate", *options(activity, times_h), "--hu", maps.hu, "--out", out, "--json")
    assert answer.code == 2
    assert says in answer.err
    assert answer.out == ""
    assert not out.exists()


@pytest.mark.parametrize("given", ["--hu", "--density"])
def test_msv20_takes_its_own_media_by_hu_and_by_density(rptdosimetry, maps, given):
    out = maps.folder / "dose.nrrd"
    image = maps.hu if given == "--hu" else maps.density
    answer = rptdosimetry("dose", "--engine", "msv20", "--tia", maps.tia, given, image, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert "1 media of msv20" in answer.json["method"]
    assert "schneider_soft 1.0617" in answer.json["method"]
    eight = rptdosimetry("dose", "--tia", maps.tia, given, image, "--out", maps.folder / "8.nrrd", "--json")
    assert answer.json["max_gy"] == pytest.approx(eight.json["max_gy"], rel=2e-3)


def test_a_dose_of_tb_161_is_computed_from_shipped_kernels(rptdosimetry, maps, recwarn):
    out = maps.folder / "dose.nrrd"
    answer = rptdosimetry("dose", "--nuclide", "161Tb", "--tia", maps.tia, "--hu", maps.hu, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["nuclide"] == "Tb-161"
    assert not [w for w in recwarn if "not at hand" in str(w.message) or "computed" in str(w.message)]
    lu = rptdosimetry("dose", "--tia", maps.tia, "--hu", maps.hu, "--out", maps.folder / "lu.nrrd", "--json")
    # electrons 202.5 and 147.9 keV per decay (EJNMMI Phys 2020, 7:33, table 1); Tb-161's are softer, more stay
    assert 202.5 / 147.9 < answer.json["max_gy"] / lu.json["max_gy"] < 1.05 * 202.5 / 147.9


def test_a_kernel_that_must_be_computed_is_said_before_even_with_json(rptdosimetry, monkeypatch):
    """Nothing is computed here: the kernel of water stands in."""
    from RPTDosimetryLib.transport import point_kernel_library as library

    water = library.point_kernel("Lu-177", "water")
    monkeypatch.setattr(library, "point_kernel", lambda *_, **__: water)
    answer = rptdosimetry("kernels", "--nuclide", "Y-90", "--material", "schneider_connective", "--voxel-mm", 4.8, 4.8,
                          4.8, "--extent", 0, "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    expected = not library.is_at_hand("Y-90", "schneider_connective")
    assert ("about a minute" in answer.err) == expected
    assert answer.json["kernel"]


def test_a_python_warning_is_one_line_on_standard_error(rptdosimetry, maps, monkeypatch):
    from RPTDosimetryLib.transport import point_kernel_library as library

    monkeypatch.setattr(library, "is_at_hand", lambda *_: False)
    out = maps.folder / "dose.nrrd"
    answer = rptdosimetry("dose", "--tia", maps.tia, "--hu", maps.hu, "--out", out, "--json")
    assert answer.code == 0, answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("warning: 1 point kernel of Lu-177")]
    assert len(lines) == 1
    assert "UserWarning" not in answer.err
