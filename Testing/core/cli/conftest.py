"""The command as a user calls it, and maps to call it with."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.cli.app import main
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import write_image


@dataclass(frozen=True)
class Answer:
    """Exit code and what stood on the two outputs."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def rptdosimetry(monkeypatch, capsys):
    """Call the command with arguments; returns exit code, standard output and standard error."""

    def call(*arguments) -> Answer:
        monkeypatch.setattr(sys, "argv", ["rptdosimetry", *(str(a) for a in arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        shown = capsys.readouterr()
        return Answer(stop.value.code or 0, shown.out, shown.err)

    return call


@dataclass(frozen=True)
class Maps:
    """A water cube with activity in its middle, as files."""

    folder: Path
    grid: Grid
    tia_bq_s: float = 1e12

    def write(self, name: str, voxels, unit: str = "1", grid: Grid | None = None) -> Path:
        path = self.folder / name
        write_image(Image(np.asarray(voxels), grid or self.grid, unit), path)
        return path

    @property
    def tia(self) -> Path:
        voxels = np.zeros(self.grid.shape_zyx, dtype=np.float32)
        middle = tuple(n // 2 for n in self.grid.shape_zyx)
        voxels[middle] = self.tia_bq_s
        return self.write("tia.nrrd", voxels, "Bq·s")

    @property
    def density(self) -> Path:
        return self.write("density.nrrd", np.full(self.grid.shape_zyx, 1.04, dtype=np.float32), "g/cm3")

    @property
    def hu(self) -> Path:
        return self.write("hu.nrrd", np.full(self.grid.shape_zyx, 30.0, dtype=np.float32), "HU")

    @property
    def labels(self) -> Path:
        voxels = np.zeros(self.grid.shape_zyx, dtype=np.uint8)
        voxels[3:8, 3:8, 3:8] = 1
        voxels[0] = 2
        return self.write("labels.nii.gz", voxels)


@pytest.fixture
def maps(tmp_path):
    return Maps(tmp_path, Grid((11, 11, 11), (4.8, 4.8, 4.8), (-24.0, -24.0, -24.0)))
