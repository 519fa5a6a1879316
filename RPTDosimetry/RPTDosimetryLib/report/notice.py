"""A sentence that every file of a report carries while it holds, such as that contours have not been reviewed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

#: Name of the column of CSV files.
COLUMN: Final = "notice"
_notice: ContextVar[str] = ContextVar("notice", default="")


@contextmanager
def noticed(text: str) -> Iterator[None]:
    """Figures and tables that are written inside carry the text; empty for none."""
    token = _notice.set(text)
    try:
        yield
    finally:
        _notice.reset(token)


def notice() -> str:
    """What has to be said now; empty for nothing."""
    return _notice.get()


def noticed_rows(rows: Iterator[list[object]], header: bool = True) -> Iterator[list[object]]:
    """Rows of a table with the notice as a last column, its name first where the first row is a header."""
    text = notice()
    for number, row in enumerate(rows):
        yield row if not text else [*row, COLUMN if header and number == 0 else text]
