"""One background job at a time: a process that runs a library verb, watched by a timer, so that nothing freezes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.background import CANCEL, Request, prepare, result_of
from RPTDosimetryLib.errors import CancelledError, DosimetryError

_INTERVAL_MS = 100
_PROGRESS, _ERRORS = "progress.jsonl", "errors.txt"
_LIBRARY = Path(__file__).resolve().parents[2]
#: Seconds for a job that was asked to stop until it hears, and then until it has written what it keeps.
_HEARS_S, _KEEPS_S = 5.0, 30.0


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
    on_interim: Callable[[Path], None] = lambda _file: None  # a result on its way, to be read at once
    on_stopped: Callable[[], None] = lambda: None  # the user's stop() has ended the job


@dataclass
class _Job:
    """A running job and what was heard of it so far."""

    title: str
    on_result: Callable[[Any], None]
    for_case: str
    folder: Path
    process: subprocess.Popen[bytes]
    keeps: bool = False
    started: float = field(default_factory=time.monotonic)
    seen: int = 0
    rest: bytes = b""
    last: tuple[float, str] = (0.0, "Starting")
    end: dict[str, Any] = field(default_factory=dict)
    interim: str = ""  # the newest file that nobody was told of yet
    kill_at: float | None = None  # asked to stop: when it is ended if it has not by then

    def listen(self) -> None:
        """Read the lines that the process has written since."""
        with (self.folder / _PROGRESS).open("rb") as file:
            file.seek(self.seen)
            new = file.read()
        self.seen += len(new)
        *complete, self.rest = (self.rest + new).split(b"\n")
        for line in complete:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if "fraction" in told:
                    self.last = (float(told["fraction"]), str(told["text"]))
                elif "interim" in told:
                    self.interim = str(told["interim"])
                elif "stopping" in told:
                    self.kill_at = time.monotonic() + _KEEPS_S
                else:
                    self.end = told

    def state(self) -> State:
        """What to show."""
        fraction, text = self.last
        if self.kill_at is not None:
            text = _("Stopping: what is done is being kept")
        elapsed_s = time.monotonic() - self.started
        left_s = elapsed_s * (1 - fraction) / fraction if fraction > 0.05 and elapsed_s > 1.0 else None
        return State(self.title, fraction, text, elapsed_s, left_s)

    def forget(self) -> None:
        """Remove all that is left of it on the disk."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Runner:
    """Starts, watches and cancels the job. Everything happens in the GUI thread but the work itself."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._job: _Job | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look)

    @property
    def busy(self) -> bool:
        """True while a job runs."""
        return self._job is not None

    def start(self, title: str, request: Request, on_result: Callable[[Any], None]) -> None:
        """Begin a job; on_result gets the verb's answer unless it fails, is cancelled or the case is another by then.

        Raises JobError while another job runs, or where the process cannot be started.
        """
        if self._job is not None:
            raise JobError(f"{self._job.title} is still running: wait for it, or cancel it.")
        folder = Path(tempfile.mkdtemp(prefix="rptdosimetry-"))
        try:
            prepare(folder, request)
            process = _process(folder)
        except (OSError, DosimetryError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise JobError(f"{title} could not be started: {error}") from error
        self._job = _Job(title, on_result, self._hooks.case_identity(), folder, process, request.keeps)
        self._hooks.on_state(self._job.state())
        self._timer.start()

    def stop(self) -> None:
        """What a user's Cancel does: a job that keeps what is done is asked to stop, any other ends at once.

        One that was asked ends within some seconds; asked again, it ends at once. on_stopped tells when it has.
        """
        job = self._job
        if job is None:
            return
        if job.keeps and job.kill_at is None:
            job.kill_at = time.monotonic() + _HEARS_S
            with contextlib.suppress(OSError):  # a disk that refuses: it does not hear
                (job.folder / CANCEL).touch()
            self._hooks.on_state(job.state())
        else:
            self.cancel()
            self._hooks.on_stopped()

    def cancel(self) -> None:
        """End the job at once, if one runs; nothing is left of it."""
        if self._job is not None:
            _kill(self._job.process)
            self._end(self._job)

    def wait(self, timeout_s: float = 600.0) -> None:
        """Let the job end while the window lives on (tests and scripts). Raises JobError after timeout_s."""
        until = time.monotonic() + timeout_s
        while self._job is not None:
            if time.monotonic() > until:
                title = self._job.title
                self.cancel()
                raise JobError(f"{title} took longer than {timeout_s:g} s and was stopped.")
            slicer.app.processEvents()
            time.sleep(0.02)

    def _look(self) -> None:
        job = self._job
        if job is None:
            return
        ended = job.process.poll() is not None
        job.listen()
        if job.for_case != self._hooks.case_identity():  # another case took its place: nobody waits for the answer
            self.cancel()
        elif job.kill_at is not None and (ended or time.monotonic() > job.kill_at):
            self._end_stopped(job)
        elif ended:
            self._finish(job)
        else:
            self._tell_interim(job)
            self._hooks.on_state(job.state())

    def _end_stopped(self, job: _Job) -> None:
        """The user's stop() has been followed, or is now; what could not be kept is said."""
        self.cancel()
        self._hooks.on_stopped()
        if "error" in job.end and job.end.get("kind") != CancelledError.__name__:
            self._hooks.on_error(str(job.end["error"]), "")

    def _tell_interim(self, job: _Job) -> None:
        if job.interim and job.kill_at is None:
            file, job.interim = job.folder / job.interim, ""
            self._hooks.on_interim(file)

    def _finish(self, job: _Job) -> None:
        result, details = None, ""
        try:
            if job.end.get("done"):
                result = result_of(job.folder)
            else:
                printed = (job.folder / _ERRORS).read_text(encoding="utf-8", errors="replace")
                details = str(job.end.get("defect") or printed)
        finally:
            self._end(job)
        if job.end.get("done"):
            job.on_result(result)
        elif "error" in job.end:
            self._hooks.on_error(str(job.end["error"]), "")
        else:
            status = job.process.returncode
            self._hooks.on_error(
                f"{job.title} stopped unexpectedly (exit status {status}); nothing was changed.", details
            )

    def _end(self, job: _Job) -> None:
        self._timer.stop()
        self._job = None
        job.forget()
        self._hooks.on_state(None)


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
    with (folder / _PROGRESS).open("wb") as out, (folder / _ERRORS).open("wb") as errors:
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
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
