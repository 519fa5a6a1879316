"""What a structure's name means: a canonical name and a standard code, whatever the spelling.

Codes are SNOMED CT as DICOM uses it (scheme SCT; context groups 4031, 7151 and 7166 among others); data/
structure_names.csv holds them, each with its source: the DICOM standard's own code tables, or, for ribs, back muscles
and a few vessels that those lack, the mapping that TotalSegmentator publishes for its classes.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal, cast

from RPTDosimetryLib.records import Code

Side = Literal["left", "right"]

#: A side as names write it. A bare L or R counts as a word of its own only ("Kidney L", never the L of L3).
_SIDES: Final = {
    **dict.fromkeys(("left", "lt", "lft", "l", "sinistra", "sinister"), "left"),
    **dict.fromkeys(("right", "rt", "rgt", "r", "dextra", "dexter"), "right"),
}
#: Plurals, British and Latin spellings. Words that say nothing are dropped.
_SPELLINGS: Final = {
    "vertebrae": "vertebra",
    "oesophagus": "esophagus",
    "tumour": "tumor",
    "tumours": "tumor",
    "metastases": "metastasis",
    "mets": "met",
    "testes": "testis",
    "testicles": "testicle",
    "ovaries": "ovary",
    "arteries": "artery",
    "lachrymal": "lacrimal",
}
_DROPPED: Final = frozenset({"the", "of", "and", "both", "structure", "organ", "bilateral"})
#: Where in an organ a lesion lies: of the organ all the same ("lesion 2 liver L lateral").
_PLACES: Final = frozenset(
    {"lobe", "segment", "lateral", "medial", "anterior", "posterior", "superior", "inferior", "upper", "lower", "dome"}
)
#: Endings whose s is no plural (pancreas, uterus, pelvis).
_SINGULAR_ENDINGS: Final = ("ss", "us", "is", "as")


@dataclass(frozen=True)
class KnownStructure:
    """name: canonical, with its side ("left kidney"). code: with the side. region: where a lesion is said to lie."""

    name: str
    code: Code
    region: Code | None = None


def known_structure(name: str) -> KnownStructure | None:
    """The structure that a name means, or None where that is not certain; nothing is guessed.

    Case, punctuation, order of words, plurals and the usual ways to write a side do not count: "Lt kidney",
    "kidney_left" and "KIDNEY L" are the left kidney. A lesion may carry a number and the name of a known organ, which
    becomes its region ("Liver met 2"). A side that a structure cannot have ("left liver"), and any word more
    ("liver minus tumour"), make a name unknown; so is "L1" alone, which may be a vertebra or the first lesion.
    """
    readings = dict.fromkeys((name, re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)))
    for reading in readings:
        words = _words(reading)
        found = _anatomy(words) or _lesion(words)
        if found is not None:
            return found
    return None


def canonical_name(name: str) -> str:
    """The canonical name; an unknown name stays as it is."""
    found = known_structure(name)
    return name if found is None else found.name


def code_of(name: str) -> Code | None:
    """The standard code of a name; None where it is not known."""
    found = known_structure(name)
    return None if found is None else found.code


def name_of_code(code: Code) -> str | None:
    """The canonical name of a code; None for codes outside the table."""
    row = _by_code().get((code.scheme, code.value))
    if row is None:
        return None
    return f"{code.laterality} {row.name}" if code.laterality and row.sides == "paired" else row.name


def is_lesion_code(code: Code) -> bool:
    """True for lesions, neoplasms, metastases, nodules and masses."""
    row = _by_code().get((code.scheme, code.value))
    return row is not None and row.sides == "lesion"


@dataclass(frozen=True)
class _Row:
    """sides: paired, left or right (the code itself says which), lesion, or empty for what is unpaired."""

    name: str
    code: str
    meaning: str
    sides: str

    def with_side(self, side: Side | None) -> KnownStructure:
        fixed = cast("Side", self.sides) if self.sides in ("left", "right") else side
        name = f"{side} {self.name}" if side else self.name
        # a code such as "Left atrium" holds its side: a modifier would say it twice
        return KnownStructure(name, Code(self.code, "SCT", self.meaning, fixed if self.sides == "paired" else None))


def _anatomy(words: tuple[str, ...]) -> KnownStructure | None:
    whole = _by_words().get(_key(words))
    if whole is not None and whole.sides != "lesion":
        return whole.with_side(None)
    sides = {word for word in words if word in ("left", "right")}
    rest = tuple(word for word in words if word not in sides)
    row = _by_words().get(_key(rest)) if sides else None
    if row is None or row.sides != "paired":
        return None
    return row.with_side(cast("Side", sides.pop()) if len(sides) == 1 else None)


def _lesion(words: tuple[str, ...]) -> KnownStructure | None:
    """Words of a lesion first, the rest numbers and at most one known structure."""
    unnumbered = tuple(stem for word in words if (stem := re.sub(r"\d+$", "", word) if word.isalnum() else word))
    for kind in sorted(_lesion_words(), key=len, reverse=True):
        if not kind <= set(unnumbered):
            continue
        row = _by_words()[_key(tuple(kind))]
        rest = tuple(word for word in words if re.sub(r"\d+$", "", word) not in kind and not word.isdigit())
        region = _region(rest)
        if rest and region is None:
            return None
        found = row.with_side(None)
        return KnownStructure(found.name, found.code, None if region is None else region.code)
    return None


def _region(words: tuple[str, ...]) -> KnownStructure | None:
    """The organ that a lesion is said to lie in, as exactly as the words tell it: "upper lobe of lung", "liver L"."""
    organ = tuple(word for word in words if word not in _PLACES)
    unsided = tuple(word for word in organ if word not in ("left", "right"))
    return _anatomy(words) or _anatomy(organ) or (_anatomy(unsided) if unsided else None)


def _words(name: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = []
    for raw in re.split(r"[^a-z0-9]+", plain):
        word = _SPELLINGS.get(raw, raw)
        word = _SIDES.get(word, word)
        if len(word) > 3 and word.endswith("s") and not word.endswith(_SINGULAR_ENDINGS):
            word = word[:-1]
        if word and word not in _DROPPED:
            words.append(word.lstrip("0") or "0" if word.isdigit() else word)
    return tuple(words)


def _key(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(words))


@cache
def _table() -> tuple[tuple[_Row, tuple[str, ...]], ...]:
    text = resources.files("RPTDosimetryLib.vois").joinpath("data/structure_names.csv").read_text(encoding="utf-8")
    return tuple(
        (_Row(r["name"], r["code"], r["meaning"], r["sides"]), tuple(s for s in r["synonyms"].split(";") if s))
        for r in csv.DictReader(text.splitlines())
    )


@cache
def _by_words() -> dict[tuple[str, ...], _Row]:
    """First entry wins, so that a canonical name always means itself."""
    found: dict[tuple[str, ...], _Row] = {}
    for row, _ in _table():
        found.setdefault(_key(_words(row.name)), row)
    for row, synonyms in _table():
        for synonym in synonyms:
            found.setdefault(_key(_words(synonym)), row)
    return found


@cache
def _lesion_words() -> frozenset[frozenset[str]]:
    return frozenset(frozenset(key) for key, row in _by_words().items() if row.sides == "lesion")


@cache
def _by_code() -> dict[tuple[str, str], _Row]:
    found: dict[tuple[str, str], _Row] = {}
    for row, _ in _table():
        found.setdefault(("SCT", row.code), row)
    return found
