"""Two organs, a lesion in one of them and a dose, as a run would hand them over."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from RPTDosimetryLib.evaluation.organ_table import organ_doses
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.radiobiology.cycles import Present, PresentCycle
from RPTDosimetryLib.radiobiology.organ_effects import organ_effects
from RPTDosimetryLib.radiobiology.tissues import RadiobiologySettings
from RPTDosimetryLib.records import Administration, DoseMap, Image, KineticFit, PatientMap, TiaMap, Voi
from RPTDosimetryLib.tia.curve_shapes import SumOfExponentials

GRID = Grid((6, 6, 8), (4.8, 4.8, 4.8), (0.0, 0.0, 0.0))
HALF_LIVES_H = {"kidney_left": 49.224, "liver": 80.0, "lesion 1": 90.0, "spleen": 60.0}


def fit_of(half_life_h):
    shape = SumOfExponentials(np.array([1e6]), np.array([math.log(2) / half_life_h / 3600]))
    return KineticFit("monoexponential", shape.integral_from(), {}, 0.1, shape)


@dataclass
class Case:
    """Masks by columns of the grid, and doses by volume."""

    settings: RadiobiologySettings = field(default_factory=RadiobiologySettings)
    a0_bq: float = 7.4e9

    def __post_init__(self):
        masks = {name: np.zeros(GRID.shape_zyx, bool) for name in HALF_LIVES_H}
        masks["kidney_left"][:, :, 0:2] = True
        masks["liver"][:, :, 2:6] = True
        masks["lesion 1"][2:4, 2:4, 3] = True
        masks["spleen"][:, :, 6:] = True
        kinds = {"lesion 1": "lesion"}
        self.vois = tuple(Voi(name, mask, GRID, kinds.get(name, "organ")) for name, mask in masks.items())
        gray = np.full(GRID.shape_zyx, 1.0, np.float32)
        gray[masks["kidney_left"]] = 2.741417
        gray[masks["lesion 1"]] = 20.0
        self.dose = DoseMap(Image(gray, GRID, "Gy"), "msv8", "by hand", "Lu-177")
        density = Image(np.full(GRID.shape_zyx, 1.05, np.float32), GRID, "g/cm3")
        self.patient = PatientMap(density, np.ones(GRID.shape_zyx, np.uint8), "msv8", "by hand")
        self.fits = {name: fit_of(hours) for name, hours in HALF_LIVES_H.items()}
        tia = TiaMap(Image(np.ones(GRID.shape_zyx, np.float32), GRID, "Bq·s"), "kim", 0.1)
        given = Administration("Lu-177", self.a0_bq)
        self.rows = tuple(organ_doses(self.dose, self.vois, self.patient, tia, given))

    @property
    def effects(self):
        return organ_effects(self.dose, self.vois, self.rows, self.fits, self.patient, self.settings)

    @property
    def present(self):
        return Present(PresentCycle("Lu-177", GRID), self.vois, self.effects, self.patient)


@pytest.fixture
def case():
    return Case()
