"""Drawing a lesion and accepting a contour as a user does."""

import json

import numpy as np
import pytest

from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import read_image, write_image
from RPTDosimetryLib.vois.lesion_tools import METHODS
from RPTDosimetryLib.vois.review import read_reviews

GRID = Grid((30, 30, 30), (4.0, 4.0, 4.0), (-58.0, -58.0, 42.0))  # origin of the ball: (2, 2, 102)
RADIUS_MM = 20.0


@pytest.fixture
def spect(tmp_path):
    """A ball of 1e6 Bq/mL with an edge falling over 8 mm to 5e4."""
    at = [o + 4.0 * np.arange(30) for o in GRID.origin_mm[::-1]]
    r = np.sqrt((at[0][:, None, None] - 102) ** 2 + (at[1][:, None] - 2) ** 2 + (at[2] - 2) ** 2)
    voxels = 5e4 + 9.5e5 * np.clip((RADIUS_MM + 4 - r) / 8, 0, 1)
    write_image(Image(voxels.astype(np.float32), GRID, "Bq/mL"), tmp_path / "spect.nrrd")
    return tmp_path / "spect.nrrd"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", [("--seed", 4, 0, 100), ("--box", -40, -40, 60, 44, 44, 144)])
def test_lesion_draws_writes_and_answers(rptdosimetry, spect, tmp_path, method, place):
    out = tmp_path / "mask.nrrd"
    answer = rptdosimetry("lesion", spect, "--method", method, *place, "--threshold-bq-per-ml", 525000, "--out", out,
                          "--json")  # fmt: skip
    assert answer.code == 0
    told = answer.json
    mask = read_image(out, "1").voxels
    assert told["volume_ml"] == pytest.approx(mask.sum() * 0.064)
    assert told["volume_ml"] == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3 / 1000, rel=0.25)
    assert told["centroid_mm_lps"] == pytest.approx((2, 2, 102), abs=0.5)
    assert told["maximum_bq_per_ml"] == pytest.approx(1e6, rel=1e-6)
    assert set(np.unique(mask)) == {0, 1}


def test_lesion_in_words_and_its_errors(rptdosimetry, spect, tmp_path):
    out = tmp_path / "mask.nrrd"
    answer = rptdosimetry("lesion", spect, "--seed", 4, 0, 100, "--name", "seg VI", "--out", out)
    assert answer.code == 0
    assert "seg VI: " in answer.out
    assert "41 % of the maximum 1e+06 Bq/mL" in answer.out
    out.unlink()
    for arguments, said in (
        (("--seed", 900, 0, 0), "outside the image"),
        (("--box", 500, 0, 0, 600, 10, 10), "outside the image"),
        ((), "either seed_mm or box_mm"),
        (("--seed", 4, 0, 100, "--method", "magic"), "choose one of percent_of_maximum"),
        (("--seed", 4, 0, 100, "--method", "fixed", "--threshold-bq-per-ml", 2e6), "above the maximum"),
    ):
        answer = rptdosimetry("lesion", spect, *arguments, "--out", out)
        assert answer.code == 2
        assert said in answer.err
        assert len(answer.err.strip().splitlines()) == 1
        assert not out.exists()


def test_review_records_who_and_when_for_one_contour(rptdosimetry, tmp_path):
    record = {"steps": {"vois": [{"name": "liver", "mask_sha256": "ab" * 32}, {"name": "old"}]}}
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    answer = rptdosimetry("review", tmp_path, "--voi", "liver", "--by", "A. Physicist", "--comment", "fine", "--json")
    assert answer.code == 0
    assert answer.json["review"]["reviewer"] == "A. Physicist"
    (entry,) = read_reviews(tmp_path / "reviews.json").values()
    assert entry.mask_sha256 == "ab" * 32
    for arguments, said in (
        ((tmp_path, "--voi", "spleen", "--by", "A"), "no volume is called 'spleen'. It has liver, old"),
        ((tmp_path, "--voi", "old", "--by", "A"), "holds no checksum of old"),
        ((tmp_path, "--voi", "liver", "--by", " "), "name of the person"),
        ((tmp_path / "nowhere", "--voi", "liver", "--by", "A"), "is not the provenance of a run"),
    ):
        answer = rptdosimetry("review", *arguments)
        assert answer.code == 2
        assert said in answer.err
    assert len(read_reviews(tmp_path / "reviews.json")) == 1
