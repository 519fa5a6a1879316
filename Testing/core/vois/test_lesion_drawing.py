"""Lesions from a run's settings on registered SPECT, and on a real patient against a physician's contours."""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from RPTDosimetryLib.errors import CancelledError, ConfigurationError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Administration, Image, RegisteredStudy, Study, TimePoint
from RPTDosimetryLib.study.given import StudyGiven
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.vois.delineate import voi_from_contours
from RPTDosimetryLib.vois.lesion_drawing import drawn_lesions
from RPTDosimetryLib.vois.lesion_tools import METHODS, LesionTool, draw_lesion

PATIENT = Path(__file__).parents[3] / "../shared/data/lu177_patient"
GRID = Grid((20, 20, 20), (4.0, 4.0, 4.0))


def ball(radius_mm):
    z, y, x = np.indices(GRID.shape_zyx) * 4.0
    inside = (z - 38) ** 2 + (y - 38) ** 2 + (x - 38) ** 2 < radius_mm**2
    return Image(np.where(inside, 1e6, 1e4).astype(np.float32), GRID, "Bq/mL")


@pytest.fixture
def registered():
    """The ball is larger at the second time point, which is the reference."""
    images = (ball(10.0), ball(18.0))
    points = tuple(TimePoint(image, 3600.0 * n, datetime(2026, 1, 1, n, tzinfo=UTC)) for n, image in enumerate(images))
    study = Study(Administration("Lu-177", 7.4e9), points)
    return RegisteredStudy(study, 1, GRID, images, (), np.ones(GRID.shape_zyx, dtype=bool))


def test_a_lesion_is_drawn_on_its_time_point_or_on_the_reference(registered):
    tools = (LesionTool("a", seed_mm=(38.0, 38.0, 38.0)), LesionTool("b", seed_mm=(38.0, 38.0, 38.0), time_point=1))
    large, small = drawn_lesions(registered, tools)
    assert np.array_equal(large.mask, registered.activity[1].voxels > 5e5)
    assert np.array_equal(small.mask, registered.activity[0].voxels > 5e5)
    assert (large.name, large.kind) == ("a", "lesion")
    assert large.source.endswith("on time point 2")
    assert small.source.endswith("on time point 1")


def test_a_time_point_that_is_not_there_and_a_stop_are_told(registered):
    tool = LesionTool("a", seed_mm=(38.0, 38.0, 38.0), time_point=3)
    with pytest.raises(ConfigurationError, match="time_point = 3: the study has 2"):
        drawn_lesions(registered, (tool,))
    with pytest.raises(CancelledError):
        drawn_lesions(registered, (tool,), cancelled=lambda: True)


def test_tools_are_read_from_toml():
    @dataclass(frozen=True)
    class Section:
        lesions: tuple[LesionTool, ...] = ()

    text = """
    [[lesions]]
    name = "segment VI"
    method = "adaptive"
    seed_mm = [12.5, -80, 41]
    [[lesions]]
    name = "segment II"
    method = "fixed"
    threshold_bq_per_ml = 2e5
    box_mm = [[0, 0, 0], [40, 40, 40]]
    time_point = 2
    """
    one, two = TypeAdapter(Section).validate_python(tomllib.loads(text)).lesions
    assert one == LesionTool("segment VI", "adaptive", seed_mm=(12.5, -80.0, 41.0))
    assert two.box_mm == ((0.0, 0.0, 0.0), (40.0, 40.0, 40.0))


def test_every_method_finds_a_physicians_lesions_on_a_real_patient():
    """Dice as measured (0.62 to 0.78), with a margin: the contours of lesion 1 reach down to 1 % of its maximum."""
    if not PATIENT.is_dir():
        pytest.skip("real patient not present: ../shared/data/lu177_patient")
    point = read_study(PATIENT / "SCAN_002", StudyGiven()).time_points[0]
    for contours in point.structures:
        drawn = voi_from_contours(contours, point.spect.grid, "RTSTRUCT", "lesion")
        k, j, i = np.argwhere(drawn.mask).mean(axis=0)
        seed = (point.spect.grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
        level = 0.4 * float(point.spect.voxels[drawn.mask].max())
        for method in METHODS:
            found = draw_lesion(
                point.spect, LesionTool(contours.name, method, tuple(seed), threshold_bq_per_ml=level)
            ).voi
            dice = 2 * np.count_nonzero(found.mask & drawn.mask) / (found.mask.sum() + drawn.mask.sum())
            assert dice > 0.6, (contours.name, method, dice)
