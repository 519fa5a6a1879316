"""A warm patient whose volumes are drawn, and what tests of step Segmentation do with the panel."""

import time

import numpy as np

LESION_RAS = (27.5, 2.5, 7.5)


def events(seconds=0.0):
    import slicer

    until = time.monotonic() + seconds
    for _ in range(3):
        slicer.app.processEvents()
    while time.monotonic() < until:
        slicer.app.processEvents()
        time.sleep(0.01)


def previewed(panel):
    """Let the preview follow what was set."""
    step, until = panel.steps["segmentation"], time.monotonic() + 5.0
    while step._previewed != step._preview_key(panel.case) and time.monotonic() < until:
        events(0.02)
    events()


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
    from RPTDosimetryLib.bridge.quantified import put_quantified
    from RPTDosimetryLib.bridge.registered import put_registered
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


def table_of(ui):
    return [[ui.table.item(r, c).text() for c in range(ui.table.columnCount)] for r in range(ui.table.rowCount)]


def column(ui, number):
    return {row[0]: row[number] for row in table_of(ui)}


def header(panel):
    return panel._headers["segmentation"].text


def segmentation(case):
    from RPTDosimetryLib.bridge import attributes as at

    return case.node(at.VOIS)


def edit(node, identifier, change):
    """Change a segment's label map in place, as the effects of the Segment Editor do."""
    import slicer

    array = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, identifier)
    change(array)
    name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    node.GetSegmentation().GetSegment(identifier).GetRepresentation(name).Modified()


def accept_all(panel, name="A. Physicist"):
    ui = panel.steps["segmentation"].ui
    ui.reviewerEdit.text = name
    events()
    ui.acceptAllButton.click()
    events()
    return ui


def ids(case):
    """IDs of the volumes of interest in their order."""
    from RPTDosimetryLib.bridge.volumes_of_interest import segment_ids

    return segment_ids(segmentation(case))
