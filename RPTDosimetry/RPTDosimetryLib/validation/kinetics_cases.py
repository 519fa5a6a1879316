"""Time-integrated activity of real organ curves against another program's fit."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia.registry import kinetic_model
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H
from RPTDosimetryLib.validation.row import ValidationRow, compared

#: Unweighted least squares reaches the file's own fit to 0.1 %.
BAR_PERCENT = 0.1


def kinetics_rows(shared: Path) -> list[ValidationRow]:
    """monoexponential_uptake on kidney and liver: Ã and both half-lives."""
    content = json.loads((shared / "reference" / "tac_patient.json").read_text(encoding="utf-8"))
    time_s = np.array(content["time_h"]) * S_PER_H
    rows = []
    for organ, values in content["organs"].items():
        activity_bq = np.array(values["activity_mbq"]) * BQ_PER_MBQ
        curve = TimeActivityCurve(time_s, activity_bq, "Lu-177", nuclide("Lu-177").lambda_phys_per_s)
        fit = kinetic_model("monoexponential_uptake").fit(curve, FitSettings())
        ours = fit.tia_bq_s / BQ_PER_MBQ / S_PER_H
        place = (f"curve {organ}", "TIA, monoexponential_uptake", "MBq h")
        rows.append(compared(place, ours, values["tia_mbq_h"], BAR_PERCENT, content["source"]))
        for name, theirs, what in (
            ("lambda_eff_per_s", "lambda_per_h", "effective"),
            ("mu_per_s", "mu_per_h", "uptake"),
        ):
            hours = math.log(2) / fit.parameters[name] / S_PER_H, math.log(2) / values[theirs]
            rows.append(compared((f"curve {organ}", f"{what} half-life", "h"), *hours, BAR_PERCENT, content["source"]))
    return rows
