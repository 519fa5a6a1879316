"""Step Segmentation by clicking: drawing, lesions with preview, editing, rules, review, saving; against the library."""

import time

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle


def events(seconds=0.0):
    import slicer

    until = time.monotonic() + seconds
    for _ in range(3):
        slicer.app.processEvents()
    while time.monotonic() < until:
        slicer.app.processEvents()
        time.sleep(0.01)


def warm_study(ct=True, labels=True):
    """Two SPECTs of a box of tissue with two warm organs and a hot lesion in the first of them."""
    from datetime import datetime, timedelta

    from RPTDosimetryLib.grid import Grid
    from RPTDosimetryLib.records import Administration, Image, Study, TimePoint

    grid = Grid((24, 32, 32), (5.0, 5.0, 5.0), (-77.5, -77.5, -57.5))
    z, y, x = np.indices(grid.shape_zyx)
    body = (np.hypot((x - 16) / 14, (y - 16) / 13) < 1) & (z > 1) & (z < 22)
    liver = (np.sqrt((x - 11) ** 2 + (y - 16) ** 2 + (z - 12) ** 2) < 6) & body
    kidney = (np.sqrt((x - 22) ** 2 + (y - 19) ** 2 + (z - 11) ** 2) < 3.5) & body
    lesion = np.exp(-((x - 10) ** 2 + (y - 15) ** 2 + (z - 13) ** 2) / (2 * 1.6**2))
    start = datetime(2024, 5, 13, 9, 30)
    marked = (liver * 1 + kidney * 2).astype(np.int32)

    def point(hours, more):
        uptake = 2e3 * body + 2e4 * liver + 6e4 * kidney + 4e5 * lesion
        voxels = (uptake * np.exp(-hours / 60)).astype(np.float32)
        note = "NONE: mean over the acquisition, nothing to undo"
        when = start + timedelta(hours=hours)
        return TimePoint(Image(voxels, grid, "Bq/mL"), hours * 3600.0, when, 1200.0, decay_correction=note, **more)

    hu = np.where(body, 40.0, -1000.0).astype(np.float32)
    more = {"ct": Image(hu, grid, "HU")} if ct else {}
    more |= {"labels": Image(marked, grid, "1")} if labels else {}
    points = (point(4.0, more), point(24.0, {}))
    given = Administration("Lu-177", 7.4e9, start, 574300.0)
    return Study(given, points, "P01", label_names={1: "liver", 2: "kidney left"})


def put_into(case, study):
    """Time points, their calibrated activity and their registration, by the bridge's own functions."""
    from RPTDosimetryLib.bridge.registered import put_registered
    from RPTDosimetryLib.bridge.quantified import put_quantified
    from RPTDosimetryLib.bridge.time_points import add_study
    from RPTDosimetryLib.calibration.settings import CalibrationSettings
    from RPTDosimetryLib.pipeline import quantified_study
    from RPTDosimetryLib.registration.beds import BedSettings
    from RPTDosimetryLib.registration.register import register
    from RPTDosimetryLib.registration.settings import RegistrationSettings

    add_study(case, study)
    quantified = quantified_study(case.study(), CalibrationSettings(), BedSettings())
    put_quantified(case, quantified)
    registered = register(quantified.study, RegistrationSettings(method="none"))
    put_registered(case, registered)
    return registered


@pytest.fixture
def with_vois(panel):
    """The panel with a registered study whose volumes have been drawn; panel.registered is the library's record."""
    panel.registered = put_into(panel.case, warm_study())
    events()
    panel.steps["segmentation"].run_now(panel.case)
    panel.refresh()
    events()
    return panel


def test_probe(with_vois):
    print(with_vois.said, with_vois._headers["segmentation"].text)
    ui = with_vois.steps["segmentation"].ui
    print([[ui.table.item(r, c).text() for c in range(ui.table.columnCount)] for r in range(ui.table.rowCount)])
