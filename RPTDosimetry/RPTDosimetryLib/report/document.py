"""What a report says, before it is a page: a few kinds of blocks that every writer knows how to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from typing import Literal

#: Written where a figure, a tag or a step does not exist.
NOT_GIVEN = "not given"


@dataclass(frozen=True)
class Heading:
    """Title of a section (level 1) or of a part of one (level 2)."""

    text: str
    level: Literal[1, 2] = 1


@dataclass(frozen=True)
class Paragraph:
    """Running text; small for what is read only when it is looked for."""

    text: str
    small: bool = False


@dataclass(frozen=True)
class Items:
    """Sentences one below the other."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class KeyValues:
    """Named values, one a line."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Column titles with units, and cells as they are read. widths: relative, None for as wide as the text needs.

    words: columns that hold words, by index, and stand to the left; figures stand to the right.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    widths: tuple[float, ...] | None = None
    words: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Figure:
    """A picture (PNG) and what it shows. share: of the page's height that it may take."""

    path: Path
    caption: str
    share: float = 0.8


@dataclass(frozen=True)
class Notice:
    """What nobody may overlook."""

    text: str


@dataclass(frozen=True)
class PageBreak:
    """What follows begins on a new page."""


Block = Heading | Paragraph | Items | KeyValues | Table | Figure | Notice | PageBreak


@dataclass(frozen=True)
class Document:
    """A whole report. patient and written stand on every page, as does the notice; every page says what this is not."""

    title: str
    patient: str
    written: str
    disclaimer: str
    blocks: tuple[Block, ...]
    notice: str = ""


def figure_text(value: float | None, digits: int = 4) -> str:
    """A figure to so many significant digits, without an exponent up to a million; a dash where there is none."""
    if value is None:
        return "–"
    if 10**digits <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def with_error(value: float | None, error: float | None) -> str:
    """value ± error (1 σ), the error to two digits and the value to the error's last; the value alone without one.

    An error of 0 is no error that was found: it is left out.
    """
    if value is None or not error or error < 0:
        return figure_text(value)
    decimals = max(0, 1 - floor(log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def listed(texts: Sequence[str], none: str) -> Block:
    """The texts, each once; the sentence ``none`` where there are none."""
    said = tuple(dict.fromkeys(texts))
    return Items(said) if said else Paragraph(none)
