"""The units an activity image may come in, and the factor that makes each Bq/mL or counts."""

from __future__ import annotations

from RPTDosimetryLib.records import ActivityUnit

#: UCUM (https://ucum.org) spells millilitre ml or mL and also allows cm3; the prefix is case-sensitive (m is not M).
_BQ_PREFIX = {"": 1.0, "k": 1e3, "M": 1e6}
_PER_ML = ("/ml", "/mL", "/cm3", "/cc", "ML")
#: DICOM PS3.3 C.8.9.1.1.3 (CNTS) and UCUM annotations.
_COUNTS = ("counts", "count", "cnts", "{counts}", "{count}", "{cnts}")


def read_unit(text: str) -> tuple[ActivityUnit, float] | None:
    """("Bq/mL", factor to it) or ("counts", 1) from a unit as people, UCUM or DICOM (BQML, CNTS) write it, or None."""
    text = text.strip()
    if text.lower() in _COUNTS:
        return "counts", 1.0
    if text.upper() == "BQML" or text.lower() == "bq/ml":
        return "Bq/mL", 1.0
    for ending in _PER_ML:
        if text.endswith("Bq" + ending):
            factor = _BQ_PREFIX.get(text.removesuffix("Bq" + ending))
            return None if factor is None else ("Bq/mL", factor)
    return None
