"""What a terminal sees: progress on standard error, one answer on standard output, one line for an error."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from tqdm import tqdm

from RPTDosimetryLib.errors import DosimetryError
from RPTDosimetryLib.records import Progress
from RPTDosimetryLib.report.provenance import json_text
from RPTDosimetryLib.text import aligned

#: The option that every verb has.
Json = Annotated[bool, typer.Option("--json", help="One machine-readable answer on standard output.")]
#: The exit code of every expected failure; 1 is left for defects, which show their traceback.
EXPECTED_FAILURE = 2
#: How often a long step writes a line where there is no bar.
SECONDS_A_LINE = 5.0


@contextmanager
def one_clear_error() -> Iterator[None]:
    """Turn an expected failure into one line on standard error and exit code 2, and a Python warning into one line."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr, flush=True)
            yield
    except DosimetryError as error:
        print(f"rptdosimetry: {error}", file=sys.stderr)
        raise SystemExit(EXPECTED_FAILURE) from error
    except KeyboardInterrupt:
        print("rptdosimetry: stopped; nothing was written.", file=sys.stderr)
        raise SystemExit(130) from None


@contextmanager
def shown_progress(quiet: bool = False) -> Iterator[Progress]:
    """A bar on a terminal, a line a step in a log; nothing when quiet."""
    if quiet:
        yield lambda fraction, text: None
        return
    if not sys.stderr.isatty():
        yield _line_a_step()
        return
    with tqdm(total=100, bar_format="{percentage:3.0f} %|{bar:30}| {elapsed} {desc}", file=sys.stderr) as bar:

        def show(fraction: float, text: str) -> None:
            bar.update(max(0.0, 100 * min(fraction, 1.0) - bar.n))
            bar.set_description_str(text)

        yield show


def _line_a_step() -> Progress:
    """A line when the step changes (what stands before a colon), and every SECONDS_A_LINE within one."""
    shown: dict[str, float] = {}

    def show(fraction: float, text: str) -> None:
        step = text.partition(":")[0]
        if step not in shown or (text != step and time.monotonic() - shown[step] > SECONDS_A_LINE):
            shown.clear()
            shown[step] = time.monotonic()
            print(f"[{fraction:4.0%}] {text}", file=sys.stderr, flush=True)

    return show


def print_json(answer: Any) -> None:
    """The one machine-readable answer."""
    print(json_text(answer))


def print_warnings(told: Iterable[str], most: int | None = None, rest: str = "") -> None:
    """Each warning once, on standard error; beyond ``most`` their number and where the rest stands."""
    said = list(dict.fromkeys(told))
    for warning in said[:most]:
        print(f"warning: {warning}", file=sys.stderr)
    if most is not None and len(said) > most:
        print(f"warning: {len(said) - most} more, on single volumes and curves, are in {rest}", file=sys.stderr)


def rows_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Chosen columns of an answer's rows as aligned text."""
    return aligned([tuple(columns), *(tuple(_figure(row[column]) for column in columns) for row in rows)])


def _figure(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
