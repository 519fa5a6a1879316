"""A program of others, run with its output watched line by line, and ended with all it started when asked to stop."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

from RPTDosimetryLib.records import Cancelled

_ASK_EVERY_S: Final = 0.1
#: Time between asking a program to end and ending it.
_GRACE_S: Final = 3.0
_KEPT_LINES: Final = 50


def run_watched(
    command: Sequence[str], on_line: Callable[[str], None], cancelled: Cancelled
) -> tuple[int | None, list[str]]:
    """(exit code, last lines of its output); None for the code when it was stopped. Raises OSError if it cannot start.

    A line ends with a line feed or, as progress bars write, a carriage return. Its whole process group is ended when
    ``cancelled()`` turns true or an exception passes through.
    """
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=sys.platform != "win32",
    )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    kept: list[str] = []
    try:
        while True:
            if cancelled():
                return None, kept
            try:
                line = lines.get(timeout=_ASK_EVERY_S)
            except queue.Empty:
                continue
            if line is None:
                return process.wait(), kept
            kept = [*kept, line][-_KEPT_LINES:]
            on_line(line)
    finally:
        _end(process)
        reader.join(timeout=_GRACE_S)
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[str | None]) -> None:
    rest = b""
    with contextlib.suppress(ValueError, OSError):  # the pipe is closed when the program is ended
        while process.stdout is not None and (some := os.read(process.stdout.fileno(), 4096)):
            *whole, rest = (rest + some).replace(b"\r", b"\n").split(b"\n")
            for line in whole:
                if line.strip():
                    lines.put(line.decode("utf-8", "replace").strip())
    if rest.strip():
        lines.put(rest.decode("utf-8", "replace").strip())
    lines.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the program and its children to end, then end them."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], check=False, capture_output=True)
        process.wait()
        return
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, wanted)
        try:
            process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
        return
