"""A dose on its way as a file: whole, the newest only, with its error; and what tells a job to stop."""

import json

import numpy as np
import pytest

from RPTDosimetryLib.background import CANCEL, Request, main, prepare
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.interim_dose import InterimFiles, error_of_voxels, read_interim
from RPTDosimetryLib.records import Image

GRID = Grid((3, 4, 5), (4.0, 4.5, 5.0), (-20.0, 10.0, 400.0))


def images(dose=1.0, error=0.1):
    gray = np.full(GRID.shape_zyx, dose, np.float32)
    gray[0] = 0.0
    return Image(gray, GRID, "Gy"), Image(np.full(GRID.shape_zyx, error, np.float32), GRID, "Gy")


def test_what_was_written_comes_back(tmp_path):
    dose, error = images(2.0, 0.1)
    name = InterimFiles(tmp_path).write(dose, error)
    back = read_interim(tmp_path / name)
    np.testing.assert_array_equal(back.dose.voxels, dose.voxels)
    assert back.dose.grid.same_as(GRID)
    assert back.dose.unit == "Gy"
    assert back.relative_error == pytest.approx(0.05)


def test_two_files_at_most_and_none_half_written(tmp_path):
    files = InterimFiles(tmp_path)
    names = [files.write(*images()) for _ in range(5)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names[-2:]
    assert read_interim(tmp_path / names[0]) is None
    (tmp_path / "other.npz").write_bytes(b"half a file")
    assert read_interim(tmp_path / "other.npz") is None


def test_the_error_is_that_of_voxels_above_a_tenth_of_the_highest():
    dose, error = images(1.0, 0.2)
    dose.voxels[1, 0, 0], error.voxels[1, 0, 0] = 0.05, 1e6
    assert error_of_voxels(dose, error) == pytest.approx(0.2)
    assert error_of_voxels(*images(0.0)) == np.inf


def monte_carlo_job(folder, decays):
    """A small block with a source in its middle, and how it is to be simulated."""
    from RPTDosimetryLib.dose.engine import DoseSettings
    from RPTDosimetryLib.dose.monte_carlo_settings import MonteCarloSettings
    from RPTDosimetryLib.records import PatientMap, TiaMap

    grid = Grid((6, 6, 6), (4.8, 4.8, 4.8))
    decayed = np.zeros(grid.shape_zyx, np.float32)
    decayed[2:4, 2:4, 2:4] = 1e9
    density = Image(np.full(grid.shape_zyx, 1.04, np.float32), grid, "g/cm3")
    patient = PatientMap(density, np.full(grid.shape_zyx, 4, np.uint8), "msv8", "test")
    settings = DoseSettings("monte_carlo", monte_carlo=MonteCarloSettings(histories=decays, checkpoint=folder / "kept"))
    tia = TiaMap(Image(decayed, grid, "Bq·s"), "test", 0.0)
    prepare(folder, Request("compute_dose", (tia, patient, "Lu-177", settings), keeps=True))


def test_a_job_that_is_asked_to_stop_answers_and_keeps_what_is_done(tmp_path):
    from RPTDosimetryLib.transport.voxel_tally import VoxelTally

    monte_carlo_job(tmp_path, 1e9)
    said = []

    def say(line):
        said.append(json.loads(line))
        if "interim" in said[-1]:
            (tmp_path / CANCEL).touch()

    assert main(tmp_path, say) == 2
    assert {"stopping": True} in said
    assert said[-1]["kind"] == "CancelledError"
    assert len(VoxelTally.load(tmp_path / "kept").batches) >= 2
    assert read_interim(tmp_path / next(line["interim"] for line in said if "interim" in line)) is not None
