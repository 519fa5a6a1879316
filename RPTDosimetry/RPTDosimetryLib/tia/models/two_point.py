"""A mono-exponential through two scans: λ = ln(A_1/A_2)/(t_2 − t_1) ≥ λ_phys, Ã = A_1·e^(λt_1)/λ.

Of more than two scans it takes a late one, four to seven days after administration, and of those before it the one
nearest to one day: 1 and 7 d are the whole measurement of EJNMMI Phys 2022 (doi 10.1186/s40658-022-00473-z), and 24 and
120 h came within 0.6 % of four scans on average for kidneys (Mol Imaging Radionucl Ther 2026;35:92). Where λ is held at
λ_phys the amplitude is the weighted least-squares one, as in monoexponential.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.checks import require_points
from RPTDosimetryLib.tia.columns import ActivityColumns, IntegratedColumns
from RPTDosimetryLib.tia.models import monoexponential
from RPTDosimetryLib.tia.settings import FitSettings
from RPTDosimetryLib.tia.single_scan import nearest_scan
from RPTDosimetryLib.units import S_PER_H

EARLIER_SCAN_S = 24 * S_PER_H
LATER_FROM_S, LATER_TO_S = 96 * S_PER_H, 168 * S_PER_H


def scan_pair(time_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the two scans, of times in order.

    The later one: the last scan from 96 to 168 h, else the first after 168 h, else the last of all.
    """
    late = np.flatnonzero((time_s >= LATER_FROM_S) & (time_s <= LATER_TO_S))
    very_late = np.flatnonzero(time_s > LATER_TO_S)
    later = late[-1] if late.size else very_late[0] if very_late.size else time_s.size - 1
    later = max(int(later), 1)  # never the first scan: the pair needs one before it
    return np.array([nearest_scan(time_s[:later], EARLIER_SCAN_S), later])


@dataclass(frozen=True)
class TwoPoint:
    """See the module."""

    name: str = "two_point"
    min_points: int = 2
    n_parameters: int | None = None

    def fit(self, curve: TimeActivityCurve, settings: FitSettings) -> KineticFit:
        """One curve. Raises KineticsError."""
        require_points(curve.time_s.size, self.min_points, self.name)
        pair = scan_pair(curve.time_s)
        error = curve.standard_error_bq
        two = replace(
            curve,
            time_s=curve.time_s[pair],
            activity_bq=curve.activity_bq[pair],
            standard_error_bq=None if error is None else error[pair],
        )
        fit = monoexponential.MODEL.fit(two, settings)
        said = tuple(text.replace("monoexponential", self.name) for text in fit.warnings)
        if curve.time_s.size > 2:
            first, last = curve.time_s[pair] / S_PER_H
            said = (
                f"{self.name}: of {curve.time_s.size} scans, those at {first:.4g} and {last:.4g} h are used.",
                *said,
            )
        return replace(fit, model=self.name, warnings=said)

    def integrate_columns(self, columns: ActivityColumns, settings: FitSettings) -> IntegratedColumns:
        """Many curves. Raises KineticsError."""
        require_points(columns.time_s.size, self.min_points, self.name)
        pair = scan_pair(columns.time_s)
        weights = columns.scan_weights
        two = replace(
            columns,
            time_s=columns.time_s[pair],
            activity_bq=columns.activity_bq[pair],
            scan_weights=None if weights is None else weights[pair],
        )
        return monoexponential.MODEL.integrate_columns(two, settings)


MODEL = TwoPoint()
