"""A report as PDF on A4, by reportlab (BSD licence): patient, page n of m and the notices on every page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.report.document import (
    Block,
    Document,
    Figure,
    Heading,
    Items,
    KeyValues,
    Notice,
    PageBreak,
    Paragraph,
    Table,
)
from RPTDosimetryLib.report.pdf_fonts import BOLD, PLAIN, marked_up, register_fonts

MM: Final = 72.0 / 25.4
#: Margins [mm]: a binder's holes and a printer's edge fit.
LEFT, RIGHT, TOP, BOTTOM = 18.0, 14.0, 24.0, 20.0
#: What has to be left on a page below a title, and below the caption of a table [mm].
HEADING_MM, CAPTION_MM = 60.0, 35.0
WARNING_COLOUR: Final = "#b2182b"
#: A picture of 130 dpi is not drawn larger than it is sharp; pixels are stored once, without transparency.
_WIDEST_PX: Final = 1800


def write_pdf(document: Document, path: Path) -> None:
    """One PDF/A4 file, whole or not at all; the same document gives the same bytes. Raises ReportError."""
    register_fonts()
    from reportlab import rl_config
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    width, height = A4[0] - (LEFT + RIGHT) * MM, A4[1] - (TOP + BOTTOM) * MM
    frame = Frame(LEFT * MM, BOTTOM * MM, width, height, 0, 0, 0, 0)
    story: list[Any] = [_paragraph(document.title, "title")]
    for block in document.blocks:
        story += _DRAWN[type(block)](block, width, height)
    rl_config.useA85 = 0  # streams as bytes, not as text: a fifth smaller, and their encoding took a third of the time
    with whole_file(path) as temporary:
        pages = BaseDocTemplate(
            str(temporary),
            pagesize=A4,
            invariant=1,
            title=document.title,
            author="SlicerRPTDosimetry",
            subject=document.disclaimer,
            lang="en",
        )
        pages.addPageTemplates([PageTemplate("page", [frame])])
        pages.build(story, canvasmaker=_numbered(document))


@cache
def _styles() -> dict[str, Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    base = ParagraphStyle("body", fontName=PLAIN, fontSize=9, leading=12.5, spaceAfter=4, splitLongWords=1)
    return {
        "body": base,
        "small": ParagraphStyle("small", base, fontSize=7.5, leading=10, textColor=HexColor("#444444")),
        "title": ParagraphStyle("title", base, fontName=BOLD, fontSize=17, leading=22, spaceAfter=6),
        "h1": ParagraphStyle(
            "h1", base, fontName=BOLD, fontSize=13, leading=17, spaceBefore=12, spaceAfter=5,
        ),
        "h2": ParagraphStyle(
            "h2", base, fontName=BOLD, fontSize=10, leading=13, spaceBefore=7, spaceAfter=3,
        ),
        "cell": ParagraphStyle("cell", base, fontSize=7.5, leading=9.5, spaceAfter=0),
        "figure": ParagraphStyle("figure", base, fontSize=7.5, leading=9.5, spaceAfter=0, alignment=2),
        "head": ParagraphStyle("head", base, fontName=BOLD, fontSize=7.5, leading=9.5, spaceAfter=0),
        "headfigure": ParagraphStyle("hf", base, fontName=BOLD, fontSize=7.5, leading=9.5, spaceAfter=0, alignment=2),
        "notice": ParagraphStyle(
            "notice", base, fontName=BOLD, textColor=HexColor(WARNING_COLOUR), borderColor=HexColor(WARNING_COLOUR),
            borderWidth=1.2, borderPadding=4, spaceBefore=7, spaceAfter=9, leftIndent=5, rightIndent=5,
        ),
    }  # fmt: skip


def _paragraph(text: str, style: str) -> Any:
    from reportlab.platypus import Paragraph as Drawn

    return Drawn(marked_up(text), _styles()[style])


def _heading(block: Heading, _width: float, _height: float) -> list[Any]:
    return [*_room(HEADING_MM), _paragraph(block.text, f"h{block.level}")]


def _room(height_mm: float) -> list[Any]:
    """A new page where less than that is left on this one: a title is not left alone at its foot."""
    from reportlab.platypus import CondPageBreak

    return [CondPageBreak(height_mm * MM)]


def _text(block: Paragraph, _width: float, _height: float) -> list[Any]:
    return [_paragraph(block.text, "small" if block.small else "body")]


def _items(block: Items, _width: float, _height: float) -> list[Any]:
    from reportlab.platypus import Paragraph as Drawn

    style = _styles()["body"].clone("item", leftIndent=10, bulletIndent=1, fontSize=8.5, leading=11.5, spaceAfter=2)
    return [Drawn(marked_up(text), style, bulletText="•") for text in block.texts]


def _notice(block: Notice, _width: float, _height: float) -> list[Any]:
    return [_paragraph(block.text, "notice")]


def _page_break(_block: PageBreak, _width: float, _height: float) -> list[Any]:
    from reportlab.platypus import PageBreak as Drawn

    return [Drawn()]


def _key_values(block: KeyValues, width: float, _height: float) -> list[Any]:
    rows = [[_paragraph(key, "head"), _paragraph(value, "cell")] for key, value in block.rows]
    return [_grid(rows, [0.3 * width, 0.7 * width], 0), _space(5)]


def _table(block: Table, width: float, _height: float) -> list[Any]:
    shares = block.widths or tuple(_wanted(block, column) for column in range(len(block.columns)))
    widths = [width * share / sum(shares) for share in shares]
    head = [_paragraph(text, _side("head", column in block.words)) for column, text in enumerate(block.columns)]
    body = [
        [_paragraph(cell, _side("cell", column in block.words)) for column, cell in enumerate(row)]
        for row in block.rows
    ]
    title = [*_room(CAPTION_MM), _paragraph(block.caption, "h2")] if block.caption else []
    return [*title, _grid([head, *body], widths, 1), _space(6)]


def _side(style: str, words: bool) -> str:
    if words:
        return style
    return {"head": "headfigure", "cell": "figure"}[style]


def _wanted(block: Table, column: int) -> float:
    """Share of the width: as the longest line needs, words of the title included, within bounds."""
    cells = [row[column] for row in block.rows]
    longest_word = max((len(word) for cell in (block.columns[column], *cells) for word in cell.split()), default=1)
    longest = max((len(cell) for cell in cells), default=1)
    return float(min(max(longest_word, min(longest, 24), 5), 34)) + 2.0


def _grid(rows: list[list[Any]], widths: Sequence[float], repeated: int) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import LongTable

    line, shade = HexColor("#b5b5b5"), HexColor("#eef1f5")
    style: list[Any] = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, line),
        ("LINEABOVE", (0, 0), (-1, 0), 0.8, HexColor("#444444")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if repeated:
        style.append(("BACKGROUND", (0, 0), (-1, repeated - 1), shade))
    return LongTable(rows, colWidths=list(widths), repeatRows=repeated, style=style, splitByRow=1, hAlign="LEFT")


def _space(points: float) -> Any:
    from reportlab.platypus import Spacer

    return Spacer(1, points)


def _figure(block: Figure, width: float, height: float) -> list[Any]:
    """The picture as wide as the page, or as high as its share, with its caption on the same page."""
    from PIL import Image as Picture
    from reportlab.platypus import Flowable, KeepTogether

    class Drawn(Flowable):
        """A picture that is opened when it is drawn."""

        def __init__(self, across: float, up: float) -> None:
            super().__init__()
            self.width, self.height = across, up

        def draw(self) -> None:
            from reportlab.lib.utils import ImageReader

            with Picture.open(block.path) as opened:
                shown = opened.convert("RGB")
            if shown.width > _WIDEST_PX:
                shown = shown.resize(
                    (_WIDEST_PX, round(shown.height * _WIDEST_PX / shown.width)), Picture.Resampling.LANCZOS
                )
            self.canv.drawImage(ImageReader(shown), 0, 0, self.width, self.height)

    with Picture.open(block.path) as opened:
        across, up = opened.size
    scale = min(width / across, block.share * height / up)
    return [KeepTogether([Drawn(across * scale, up * scale), _space(2), _paragraph(block.caption, "small"), _space(6)])]


_DRAWN: Final[dict[type[Block], Callable[[Any, float, float], list[Any]]]] = {
    Heading: _heading,
    Paragraph: _text,
    Items: _items,
    KeyValues: _key_values,
    Table: _table,
    Figure: _figure,
    Notice: _notice,
    PageBreak: _page_break,
}


def _numbered(document: Document) -> Any:
    """A canvas that knows how many pages there are, and writes head and foot of each."""
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):
        """Pages are kept until their number is known."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802  (reportlab's name)
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._kept, start=1):
                self.__dict__.update(page)
                _head_and_foot(self, document, number, len(self._kept))
                super().showPage()
            super().save()

    return Numbered


