"""One application core for the session, an empty scene for each test, and the panel as its user finds it."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("slicer_core", reason="slicer-core is not installed: pip install -e '.[app]'")
pytest.importorskip(
    "PySide6.QtWidgets", reason="PySide6 does not load: pip install -e '.[app]', and libegl1", exc_type=ImportError
)
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "lookalike"), str(HERE)]


@pytest.fixture(scope="session")
def _core(tmp_path_factory):
    os.environ["RPTDOSIMETRY_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    import application

    return application.start()


@pytest.fixture
def scene(_core):
    """An empty MRML scene; a slot that failed fails the test."""
    import qt
    import slicer

    slicer.mrmlScene.Clear(0)
    slicer.app.layoutManager().refill()
    qt.slot_errors.clear()
    yield slicer.mrmlScene
    errors = list(qt.slot_errors)
    qt.slot_errors.clear()
    slicer.mrmlScene.Clear(0)
    assert not errors, f"slots failed: {errors}"


@pytest.fixture
def logic(scene):
    from RPTDosimetry import RPTDosimetryLogic

    return RPTDosimetryLogic()


@pytest.fixture
def case(logic):
    return logic.case()


@pytest.fixture
def panel(scene):
    """The module's panel in a window of a small screen, every step unfolded, closed and deleted at the end."""
    import slicer
    from PySide6.QtCore import QCoreApplication, QEvent

    import RPTDosimetry

    widget = RPTDosimetry.RPTDosimetryWidget()
    widget.parent.resize(480, 900)
    widget.enter()
    for header in widget.panel._headers.values():
        header.collapsed = False
    slicer.app.processEvents()
    yield widget.panel
    widget.cleanup()
    widget.parent.deleteLater()
    slicer.app.processEvents()
    # Without an event loop nothing else deletes it, and its widgets would follow the scene through all later tests.
    QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)


@pytest.fixture(scope="session")
def sample_study(_core):
    """The sample case as the library reads it; written once a session."""
    from RPTDosimetryLib.background import sample_study as read
    from RPTDosimetryLib.bridge.samples import sample_folder

    return read(sample_folder())


@pytest.fixture
def small_study():
    """Two small SPECTs with a CT, contours and labels: quick to put into the scene."""
    from datetime import datetime, timedelta

    import numpy as np

    from RPTDosimetryLib.grid import Grid
    from RPTDosimetryLib.records import Administration, Contours, Image, Study, TimePoint

    grid = Grid((6, 8, 10), (4.0, 4.5, 5.0), (-20.0, 10.0, 400.0))
    rng = np.random.default_rng(3)
    given = datetime(2024, 5, 13, 9, 30)
    square = np.array([[0.0, 20.0, 410.0], [8.0, 20.0, 410.0], [8.0, 31.25, 410.0]])

    def point(hours, **more):
        spect = Image(rng.random(grid.shape_zyx, dtype=np.float32) * 1e5, grid, "Bq/mL")
        start = given + timedelta(hours=hours)
        note = "NONE: mean over the acquisition, nothing to undo"
        return TimePoint(spect, hours * 3600.0, start, 1200.0, decay_correction=note, **more)

    ct = Image(
        rng.normal(40, 20, (12, 16, 20)).astype(np.float32),
        Grid((12, 16, 20), (2.0, 2.25, 2.5), (-21.0, 9.0, 399.0)),
        "HU",
    )
    labels = Image((rng.random(grid.shape_zyx) > 0.8).astype(np.int32), grid, "1")
    contours = (Contours("liver", (square,), "1.2.3"),)
    points = (point(4, ct=ct, labels=labels, structures=contours, frame_of_reference_uid="1.2.3"), point(24))
    return Study(
        Administration("Lu-177", 7.4e9, given, 574300.0), points, "P01", warnings=("a note",), label_names={1: "liver"}
    )


@pytest.fixture
def moved_study(small_study):
    """Three time points, the second and third 10 mm and -6 mm aside; a CT at the first."""
    from dataclasses import replace

    import numpy as np
    from moved_patient import GRID, SHIFT_MM, patient

    from RPTDosimetryLib.records import Image

    first, second = small_study.time_points
    ct = Image(np.where(patient(0).voxels > 0, 40.0, -1000.0).astype(np.float32), GRID, "HU")
    hours = (4.0, 24.0, 72.0)
    images = (patient(0), patient(SHIFT_MM, 0.6), patient(-6, 0.3))
    points = tuple(
        replace(second, spect=image, time_s=h * 3600.0, acquired=first.acquired, ct=ct if n == 0 else None)
        for n, (image, h) in enumerate(zip(images, hours, strict=True))
    )
    return replace(small_study, time_points=points)


@pytest.fixture
def with_vois(panel):
    """The panel with a registered study whose volumes have been drawn; panel.registered is the library's record."""
    from warm_patient import events, put_into, warm_study

    panel.registered = put_into(panel.case, warm_study())
    events()
    panel.open_step("segmentation")
    panel.steps["segmentation"].run_now(panel.case)
    panel.refresh()
    events()
    return panel
