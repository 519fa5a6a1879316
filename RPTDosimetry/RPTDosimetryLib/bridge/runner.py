"""One background job at a time: a process that runs a library verb, watched by a timer, so that nothing freezes."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt
import slicer

from RPTDosimetryLib.background import Request, prepare, result_of
from RPTDosimetryLib.errors import DosimetryError

_INTERVAL_MS = 100
_LIBRARY = Path(__file__).resolve().parents[2]


class JobError(DosimetryError):
    """A background job ended with an error; the message is the library's sentence."""


@dataclass(frozen=True)
class State:
    """What to show of the running job. left_s is None until enough is known to say."""

    title: str
    fraction: float
    text: str
    elapsed_s: float
    left_s: float | None


@dataclass(frozen=True)
class Hooks:
    """Whom to tell. case_identity: the case's identity now; a job of another case is dropped."""

    case_identity: Callable[[], str]
    on_state: Callable[[State | None], None]
    on_error: Callable[[str, str], None]  # sentence, details (traceback, empty for an expected error)


class Runner:
    """Starts, watches and cancels the job. Everything happens in the GUI thread but the work itself."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._process: subprocess.Popen[bytes] | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look)

    @property
    def busy(self) -> bool:
        """True while a job runs."""
        return self._process is not None

    def start(self, title: str, request: Request, on_result: Callable[[Any], None]) -> None:
        """Begin a job; on_result gets the verb's answer unless it fails, is cancelled or the case is another by then.

        Raises JobError while another job runs, ReportError where the job folder cannot be written.
        """
        if self.busy:
            raise JobError(f"{self._title} is still running: wait for it, or cancel it.")
        self._title, self._on_result, self._for_case = title, on_result, self._hooks.case_identity()
        self._folder = Path(tempfile.mkdtemp(prefix="rptdosimetry-"))
        self._started, self._seen, self._last = time.monotonic(), 0, (0.0, "Starting")
        self._rest, self._end = b"", {}
        try:
            prepare(self._folder, request)
            self._process = _process(self._folder)
        except (OSError, DosimetryError) as error:
            self._forget()
            raise JobError(f"{title} could not be started: {error}") from error
        self._tell()
        self._timer.start()

    def cancel(self) -> None:
        """Stop the job, if one runs; nothing is left of it."""
        if self._process is not None:
            _kill(self._process)
            self._forget()
            self._hooks.on_state(None)

    def wait(self, timeout_s: float = 600.0) -> None:
        """Let the job end while the window lives on (tests and scripts). Raises JobError after timeout_s."""
        until = time.monotonic() + timeout_s
        while self.busy:
            slicer.app.processEvents()
            time.sleep(0.02)
            if time.monotonic() > until:
                self.cancel()
                raise JobError(f"{self._title} took longer than {timeout_s:g} s and was stopped.")

    def _look(self) -> None:
        if self._process is None:
            return
        ended = self._process.poll() is not None
        self._read_lines()
        if self._for_case != self._hooks.case_identity():  # another case took its place: nobody waits for the answer
            self.cancel()
        elif ended:
            self._finish()
        else:
            self._tell()

    def _read_lines(self) -> None:
        with (self._folder / "progress.jsonl").open("rb") as file:
            file.seek(self._seen)
            new = file.read()
        self._seen += len(new)
        *complete, self._rest = (self._rest + new).split(b"\n")
        for line in complete:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if "fraction" in told:
                    self._last = (float(told["fraction"]), str(told["text"]))
                else:
                    self._end = told

    def _finish(self) -> None:
        end, folder, on_result, title = self._end, self._folder, self._on_result, self._title
        try:
            if end.get("done"):
                result = result_of(folder)
            else:
                details = end.get("defect") or (folder / "errors.txt").read_text(encoding="utf-8", errors="replace")
        finally:
            status = self._process.returncode if self._process else None
            self._forget()
            self._hooks.on_state(None)
        if end.get("done"):
            on_result(result)
        elif "error" in end:
            self._hooks.on_error(str(end["error"]), "")
        else:
            logging.error(details)
            self._hooks.on_error(f"{title} stopped unexpectedly (exit status {status}); nothing was changed.", details)

    def _tell(self) -> None:
        fraction, text = self._last
        elapsed_s = time.monotonic() - self._started
        left_s = elapsed_s * (1 - fraction) / fraction if fraction > 0.05 and elapsed_s > 1.0 else None
        self._hooks.on_state(State(self._title, fraction, text, elapsed_s, left_s))

    def _forget(self) -> None:
        self._timer.stop()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)


def python_executable() -> str:
    """The Python that knows Slicer's packages: PythonSlicer in Slicer, this one elsewhere. Raises JobError."""
    ending = ".exe" if os.name == "nt" else ""
    beside = Path(str(slicer.app.slicerHome)) / "bin" / f"PythonSlicer{ending}"
    here = Path(sys.executable or "")
    for candidate in (shutil.which("PythonSlicer"), beside, here if here.name.lower().startswith("python") else None):
        if candidate and Path(candidate).is_file():
            return str(candidate)
    raise JobError("PythonSlicer is not found beside Slicer: install Slicer again.")


def _process(folder: Path) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    paths = [str(_LIBRARY), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    options: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP  # type: ignore[attr-defined]
        options = {"creationflags": flags}
    with (folder / "progress.jsonl").open("wb") as out, (folder / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            [python_executable(), "-m", "RPTDosimetryLib.background", str(folder)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=errors,
            env=environment,
            **options,
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children at once; it writes nothing but into its own folder."""
    with contextlib.suppress(OSError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
