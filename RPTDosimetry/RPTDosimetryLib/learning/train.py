"""Training of all members of a model, one after another or at once, and the model that comes of it.

``python -m RPTDosimetryLib.learning.train CONFIG OUT`` needs numpy, scipy, numba, torch, pydantic, matplotlib and
safetensors only; `rptdosimetry train CONFIG --out OUT` is the same.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib import __version__
from RPTDosimetryLib.errors import DosimetryError, LearningError
from RPTDosimetryLib.files import require_folder
from RPTDosimetryLib.learning.guard import guard_table, joined_tables
from RPTDosimetryLib.learning.model_file import model_folder, read_card
from RPTDosimetryLib.learning.network_registry import network_kind
from RPTDosimetryLib.learning.torch_here import device_of
from RPTDosimetryLib.learning.training_cases import TrainingCase, fold_of, patient_folders, read_cases
from RPTDosimetryLib.learning.training_settings import TrainSettings, read_train_settings
from RPTDosimetryLib.records import Cancelled, Progress, never, part_of, silent

MEMBER: Final = "member.json"


def train(
    settings: TrainSettings, out: Path, progress: Progress = silent, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Train what is left to train of the members and write OUT/model; the card as answer.

    The same call goes on with an interrupted training. Raises ConfigurationError, LearningError, CancelledError.
    """
    require_folder(out)
    device_of(settings.fit.device)
    network_kind(settings.network.name).module(settings.network.options)
    folds = list(settings.patients.only_folds) or list(range(settings.patients.folds))
    left = [fold for fold in folds if not _is_done(out, fold, settings)]
    if settings.fit.parallel > 1 and len(left) > 1:
        _train_at_once(settings, out, left)
    elif left:
        cases = _cases(settings, part_of(progress, 0.0, 0.1))
        for number, fold in enumerate(left):
            part = part_of(progress, 0.1 + 0.85 * number / len(left), 0.1 + 0.85 * (number + 1) / len(left))
            _train_member(settings, out, fold, cases, part, cancelled)
    progress(0.96, "Writing the model")
    return write_trained(settings, out, folds)


def _cases(settings: TrainSettings, progress: Progress) -> list[TrainingCase]:
    chosen = settings.patients
    folders = patient_folders(chosen.folder, chosen.splits, chosen.most)
    return read_cases(folders, device_of(settings.fit.device), progress)


def divided(
    cases: Sequence[TrainingCase], folds: int, fold: int, seed: int
) -> tuple[list[TrainingCase], list[TrainingCase]]:
    """(trained on, judged on) of one member; with one fold all patients are both."""
    if folds == 1:
        return list(cases), list(cases)
    number = fold_of([case.name for case in cases], folds, seed)
    trained = [case for case in cases if number[case.name] != fold]
    return trained, [case for case in cases if number[case.name] == fold]


def _train_member(
    settings: TrainSettings,
    out: Path,
    fold: int,
    cases: Sequence[TrainingCase],
    progress: Progress,
    cancelled: Cancelled = never,
) -> None:
    from safetensors.torch import save_file

    from RPTDosimetryLib.learning.training import MemberTraining

    folder = out / f"member_{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    pair = divided(cases, settings.patients.folds, fold, settings.fit.seed)
    member = MemberTraining(settings, fold, pair, folder).run(progress, cancelled)
    save_file({name: v.contiguous().clone() for name, v in member.weights.items()}, folder / "weights.safetensors")
    record = {
        "fold": fold,
        "figures": dict(member.figures),
        "trained_on": list(member.trained_on),
        "judged_on": list(member.judged_on),
        "warnings": list(member.warnings),
        "steps": int(member.history[-1]["step"]),
        "seconds": round(member.history[-1]["elapsed_s"], 1),
        "seconds_here": round(time.monotonic() - start, 1),
        "machine": _machine(settings.fit.device),
        "settings": settings.as_record(),
        "spacing_mm": list(cases[0].spacing_mm),
        "features": [dict(case.features) for case in cases],
    }
    (folder / MEMBER).write_text(json.dumps(record, indent=1, default=str), encoding="utf-8")


def _is_done(out: Path, fold: int, settings: TrainSettings) -> bool:
    path = out / f"member_{fold}" / MEMBER
    if not path.is_file():
        return False
    before = json.loads(path.read_text(encoding="utf-8"))["settings"]
    now = json.loads(json.dumps(settings.as_record(), default=str))
    if (before["network"], before["loss"]) != (now["network"], now["loss"]):
        raise LearningError(f"{path.parent} holds a member of other settings. Choose another folder for this training.")
    return True


