"""A library verb in a process of its own: python -m RPTDosimetryLib.background JOB_FOLDER.

The folder holds request.pickle (written by prepare). The process writes its progress as lines of JSON on stdout and,
whole or not at all, result.pickle. A verb that gets better with time leaves interim doses there, each told by a line
{"interim": file}. A file named cancel in the folder asks the process to stop; it answers {"stopping": true} as soon as
the verb has heard, which then keeps what is done where it can. The last line says how it ended: {"done": true},
{"error": sentence, "kind": class} for an error that the library raises on purpose, {"defect": traceback} for anything
else. The process ends by itself when its stdin closes, so that it does not outlive the program that started it. Only
verbs of VERBS are run.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from RPTDosimetryLib.errors import ConfigurationError, DosimetryError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.records import Cancelled, PatientMap, Progress, RegisteredStudy, Study, Voi, never, silent

if TYPE_CHECKING:
    from RPTDosimetryLib.dose.engine import Interim
    from RPTDosimetryLib.registration.patient_map import DensitySettings
    from RPTDosimetryLib.vois.delineate import VoiSettings

#: What may be asked for, and where it is. A step that needs another verb adds one line.
VERBS: Final[Mapping[str, str]] = {
    "read_study": "RPTDosimetryLib.study.read_study.read_study",
    "sample_study": "RPTDosimetryLib.background.sample_study",
    "quantify": "RPTDosimetryLib.pipeline.quantified_study",
    "realign": "RPTDosimetryLib.registration.adjust.realigned",
    "register_each": "RPTDosimetryLib.registration.register.register_each",
    "draw_volumes": "RPTDosimetryLib.background.draw_volumes",
    "integrate": "RPTDosimetryLib.tia.integrate.integrate",
    "compute_dose": "RPTDosimetryLib.dose.engine.compute_dose",
    "kinetics": "RPTDosimetryLib.tia.kinetics.kinetics",
    "several_doses": "RPTDosimetryLib.evaluation.several_doses.several_doses",
    "compare_fully": "RPTDosimetryLib.evaluation.full_comparison.compare_fully",
    "read_dose": "RPTDosimetryLib.study.read_dose.read_dose",
    "dose_effects": "RPTDosimetryLib.report.effects.dose_effects",
    "predict_study": "RPTDosimetryLib.prediction.predict_study.predict_study",
    "write_report": "RPTDosimetryLib.report.exports.write_report",
}
REQUEST, RESULT, CANCEL = "request.pickle", "result.pickle", "cancel"
#: Seconds between two looks for the file that asks to stop: a verb may ask for every voxel.
_LOOK_S: Final = 0.1
SAMPLE_SEED: Final = 1
_DONE, _DEFECT, _EXPECTED = 0, 1, 2


@dataclass(frozen=True)
class Request:
    """A verb and what it is given; progress, cancelled and interim are added where the verb takes them.

    keeps: what is done when the user stops it is kept, so it is asked to stop and not ended at once.
    """

    verb: str
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    keeps: bool = False


def perform(
    request: Request, progress: Progress = silent, cancelled: Cancelled = never, interim: Interim | None = None
) -> Any:
    """Run a verb here and now. Raises ConfigurationError for one that is not in VERBS, and what the verb raises."""
    if request.verb not in VERBS:
        raise ConfigurationError(f"There is no verb {request.verb}: choose one of {', '.join(VERBS)}.")
    module, name = VERBS[request.verb].rsplit(".", 1)
    verb = getattr(importlib.import_module(module), name)
    takes = inspect.signature(verb).parameters
    offered = {"progress": progress, "cancelled": cancelled, "interim": interim}
    extra = {name: given for name, given in offered.items() if name in takes and name not in request.named}
    return verb(*request.arguments, **request.named, **extra)


def prepare(folder: Path, request: Request) -> None:
    """Write the request into an empty job folder. Raises ReportError where the disk refuses."""
    with whole_file(folder / REQUEST) as temporary:
        temporary.write_bytes(pickle.dumps(request, pickle.HIGHEST_PROTOCOL))


def result_of(folder: Path) -> Any:
    """What the process left. Only for folders that prepare made: a pickle is trusted."""
    return pickle.loads((folder / RESULT).read_bytes())


def sample_study(folder: Path, seed: int = SAMPLE_SEED, progress: Progress = silent) -> Study:
    """The virtual patient's study as DICOM in ``folder`` (written when it is not there yet), read back as a Study."""
    from RPTDosimetryLib.files import whole_folder
    from RPTDosimetryLib.records import part_of
    from RPTDosimetryLib.study.read_study import read_study
    from RPTDosimetryLib.virtual_patient.demo_study import write_demo_study

    marker = folder / ".complete"
    if not marker.exists():
        with whole_folder(folder) as temporary:
            write_demo_study(temporary, seed, progress=part_of(progress, 0.0, 0.8))
            (temporary / marker.name).touch()
    progress(0.85, "Reading the sample case")
    study = read_study(folder)
    progress(1.0, "Sample case read")
    return study


