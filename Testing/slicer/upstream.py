"""What the steps above Kinetics leave in the scene, made by the library: a quick study of four time points."""

from datetime import datetime, timedelta

import numpy as np


def four_time_points():
    """A block of tissue with a kidney and a lesion that wash out at their own rates, 3 % noise."""
    from RPTDosimetryLib.grid import Grid
    from RPTDosimetryLib.records import Administration, Image, Study, TimePoint

    grid = Grid((8, 14, 16), (4.8, 4.8, 4.8), (-36.0, 20.0, 400.0))
    rng = np.random.default_rng(8)
    given = datetime(2024, 5, 13, 9, 30)
    start, rate = np.full(grid.shape_zyx, 2e4), np.full(grid.shape_zyx, 6e-6)
    start[2:6, 3:8, 3:7], rate[2:6, 3:8, 3:7] = 9e5, 3.8e-6
    start[3:6, 8:11, 10:13], rate[3:6, 8:11, 10:13] = 2e6, 2.2e-6
    ct = np.full(grid.shape_zyx, 40.0, np.float32)
    ct[:, 0] = -1000.0
    ct[:, -3:, 5:9] = 700.0

    def point(hours, **more):
        clean = start * np.exp(-rate * hours * 3600) * (ct > -500)
        spect = Image((clean * rng.normal(1, 0.03, clean.shape)).astype(np.float32), grid, "Bq/mL")
        acquired = given + timedelta(hours=hours)
        return TimePoint(spect, hours * 3600.0, acquired, 1200.0, frame_of_reference_uid="1.2.3", **more)

    points = (point(4, ct=Image(ct, grid, "HU")), point(24), point(72), point(120))
    return Study(Administration("Lu-177", 7.4e9, given, 574300.0), points, "P01")


def vois_on(grid):
    """A kidney, a lesion and the block that holds both."""
    from RPTDosimetryLib.records import Voi

    def box(name, kind, *where):
        mask = np.zeros(grid.shape_zyx, bool)
        mask[where] = True
        return Voi(name, mask, grid, kind=kind, source="test")

    return (
        box("kidney", "organ", slice(2, 6), slice(3, 8), slice(3, 7)),
        box("liver lesion", "lesion", slice(3, 6), slice(8, 11), slice(10, 13)),
        box("body", "region", slice(None), slice(1, None), slice(None)),
    )


def put_upstream(case, study):
    """Study, calibration, registration and volumes of interest into the scene; (registered, vois) of the library."""
    from RPTDosimetryLib.bridge.quantified import put_quantified
    from RPTDosimetryLib.bridge.registered import put_registered
    from RPTDosimetryLib.bridge.time_points import add_study
    from RPTDosimetryLib.bridge.volumes_of_interest import add_volumes
    from RPTDosimetryLib.calibration.settings import CalibrationSettings
    from RPTDosimetryLib.pipeline import quantified_study
    from RPTDosimetryLib.registration.beds import BedSettings
    from RPTDosimetryLib.registration.register import register
    from RPTDosimetryLib.registration.settings import RegistrationSettings

    add_study(case, study)
    quantified = quantified_study(study, CalibrationSettings(), BedSettings())
    put_quantified(case, quantified)
    registered = register(quantified.study, RegistrationSettings(method="none"))
    put_registered(case, registered)
    vois = vois_on(registered.grid)
    add_volumes(case, vois)
    return registered, vois
