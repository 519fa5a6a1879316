"""Several engines side by side are the engines one by one, each with its own media, organ doses and histograms."""

from datetime import datetime

import numpy as np
import pytest

from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose, engine_description, engine_names, scheme_of
from RPTDosimetryLib.errors import ConfigurationError, DoseError
from RPTDosimetryLib.evaluation.organ_table import organ_doses
from RPTDosimetryLib.evaluation.several_doses import DoseOrder, several_doses
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.pipeline import series_of
from RPTDosimetryLib.records import Administration, Image, Study, TimePoint, Voi
from RPTDosimetryLib.registration.patient_map import patient_map_of
from RPTDosimetryLib.registration.register import register
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.tia.integrate import integrate

GRID = Grid((6, 8, 10), (4.0, 4.5, 5.0), (-20.0, 10.0, 400.0))


@pytest.fixture
def inputs():
    rng = np.random.default_rng(3)
    ct = Image(np.full(GRID.shape_zyx, 40.0, np.float32), GRID, "HU")
    given = datetime(2024, 5, 13, 9, 30)
    points = tuple(
        TimePoint(
            Image(rng.random(GRID.shape_zyx, dtype=np.float32) * 1e5, GRID, "Bq/mL"),
            hours * 3600.0,
            given,
            1200.0,
            ct=ct,
        )
        for hours in (4, 24)
    )
    study = Study(Administration("Lu-177", 7.4e9, given), points)
    registered = register(study, RegistrationSettings(method="none"))
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[:3] = True
    series = series_of(registered, "Lu-177", 1.2e-6)
    vois = (Voi("kidney", mask, GRID),)
    return registered, series, vois, integrate(series, vois)


def test_each_engine_gives_what_it_gives_alone(inputs):
    registered, series, vois, tia = inputs
    found = several_doses(registered, series, vois, tia, DoseOrder(("local", "msv8")))
    assert [one.dose.engine for one in found] == ["local", "msv8"]
    for one in found:
        patient = patient_map_of(registered, None, scheme_of(one.dose.engine))
        alone = compute_dose(tia, patient, "Lu-177", DoseSettings(engine=one.dose.engine))
        np.testing.assert_array_equal(one.dose.image.voxels, alone.image.voxels)
        assert list(one.rows) == organ_doses(alone, vois, patient, tia, registered.study.administration)
        assert one.histograms[0].dose_gy[-1] == pytest.approx(one.rows[0].maximum_gy)


def test_no_engine_is_an_error(inputs):
    with pytest.raises(ConfigurationError, match="No dose engine"):
        several_doses(*inputs, DoseOrder(()))


def test_every_engine_says_what_it_gives_and_costs():
    for name in engine_names():
        told = engine_description(name)
        assert told.gives, name
        assert told.costs, name
    with pytest.raises(DoseError, match="no dose engine"):
        engine_description("guess")
