"""Hänscheid et al. 2018 (J Nucl Med 59:75): one scan at T near 96 h, Ã ≈ A(T)·2T/ln 2, for Lu-177.

The mono-exponential truth is A(T)·(2^x/x)·T/ln 2 with x = T/T_eff. For 0.75 ≤ x ≤ 2.5 the estimate 2 is within −12 and
+6 % of 2^x/x (least of it e·ln 2 = 1.884 at x = 1/ln 2), which is why the half-life need not be known.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from RPTDosimetryLib.tia.columns import ActivityColumns
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.tia.single_scan import asked_scan
from RPTDosimetryLib.tia.single_time_point import Assumption, SingleTimePoint
from RPTDosimetryLib.units import S_PER_H

BEST_SCAN_S: Final = 96 * S_PER_H
X_LOW, X_HIGH = 0.75, 2.5


def _assume(columns: ActivityColumns, settings: FitSettings) -> Assumption:
    scan = asked_scan(columns.time_s, settings.scan_time_h, BEST_SCAN_S)
    scan_s = float(columns.time_s[scan])
    shortest, longest = (scan_s / x / S_PER_H for x in (X_HIGH, X_LOW))
    said = [
        f"haenscheid: single time point at {scan_s / S_PER_H:.4g} h; within −12 and +6 % only if uptake is quick "
        f"and the effective half-life between {shortest:.3g} and {longest:.3g} h."
    ]
    if columns.nuclide != "Lu-177":
        said.append(f"haenscheid: published for Lu-177, used here for {columns.nuclide}.")
    return Assumption(scan, float(np.log(2)) / scan_s, 0.0, tuple(said))


MODEL = SingleTimePoint("haenscheid", _assume)
