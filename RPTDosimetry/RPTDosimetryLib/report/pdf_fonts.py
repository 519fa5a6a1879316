"""Letters of every script on a PDF page: DejaVu where it has them, an East Asian font of the reader's else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

PLAIN, BOLD = "DejaVuSans", "DejaVuSans-Bold"
#: Fonts that every PDF reader brings or fetches (PDF 32000-1, 9.7.5.2); first the scripts that only one of them has.
_EAST_ASIAN: Final = (
    (re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]"), "HYSMyeongJo-Medium"),
    (re.compile("[\u3040-\u30ff\u31f0-\u31ff]"), "HeiseiMin-W3"),
    (re.compile("[\u2e80-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"), "STSong-Light"),
)


@cache
def register_fonts() -> None:
    """Make the fonts known to reportlab. DejaVu comes with matplotlib and is free to embed (Bitstream Vera licence)."""
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)
    for _letters, name in _EAST_ASIAN:
        pdfmetrics.registerFont(UnicodeCIDFont(name))


def marked_up(text: str) -> str:
    """Text as reportlab's paragraphs take it: escaped, each run in a font that has its letters.

    Right-to-left runs are laid out in the order in which they are seen (letters of Arabic stay unjoined). A letter
    that no font has is written as its number, [U+1F600]: nothing is left out.
    """
    parts = []
    for font, run in _runs(_seen(text)):
        told = escape(run).replace("\n", "<br/>")
        parts.append(told if font == PLAIN else f'<font name="{font}">{told}</font>')
    return "".join(parts)


def _runs(text: str) -> Iterator[tuple[str, str]]:
    for font, letters in groupby(text, key=_font_of):
        run = "".join(letters)
        yield (font, run) if font else (PLAIN, "".join(f"[U+{ord(letter):04X}]" for letter in run))


@cache
def _font_of(letter: str) -> str:
    if letter in "\n\t\u200b" or ord(letter) in _glyphs():
        return PLAIN
    return next((name for letters, name in _EAST_ASIAN if letters.match(letter)), "")


@cache
def _glyphs() -> Any:
    from reportlab.pdfbase import pdfmetrics

    register_fonts()
    return pdfmetrics.getFont(PLAIN).face.charToGlyph


def _seen(text: str) -> str:
    """Runs of right-to-left words turned over; all else as it is."""
    if not any(_is_rtl(letter) for letter in text):
        return text
    words = re.split(r"(\s+)", text)
    kept: list[str] = []
    for rtl, group in groupby(words, key=lambda word: any(_is_rtl(letter) for letter in word) or not word.strip()):
        run = "".join(group)
        kept.append(_turned(run) if rtl else run)
    return "".join(kept)


def _turned(run: str) -> str:
    core = run.strip()
    return run.replace(core, core[::-1], 1) if core else run


def _is_rtl(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in ("R", "AL")