def _head_and_foot(canvas: Any, document: Document, number: int, count: int) -> None:
    from reportlab.lib.colors import HexColor

    wide, high = canvas._pagesize
    left, right = LEFT * MM, wide - RIGHT * MM
    canvas.setStrokeColor(HexColor("#888888"))
    canvas.setLineWidth(0.5)
    canvas.line(left, high - 17 * MM, right, high - 17 * MM)
    canvas.line(left, 15 * MM, right, 15 * MM)
    _line(canvas, document.patient, (left, high - 15 * MM, 0.68 * (right - left)), "head")
    _line(canvas, document.title, (left + 0.68 * (right - left), high - 15 * MM, 0.32 * (right - left)), "figure")
    if document.notice:
        _line(canvas, document.notice, (left, high - 11 * MM, right - left), "head", WARNING_COLOUR)
    _line(canvas, document.disclaimer, (left, 10.5 * MM, 0.8 * (right - left)), "small")
    _line(canvas, document.written, (left, 6.5 * MM, 0.8 * (right - left)), "small")
    _line(canvas, f"Page {number} of {count}", (left + 0.8 * (right - left), 10.5 * MM, 0.2 * (right - left)), "figure")


def _line(canvas: Any, text: str, place: tuple[float, float, float], style: str, colour: str = "") -> None:
    """One line that fits its width: what is too long ends in an ellipsis (the first page says all of it)."""
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Paragraph as Drawn

    x, y, width = place
    look = _styles()[style].clone("line", spaceAfter=0, **({"textColor": HexColor(colour)} if colour else {}))
    shown, drawn = text, Drawn(marked_up(text), look)
    while drawn.wrap(width, 1000)[1] > look.leading + 0.1 and len(shown) > 1:
        shown = shown[: int(0.93 * len(shown))]
        drawn = Drawn(marked_up(shown + "…"), look)
    drawn.drawOn(canvas, x, y)
