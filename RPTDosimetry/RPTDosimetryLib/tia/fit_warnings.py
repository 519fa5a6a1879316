"""What every fit says about the parts of Ã that no scan supports."""

from __future__ import annotations

from typing import Final

from RPTDosimetryLib.records import TimeActivityCurve
from RPTDosimetryLib.tia.curve_shapes import LinesWithTail, SumOfExponentials

#: Above these shares of Ã the fit says so. They are a reader's alarm, not a limit from a guideline.
MUCH_BEFORE: Final = 0.25
MUCH_AFTER: Final = 0.5


def share_warnings(shape: SumOfExponentials | LinesWithTail, curve: TimeActivityCurve) -> tuple[str, ...]:
    """Warnings when much of Ã lies before the first scan or after the last one."""
    whole = shape.integral_from()
    before = 1.0 - shape.integral_from(float(curve.time_s[0])) / whole
    after = shape.integral_from(float(curve.time_s[-1])) / whole
    said = []
    if before > MUCH_BEFORE:
        said.append(f"{before:.0%} of the time-integrated activity lies before the first scan.")
    if after > MUCH_AFTER:
        said.append(f"{after:.0%} of the time-integrated activity lies after the last scan.")
    return tuple(said)
