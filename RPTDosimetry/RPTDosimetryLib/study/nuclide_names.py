"""Nuclide names as headers write them, brought to the form Lu-177."""

from __future__ import annotations

import re

#: English element names (IUPAC) of nuclides met in nuclear medicine.
_ELEMENTS = {
    "actinium": "Ac",
    "astatine": "At",
    "bismuth": "Bi",
    "copper": "Cu",
    "erbium": "Er",
    "fluorine": "F",
    "gallium": "Ga",
    "holmium": "Ho",
    "indium": "In",
    "iodine": "I",
    "lead": "Pb",
    "lutetium": "Lu",
    "phosphorus": "P",
    "radium": "Ra",
    "rhenium": "Re",
    "samarium": "Sm",
    "scandium": "Sc",
    "strontium": "Sr",
    "technetium": "Tc",
    "terbium": "Tb",
    "thallium": "Tl",
    "thorium": "Th",
    "xenon": "Xe",
    "yttrium": "Y",
    "zirconium": "Zr",
}
_SYMBOLS = {symbol.lower(): symbol for symbol in _ELEMENTS.values()}
_WORD = "|".join(sorted([*_ELEMENTS, *_SYMBOLS], key=len, reverse=True))
_MASS_FIRST = re.compile(rf"(?<![a-z0-9])(\d{{2,3}})(m?)[\s\^*_-]*({_WORD})(?![a-z])", re.IGNORECASE)
_MASS_LAST = re.compile(rf"(?<![a-z])({_WORD})[\s\^*_-]*(\d{{2,3}})(m?)(?![a-z0-9])", re.IGNORECASE)


def canonical_nuclide(text: str) -> str | None:
    """Lu-177 from "177 Lutetium", "^177^Lutetium", "Lu177 DOTATATE", "[177Lu]Lu-PSMA", …; None when none is named.

    Text that names two different nuclides names none.
    """
    found = {_name(m[3], m[1], m[2]) for m in _MASS_FIRST.finditer(text)}
    found |= {_name(m[1], m[2], m[3]) for m in _MASS_LAST.finditer(text)}
    return found.pop() if len(found) == 1 else None


def _name(element: str, mass: str, metastable: str) -> str:
    symbol = _ELEMENTS.get(element.lower()) or _SYMBOLS[element.lower()]
    return f"{symbol}-{mass}{metastable.lower()}"
