"""Kim et al. 2022 (doi 10.1007/s13139-022-00769-z): Ã = Σ ½(A_i + A_{i+1})Δt_i with A_0 = 0 at t = 0, plus the
physical-decay tail A_n/λ_phys.

The trapezoid with its start and tail fixed, whatever the settings say of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.columns import ActivityColumns, IntegratedColumns
from RPTDosimetryLib.tia.models.trapezoid import Trapezoid
from RPTDosimetryLib.tia.settings import FitSettings


@dataclass(frozen=True)
class Kim(Trapezoid):
    """See the module."""

    name: str = "kim"

    def fit(self, curve: TimeActivityCurve, settings: FitSettings) -> KineticFit:
        """One curve. Raises KineticsError."""
        return super().fit(curve, replace(settings, start="zero", tail="physical"))

    def integrate_columns(self, columns: ActivityColumns, settings: FitSettings) -> IntegratedColumns:
        """Many curves. Raises KineticsError."""
        return super().integrate_columns(columns, replace(settings, start="zero", tail="physical"))


MODEL = Kim()
