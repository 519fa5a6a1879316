"""What a step of the record states, drawn as it is: single values as lines, rows of values as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from RPTDosimetryLib.report.document import Block, Heading, Items, KeyValues, Paragraph, Table


def stated_blocks(value: Any, title: str = "") -> list[Block]:
    """Blocks of any JSON: an object becomes lines, objects in a list a table, an object in it a part of its own."""
    blocks: list[Block] = [Heading(title, 2)] if title else []
    if isinstance(value, Mapping):
        plain = {key: item for key, item in value.items() if not _has_parts(item)}
        if plain:
            blocks.append(KeyValues(tuple((words(key), cell(item)) for key, item in plain.items())))
        for key, item in value.items():
            if key not in plain:
                blocks += stated_blocks(item, words(key))
    elif _has_parts(value):
        blocks += _rows(value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        blocks.append(Items(tuple(cell(item) for item in value)))
    else:
        blocks.append(Paragraph(cell(value)))
    return blocks


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


def _has_parts(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value)


def _rows(value: Sequence[Any]) -> list[Block]:
    columns = tuple(dict.fromkeys(key for row in value for key in row))
    rows = tuple(tuple(cell(row.get(key)) for key in columns) for row in value)
    return [Table(tuple(words(key) for key in columns), rows)]
