"""Names and values of the record as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def words(key: str) -> str:
    """A key of the record as people read it, its unit in brackets."""
    for ending, unit in UNITS.items():
        if key.endswith(ending):
            return f"{key.removesuffix(ending).replace('_', ' ')} [{unit}]"
    return key.replace("_", " ")


#: Endings of names and their units; longer ones first.
UNITS = {
    "_gy_per_gbq": "Gy/GBq",
    "_usv_per_gbq": "µSv/GBq",
    "_usv_per_h": "µSv/h",
    "_gy_per_h": "Gy/h",
    "_per_gy": "1/Gy",
    "_bq_s": "Bq·s",
    "_per_s": "1/s",
    "_percent": "%",
    "_mbq": "MBq",
    "_gbq": "GBq",
    "_usv": "µSv",
    "_msv": "mSv",
    "_gy": "Gy",
    "_bq": "Bq",
    "_ml": "mL",
    "_mm": "mm",
    "_kg": "kg",
    "_h": "h",
    "_g": "g",
    "_s": "s",
    "_m": "m",
}


def cell(value: Any) -> str:
    """One value as text."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{words(str(key))} {cell(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(cell(item) for item in value) or "–"
    return str(value)
