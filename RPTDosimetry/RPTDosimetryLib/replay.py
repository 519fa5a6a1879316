"""A run repeated from its record: bit for bit, or what differs."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.configuration import RunSettings, settings_from
from RPTDosimetryLib.errors import ReplayError
from RPTDosimetryLib.pipeline import run
from RPTDosimetryLib.records import Cancelled, Progress, never, silent
from RPTDosimetryLib.report.compare_files import FileComparison, compare_file
from RPTDosimetryLib.report.provenance import (
    as_json,
    settings_sha256,
    sha256_of,
    sha256_of_files,
    tables_sha256,
    versions,
)
from RPTDosimetryLib.report.results import PROVENANCE
from RPTDosimetryLib.study.walk import files_below

_NEEDED: Final = ("inputs_sha256", "settings", "versions", "steps", "outputs_sha256")
#: What a step states of the time it took: never the same twice.
_TIMINGS: Final = ("writing_s", "computing_s", "runtime_s")
_LAST_BITS: Final = 1e-12
#: Lines of one kind that a terminal shows; --json holds all.
_MOST = 12
_MISSING: Final = object()


@dataclass(frozen=True)
class Replay:
    """What a repetition found. Each difference is one line that names the file, version, setting or step.

    outputs is empty where the run was not repeated, because its inputs are not those of then.
    """

    study: Path
    inputs: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    outputs: tuple[FileComparison, ...] = ()
    out: Path | None = None

    @property
    def identical(self) -> bool:
        """The run was repeated and every result file is the same, bit for bit."""
        return bool(self.outputs) and all(output.identical for output in self.outputs)

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "identical": self.identical,
            "repeated": bool(self.outputs),
            "study": self.study,
            "different_inputs": self.inputs,
            "different_versions": self.versions,
            "different_settings": self.settings,
            "different_steps": self.steps,
            "outputs": self.outputs,
            "out": self.out,
        }

    def text(self) -> str:
        """For a person: the verdict first, then what differs."""
        alike = sum(output.identical for output in self.outputs)
        if not self.outputs:
            verdict = "Not repeated: the inputs are not those of the run."
        elif self.identical:
            verdict = f"Bit for bit identical: all {alike} result files."
        else:
            verdict = f"Not identical: {len(self.outputs) - alike} of {len(self.outputs)} result files differ."
        lines = [verdict]
        different = [f"{output.name} {output.text}" for output in self.outputs if not output.identical]
        for title, found in (
            ("Inputs", self.inputs),
            ("Versions", self.versions),
            ("Settings", self.settings),
            ("Results", different),
            ("Steps", self.steps),
        ):
            lines += [f"{title}:", *(f"  {line}" for line in found[:_MOST])] if found else []
            lines += [f"  and {len(found) - _MOST} more (--json lists all)"] if len(found) > _MOST else []
        return "\n".join(lines)


def replay(
    record: Path,
    study: Path | None = None,
    out: Path | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> Replay:
    """Check inputs, versions and settings against the record, run again, and compare every result file.

    study: where the study lies now; None: where it lay then. out: folder for the new results; None keeps none.
    With other inputs nothing is run. Raises ReplayError (no record, no study, out is the folder of the record itself),
    ConfigurationError (a setting that this version does not know) and whatever a run raises.
    """
    path = record / PROVENANCE if record.is_dir() else record
    told = _read(path)
    folder = _study_folder(told, study, path)
    if out is not None and out.resolve() == path.parent.resolve():
        raise ReplayError(f"{out} holds the results of the run itself: choose another folder for the repetition.")
    settings = _computed_anew(settings_from(told["settings"], str(path)))
    before = Replay(
        folder,
        inputs=(*_different_inputs(told, folder), *_different_setting_files(told)),
        versions=(*_different_versions(told), *_different_tables(told)),
        settings=(
            *_edited_sections(told),
            *_differences(told["settings"], as_json(settings_from(told["settings"], str(path)))),
        ),
    )
    if before.inputs:
        return before
    with tempfile.TemporaryDirectory() if out is None else nullcontext(str(out)) as where:
        new = Path(where) if out else Path(where) / "results"
        run(folder, settings, new, progress, cancelled)
        again = _read(new / PROVENANCE)
        steps = tuple(_differences(told["steps"], again["steps"]))
        return replace(before, steps=steps, outputs=_compared(told, again, path.parent, new), out=out)


def _computed_anew(settings: RunSettings) -> RunSettings:
    """Without the checkpoint of a Monte Carlo run, from which the repetition would only read the first result."""
    monte_carlo = replace(settings.dose.monte_carlo, checkpoint=None)
    return replace(settings, dose=replace(settings.dose, monte_carlo=monte_carlo))


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReplayError(f"{path} cannot be read ({error.strerror}): give the provenance.json of a run.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path} is not JSON ({error}): give the provenance.json of a run.") from error
    lacking = [key for key in _NEEDED if not isinstance(told, dict) or not isinstance(told.get(key), dict)]
    if lacking:
        raise ReplayError(f"{path} is not the record of a run (no {', '.join(lacking)}): give its provenance.json.")
    return told


def _study_folder(told: Mapping[str, Any], given: Path | None, path: Path) -> Path:
    if given is not None:
        return given
    if not told.get("study"):
        raise ReplayError(f"{path} does not say where the study lay: give its folder (--study).")
    folder = Path(told["study"])
    if not folder.exists():
        raise ReplayError(f"The study is no longer at {folder}: give the folder where it is now (--study).")
    return folder


def _different_inputs(told: Mapping[str, Any], folder: Path) -> Iterator[str]:
    root, files = files_below(folder)
    yield from _different_files(told["inputs_sha256"], sha256_of_files(files, root))


def _different_setting_files(told: Mapping[str, Any]) -> Iterator[str]:
    then = told.get("settings_files_sha256", {})
    yield from _different_files(then, {name: sha256_of(Path(name)) for name in then if Path(name).is_file()})


def _different_files(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*then, *now}):
        if name not in now:
            yield f"{name} is missing"
        elif name not in then:
            yield f"{name} was not there then"
        elif then[name] != now[name]:
            yield f"{name} has changed"


def _different_versions(told: Mapping[str, Any]) -> Iterator[str]:
    then, now = told["versions"], versions()
    for name in sorted({*then, *now}):
        if name == "source":
            if name not in then or then[name] != now[name]:
                yield "source: the program's own code is not that of then" + (" (not recorded)" * (name not in then))
        elif then.get(name) != now.get(name):
            yield f"{name} {then.get(name, 'not recorded')} then, {now.get(name, 'not there')} now"


def _different_tables(told: Mapping[str, Any]) -> Iterator[str]:
    if "tables_sha256" not in told:
        yield "tables and kernels: not recorded"
        return
    yield from _different_files(told["tables_sha256"], tables_sha256())


def _edited_sections(told: Mapping[str, Any]) -> Iterator[str]:
    """Sections that no longer have the SHA-256 that was written beside them."""
    now = settings_sha256(told["settings"])
    for name, digest in told.get("settings_sha256", {}).items():
        if now.get(name) != digest:
            yield f"[{name}] was changed in the record after the run"


def _differences(then: Any, now: Any, at: str = "") -> Iterator[str]:
    """One line for each value that is not the same, named by its place."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*then, *now)):
            if key not in _TIMINGS:
                yield from _differences(then.get(key, _MISSING), now.get(key, _MISSING), f"{at}.{key}" if at else key)
    elif isinstance(then, list) and isinstance(now, list):
        for number, (a, b) in enumerate(zip_longest(then, now, fillvalue=_MISSING), start=1):
            yield from _differences(a, b, f"{at} {number}")
    elif not _same(then, now):
        yield f"{at}: {_shown(then)} then, {_shown(now)} now"


def _same(then: Any, now: Any) -> bool:
    """Equal; figures also where only their last bits differ, as sums by another number of threads do."""
    if isinstance(then, float) and isinstance(now, float):
        return math.isclose(then, now, rel_tol=_LAST_BITS, abs_tol=0.0)
    return bool(then == now)


def _shown(value: Any) -> str:
    return "not there" if value is _MISSING else json.dumps(value, ensure_ascii=False)


def _compared(told: Mapping[str, Any], again: Mapping[str, Any], then: Path, now: Path) -> tuple[FileComparison, ...]:
    recorded = told["outputs_sha256"]
    names = dict.fromkeys((*recorded, *again["outputs_sha256"]))
    return tuple(compare_file(name, recorded.get(name), then / name, now / name) for name in names)
