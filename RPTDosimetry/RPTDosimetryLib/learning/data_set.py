"""A data set of virtual patients, built by several processes and gone on with where it was stopped."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.errors import CancelledError, ConfigurationError, DosimetryError, StudyError
from RPTDosimetryLib.files import require_folder, whole_file
from RPTDosimetryLib.learning.build_patient import BuildSettings, build_patient
from RPTDosimetryLib.learning.cohort import draw_patient
from RPTDosimetryLib.learning.cohort_parameters import TRAINING_KINDS, UNSEEN_KINDS, WIDE_KINDS
from RPTDosimetryLib.learning.patient_set import read_record, write_patient
from RPTDosimetryLib.learning.real_patients import real_kinds, real_patient
from RPTDosimetryLib.records import Cancelled, Progress, never, silent

COHORT: Final = "cohort.json"
#: Shares of the patients: of kinds that no network sees; of known kinds but held out; for choosing when to stop.
UNSEEN_SHARE, TEST_SHARE, VALIDATION_SHARE = 0.17, 0.12, 0.10
FOLDS: Final = 5


@dataclass(frozen=True)
class Member:
    """One patient of the plan: where it belongs, and why. fold: of cross-validation, None in the test set."""

    name: str
    kind: str
    seed: int
    split: str
    reason: str
    fold: int | None = None


@dataclass(frozen=True)
class DataSetPlan:
    """Which patients are built: ``patients`` of them from one seed, always the same ones.

    kinds: of the patients to learn from, in turn, and of their like in the test set.
    real: a folder with real anatomies (real_patients.py); then those alone are built, all for the test set.
    """

    patients: int = 72
    seed: int = 1
    build: BuildSettings = field(default_factory=BuildSettings)
    real: str | None = None
    kinds: tuple[str, ...] = TRAINING_KINDS

    def __post_init__(self) -> None:
        if not 1 <= self.patients <= 10_000 or not 0 <= self.seed < 100_000:
            raise ConfigurationError(
                f"A data set of {self.patients} patients from seed {self.seed}: give 1 to 10000 patients and a seed "
                "from 0 to 99999."
            )
        learnable = (*TRAINING_KINDS, *WIDE_KINDS)
        wrong = [kind for kind in self.kinds if kind not in learnable]
        if wrong or not self.kinds:
            raise ConfigurationError(
                f"No patients to learn from of the kind {wrong[0] if wrong else ''!r}: choose {', '.join(learnable)}."
            )

    def members(self) -> tuple[Member, ...]:
        """All patients with their split: a patient is in one split only, since each has a seed of its own.

        Kinds take turns within each split, so that the splits look alike; unseen kinds are in the test set alone.
        """
        if self.real is not None:
            return self._real_members(Path(self.real))
        unseen = round(UNSEEN_SHARE * self.patients)
        test, validation = (round(share * self.patients) for share in (TEST_SHARE, VALIDATION_SHARE))
        train = self.patients - unseen - test - validation
        rows = [
            *[("train", self.kinds, "known kind, to learn from")] * train,
            *[("validation", self.kinds, "known kind, to stop training")] * validation,
            *[("test", self.kinds, "known kind, held out")] * test,
            *[("test", UNSEEN_KINDS, "kind that is never trained on")] * unseen,
        ]
        seen: Counter[tuple[str, str]] = Counter()
        members = []
        for number, (split, kinds, reason) in enumerate(rows):
            place = seen[split, reason]
            seen[split, reason] += 1
            seed, kind = self.seed * 10_000 + number, kinds[place % len(kinds)]
            fold = number % FOLDS if split != "test" else None
            members.append(Member(f"{kind}-{seed:06d}", kind, seed, split, reason, fold))
        return tuple(members)

    def _real_members(self, folder: Path) -> tuple[Member, ...]:
        kinds, seed = real_kinds(folder), self.seed * 10_000
        if not kinds:
            raise ConfigurationError(f"{folder} holds no real anatomy: give the folder with am/ or the CTs.")
        return tuple(Member(f"{k}-{seed:06d}", k, seed, "test", "real anatomy, never trained on") for k in kinds)


def build_data_set(
    plan: DataSetPlan,
    out: Path,
    workers: int = 1,
    device: str = "cpu",
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> dict[str, Any]:
    """Build what is missing in ``out``/<name>/ and write cohort.json; answers with counts and times.

    Finished patients of the same settings stay. Raises ConfigurationError (another data set in ``out``), StudyError,
    TransportError (no such device), the first error of a patient, CancelledError; what is finished then stays.
    """
    if not 1 <= workers <= 256:
        raise ConfigurationError(f"{workers} workers: give 1 to 256.")
    require_folder(out)
    members = plan.members()
    _require_same(plan, out)
    done = [member for member in members if _is_built(out / member.name, plan.build)]
    missing = [member for member in members if member not in done]
    write_cohort(plan, members, out)
    if missing:
        _build_all(missing, plan, out, (workers, device), progress, cancelled)
    progress(1.0, "Data set done")
    return {"out": str(out), "patients": len(members), "built": len(missing), "already_there": len(done),
            "settings_hash": plan.build.digest}  # fmt: skip


def write_cohort(plan: DataSetPlan, members: Sequence[Member], out: Path) -> None:
    """cohort.json: the plan, its hash and every patient's split."""
    content = {
        "format": "rptdosimetry cohort 1",
        "plan": asdict(plan),
        "settings_hash": plan.build.digest,
        "split_by": "patient",
        "patients": [asdict(member) for member in members],
    }
    with whole_file(out / COHORT) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_cohort(out: Path) -> tuple[Member, ...]:
    """The patients of a data set and their splits. Raises StudyError."""
    try:
        content: Mapping[str, Any] = json.loads((out / COHORT).read_text(encoding="utf-8"))
        return tuple(Member(**row) for row in content["patients"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{out / COHORT} is not the list of a data set's patients ({error}).") from error


def _require_same(plan: DataSetPlan, out: Path) -> None:
    if not (out / COHORT).exists():
        return
    try:
        there = json.loads((out / COHORT).read_text(encoding="utf-8"))
    except ValueError as error:
        raise StudyError(f"{out / COHORT} cannot be read ({error}): remove it, or choose another folder.") from error
    if there.get("settings_hash") != plan.build.digest or there.get("plan") != json.loads(json.dumps(asdict(plan))):
        raise ConfigurationError(
            f"{out} holds a data set of other settings ({there.get('plan')}): give the same ones to go on with it, or "
            "another folder."
        )


def _is_built(folder: Path, settings: BuildSettings) -> bool:
    if not folder.exists():
        return False
    found = read_record(folder).get("settings_hash")
    if found != settings.digest:
        raise ConfigurationError(
            f"{folder} was built with other settings (hash {found}, now {settings.digest}): give the same ones, or "
            "another folder."
        )
    return True


def _build_all(
    missing: Sequence[Member],
    plan: DataSetPlan,
    out: Path,
    where: tuple[int, str],
    progress: Progress,
    cancelled: Cancelled,
) -> None:
    """The first patient here, which warms kernels and compiled code for all others; the rest by the workers."""
    workers, device = where
    progress(0.0, f"Patient 1 of {len(missing)}: {missing[0].name}")
    build_member(missing[0], plan, out, device, cancelled)
    rest = missing[1:]
    if workers == 1:
        for number, member in enumerate(rest, start=2):
            progress((number - 1) / len(missing), f"Patient {number} of {len(missing)}: {member.name}")
            build_member(member, plan, out, device, cancelled)
        return
    context = get_context("spawn")
    slots = context.Value("i", 0)
    with ProcessPoolExecutor(workers, context, _take_cores, (slots, workers)) as pool:
        futures = [pool.submit(build_member, member, plan, out, device) for member in rest]
        try:
            _follow(futures, len(missing), progress, cancelled)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _follow(futures: Sequence[Future[str]], count: int, progress: Progress, cancelled: Cancelled) -> None:
    waiting = set(futures)
    while waiting:
        finished, waiting = wait(waiting, timeout=1.0, return_when=FIRST_EXCEPTION)
        for future in finished:
            future.result()
        progress((count - len(waiting)) / count, f"Patients: {count - len(waiting)} of {count}")
        if cancelled():
            raise CancelledError("The data set was stopped; finished patients stay, and the same command goes on.")


def build_member(
    member: Member, plan: DataSetPlan, out: Path, device: str = "cpu", cancelled: Cancelled = never
) -> str:
    """Draw, compute and write one patient; its name. Raises DosimetryError children with the patient named."""
    try:
        if plan.real is None:
            patient = draw_patient(member.kind, member.seed)
        else:
            patient = real_patient(member.kind, member.seed, Path(plan.real))
        write_patient(build_patient(patient, plan.build, device, cancelled=cancelled), out / member.name)
    except DosimetryError as error:
        raise type(error)(f"Patient {member.name}: {error}") from error
    return member.name


def _take_cores(slots: Any, workers: int) -> None:
    """Each worker keeps to its share of the cores, since Monte Carlo starts a thread for every core it may use."""
    if not hasattr(os, "sched_setaffinity"):
        return
    with slots.get_lock():
        slot, slots.value = slots.value, slots.value + 1
    shares = np.array_split(sorted(os.sched_getaffinity(0)), workers)
    mine = shares[slot % workers]
    if mine.size:
        os.sched_setaffinity(0, mine.tolist())
