"""A report as one HTML file that needs nothing beside it: pictures inside, print rules for A4."""

from __future__ import annotations

import base64
from pathlib import Path

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.report.document import Block, Document, Figure

TEMPLATE = "report.html"


def write_html(document: Document, path: Path) -> None:
    """Whole or not at all. Raises ReportError."""
    with whole_file(path) as temporary:
        temporary.write_text(html_of(document), encoding="utf-8")


def html_of(document: Document, pictures: bool = True) -> str:
    """The page as text; everything that came from people or files is escaped. pictures: False leaves them out."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["png"] = _inline
    environment.filters["css"] = lambda text: Markup(_css_string(text))  # of letters, digits and escapes only
    environment.tests["kind"] = _is_kind
    blocks = [block for block in document.blocks if pictures or not isinstance(block, Figure)]
    return environment.get_template(TEMPLATE).render(document=document, blocks=blocks)


def _is_kind(block: Block, name: str) -> bool:
    return type(block).__name__ == name


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _css_string(text: str) -> str:
    """A string of a style sheet in which nothing can end it."""
    letters = (c if c.isascii() and (c.isalnum() or c == " ") else f"\\{ord(c):x} " for c in text)
    return '"' + "".join(letters) + '"'