def _train_at_once(settings: TrainSettings, out: Path, folds: Sequence[int]) -> None:
    """Members in processes of their own, at most ``parallel`` at a time."""
    context = multiprocessing.get_context("spawn")
    waiting, failed = list(folds), []
    running: dict[int, Any] = {}
    while waiting or running:
        while waiting and len(running) < settings.fit.parallel:
            fold = waiting.pop(0)
            process = context.Process(target=_one_member, args=(settings, out, fold))
            process.start()
            running[fold] = process
        for fold, process in list(running.items()):
            process.join(0.5)
            if process.exitcode is not None:
                running.pop(fold)
                if process.exitcode != 0:
                    failed.append(fold)
    if failed:
        raise LearningError(f"Members {failed} did not finish; what happened is printed above. The same call goes on.")


def _one_member(settings: TrainSettings, out: Path, fold: int) -> None:
    try:
        alone = replace(settings, fit=replace(settings.fit, parallel=1))
        _train_member(alone, out, fold, _cases(alone, silent), printed)
    except DosimetryError as error:
        print(f"Member {fold}: {error}", file=sys.stderr, flush=True)
        sys.exit(2)


def write_trained(settings: TrainSettings, out: Path, folds: Sequence[int]) -> dict[str, Any]:
    """OUT/model from the members that are there: weights, card with figures, guard table of the patients."""
    from safetensors.torch import load_file

    from RPTDosimetryLib.learning.model_file import write_model

    records: list[dict[str, Any]] = []
    weights = []
    for fold in folds:
        folder = out / f"member_{fold}"
        records.append(json.loads((folder / MEMBER).read_text(encoding="utf-8")))
        weights.append(load_file(folder / "weights.safetensors"))
    return write_model(out / "model", _card(settings, records), weights)


def _card(settings: TrainSettings, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    from datetime import date

    rows, spacing = records[0]["features"], records[0]["spacing_mm"]
    kind = network_kind(settings.network.name)
    keys = records[0]["figures"]
    figures = {key: sum(record["figures"][key] for record in records) / len(records) for key in keys}
    shown = ("fold", "figures", "trained_on", "judged_on", "warnings", "steps", "seconds")
    bound = {**kind.options, **settings.network.options}.get("bound")
    seconds = sum(record["seconds"] for record in records)
    fit = settings.fit
    how = (
        f"{fit.optimiser}, learning rate {fit.learning_rate:g} ({fit.schedule}), {fit.batch} samples of {fit.patch_zyx}"
    )
    data: dict[str, Any] = {
        "patients": len(rows),
        "text": f"{len(rows)} patients of {settings.patients.folder.name}, by Monte Carlo",
    }
    guard, before = guard_table(rows), ""
    if settings.network.start:
        first = read_card(model_folder(settings.network.start))
        guard = joined_tables(first["guard"], guard)
        data = {
            "patients": guard["patients"], "text": f"{first['data']['text']}; then {data['text']}",
        }  # fmt: skip
        hashes = ", ".join(entry["sha256"][:8] for entry in first["members"])
        before = f"; went on from model {first['name']} (SHA-256 {hashes}): {first['training']['text']}"
    return {
        "name": settings.card.name,
        "purpose": settings.card.purpose,
        "licence": settings.card.licence,
        "notes": settings.card.notes,
        "network": kind.name,
        "source": kind.source,
        "options": dict(settings.network.options),
        "nuclide": "Lu-177",
        "spacing_mm": spacing,
        "data": data,
        "training": {
            "text": f"{how}; {seconds:.0f} s in all on {records[0]['machine']}{before}",
            "settings": settings.as_record(),
            "seconds": seconds,
            "version": __version__,
        },
        "limits": {
            "bound": "" if bound is None else f"network at most ± {bound:g} × (its base + photon dose in soft tissue)",
            "text": "Only for the nuclide and the voxel size above (other voxels: the relative correction is carried "
            "over, and said). Anatomies unlike the training's are refused by the guard.",
        },
        "figures": figures,
        "guard": guard,
        "made": date.today().isoformat(),
        "members": [{key: record[key] for key in shown} for record in records],
    }


def _machine(device: str) -> str:
    import torch

    place = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{platform.machine()} CPU"
    return f"{place}, torch {torch.__version__}"


def printed(fraction: float, text: str) -> None:
    """Progress as lines of text."""
    print(f"{100 * fraction:5.1f} %  {text}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """CONFIG OUT."""
    if len(arguments) != 2:
        print("Usage: python -m RPTDosimetryLib.learning.train CONFIG.toml OUT", file=sys.stderr)
        return 2
    try:
        card = train(read_train_settings(Path(arguments[0])), Path(arguments[1]), printed)
    except DosimetryError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(card["figures"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