def draw_volumes(
    registered: RegisteredStudy,
    settings: VoiSettings,
    density: DensitySettings | None = None,
    progress: Progress = silent,
) -> tuple[PatientMap, tuple[Voi, ...]]:
    """The patient on the dose grid and every volume of the study as drawn, before the rules settle it."""
    from RPTDosimetryLib.records import part_of
    from RPTDosimetryLib.registration.patient_map import patient_map_of
    from RPTDosimetryLib.vois.delineate import as_drawn

    progress(0.0, "Density from the CT")
    patient = patient_map_of(registered, density)
    return patient, as_drawn(registered, patient, settings, part_of(progress, 0.3, 1.0))


def main(folder: Path, say: Callable[[str], None]) -> int:
    """Run the request of a job folder; every line said is one JSON object. Returns the exit status."""

    def progress(fraction: float, text: str) -> None:
        say(json.dumps({"fraction": float(fraction), "text": text}))

    try:
        request = pickle.loads((folder / REQUEST).read_bytes())
        result = perform(request, progress, _Asked(folder, say), _interim(folder, say))
        with whole_file(folder / RESULT) as temporary:
            temporary.write_bytes(pickle.dumps(result, pickle.HIGHEST_PROTOCOL))
    except DosimetryError as error:
        say(json.dumps({"error": str(error), "kind": type(error).__name__}))
        return _EXPECTED
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("RPTDosimetryLib"):
            say(json.dumps({"defect": traceback.format_exc()}))
            return _DEFECT
        sentence = (
            f"The Python package {error.name} is not installed: install it first, in Slicer with the panel's button."
        )
        say(json.dumps({"error": sentence, "kind": type(error).__name__}))
        return _EXPECTED
    except MemoryError:
        say(json.dumps({"error": "There is not enough memory for this step: close other programs.", "kind": "Memory"}))
        return _EXPECTED
    except Exception:
        say(json.dumps({"defect": traceback.format_exc()}))
        return _DEFECT
    say(json.dumps({"done": True}))
    return _DONE


class _Asked:
    """cancelled() of a job: whether the file that asks to stop is there; the first time that is answered by a line."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._file, self._say = folder / CANCEL, say
        self._next, self._asked = 0.0, False

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self._asked and now >= self._next:
            self._next = now + _LOOK_S
            self._asked = self._file.exists()
            if self._asked:
                self._say(json.dumps({"stopping": True}))
        return self._asked


def _interim(folder: Path, say: Callable[[str], None]) -> Interim:
    """What leaves each dose on the way as a file in the job folder and says so."""
    from RPTDosimetryLib.interim_dose import InterimFiles

    files = InterimFiles(folder)
    return lambda dose, error: say(json.dumps({"interim": files.write(dose, error)}))


def _end_with_parent() -> None:
    """Stop at once when stdin closes: the program that asked is gone."""
    sys.stdin.buffer.read()
    os._exit(_DEFECT)


def run_as_process(folder: Path) -> None:
    """main with stdout for JSON lines only, ending with whoever started it."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to stderr
    threading.Thread(target=_end_with_parent, daemon=True).start()
    status = main(folder, lambda line: print(line, file=out, flush=True))
    out.flush()
    os._exit(status)  # no waiting for the thread that reads stdin


if __name__ == "__main__":
    # As __main__ the classes of this file are others than those that were pickled: run the module by its name.
    importlib.import_module("RPTDosimetryLib.background").run_as_process(Path(sys.argv[1]))
