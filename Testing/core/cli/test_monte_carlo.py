"""rptdosimetry dose --engine monte_carlo, and the same options in run."""

import numpy as np
import pytest

from RPTDosimetryLib.study.image_files import read_image

FAST = ("--engine", "monte_carlo", "--histories", "1e5", "--json")


def dose_of(rptdosimetry, maps, *more, hu=True):
    given = ("--hu", maps.hu) if hu else ("--density", maps.density)
    return rptdosimetry("dose", "--tia", maps.tia, *given, "--out", maps.folder / "dose.nrrd", *FAST, *more)


def test_dose_and_its_error_as_maps(rptdosimetry, maps):
    answer = dose_of(rptdosimetry, maps, "--out-se", maps.folder / "se.nrrd", "--labels", maps.labels)
    assert answer.code == 0, answer.err
    dose, error = read_image(maps.folder / "dose.nrrd", "Gy"), read_image(maps.folder / "se.nrrd", "Gy")
    assert dose.grid.same_as(error.grid)
    assert 0 < error.voxels[5, 5, 5] < 0.01 * dose.voxels[5, 5, 5]
    inner, outer = answer.json["volumes"]
    assert inner["mean_se_gy"] < 0.02 * inner["mean_gy"]
    assert inner["mean_gy"] > outer["mean_gy"]
    assert answer.json["monte_carlo"]["decays_simulated"] == 1e5
    assert answer.json["monte_carlo"]["seed"] == 1


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(rptdosimetry, maps):
    maps_of = {}
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        assert dose_of(rptdosimetry, maps, "--seed", seed).code == 0
        maps_of[name] = read_image(maps.folder / "dose.nrrd", "Gy").voxels.copy()
    np.testing.assert_array_equal(maps_of["first"], maps_of["again"])
    assert not np.array_equal(maps_of["first"], maps_of["other"])


def test_hu_and_density_agree(rptdosimetry, maps):
    assert dose_of(rptdosimetry, maps).code == 0
    by_hu = read_image(maps.folder / "dose.nrrd", "Gy").voxels[5, 5, 5]
    assert dose_of(rptdosimetry, maps, hu=False).code == 0
    assert read_image(maps.folder / "dose.nrrd", "Gy").voxels[5, 5, 5] == pytest.approx(by_hu, rel=0.03)


def test_a_target_instead_of_a_number(rptdosimetry, maps):
    answer = rptdosimetry(
        "dose", "--tia", maps.tia, "--hu", maps.hu, "--out", maps.folder / "dose.nrrd", "--engine", "monte_carlo",
        "--target-se", "0.003", "--target-volume", "label 1", "--labels", maps.labels, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.json["monte_carlo"]["volumes"]["label 1"]["relative_error"] <= 0.003


def test_a_checkpoint_of_another_case_is_refused_and_kept(rptdosimetry, maps):
    kept = maps.folder / "run.npz"
    assert dose_of(rptdosimetry, maps, "--checkpoint", kept).code == 0
    before = kept.read_bytes()
    assert dose_of(rptdosimetry, maps, "--checkpoint", kept).code == 0  # nothing left to do
    (maps.folder / "dose.nrrd").unlink()
    answer = dose_of(rptdosimetry, maps, "--checkpoint", kept, "--seed", 9)
    assert answer.code == 2
    assert "belongs to another case" in answer.err
    assert kept.read_bytes() == before
    assert not (maps.folder / "dose.nrrd").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--histories", "0"), "histories"),
        (("--histories", "1e30"), "histories"),
        (("--target-se", "2"), "An error to reach"),
        (("--target-volume", "label 1"), "target_se"),
        (("--media", "msv9"), "msv9"),
        (("--device", "tpu"), "tpu"),
        (("--refine", "9"), "refine"),
        (("--nuclide", "Xx-1"), "Xx-1"),
        (("--engine", "msv8", "--histories", "1e6"), "has no options of the Monte Carlo"),
        (("--checkpoint", "/proc/nowhere/run.npz"), "could not be written"),
    ],
)
def test_wrong_options_are_one_clear_error(rptdosimetry, maps, options, said):
    answer = dose_of(rptdosimetry, maps, *options)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.strip().count("\n") == 0
    assert not (maps.folder / "dose.nrrd").exists()


def test_other_engines_have_no_error_map(rptdosimetry, maps):
    answer = rptdosimetry(
        "dose", "--tia", maps.tia, "--hu", maps.hu, "--out", maps.folder / "d.nrrd", "--out-se", maps.folder / "s.nrrd"
    )
    assert answer.code == 2
    assert "has no statistical error" in answer.err
