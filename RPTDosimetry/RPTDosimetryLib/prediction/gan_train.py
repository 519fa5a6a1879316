"""Training a DoseGAN: folds by patient, one after the other, each judged on the patients it has not seen.

``python -m RPTDosimetryLib.prediction.gan_train CONFIG OUT`` needs numpy, torch, monai and safetensors only;
`rptdosimetry train --task predict CONFIG --out OUT` is the same.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.errors import DosimetryError, PredictionError
from RPTDosimetryLib.files import require_folder
from RPTDosimetryLib.prediction.gan_fold import FoldTraining
from RPTDosimetryLib.prediction.gan_guard import known_ranges
from RPTDosimetryLib.prediction.gan_inference import predict_members
from RPTDosimetryLib.prediction.gan_model import (
    FORMAT,
    GanModel,
    read_gan_model,
    read_weights,
    torch_device,
    write_card,
    write_weights,
)
from RPTDosimetryLib.prediction.gan_patches import PatchSource
from RPTDosimetryLib.prediction.gan_patients import (
    AIR_BELOW_HU,
    GanPatient,
    known_organs,
    organ_numbers,
    patient_folds,
    read_gan_patients,
)
from RPTDosimetryLib.prediction.gan_settings import GanSettings, read_gan_config
from RPTDosimetryLib.records import Cancelled, Progress, never, part_of, silent

#: Patches of held-out patients from which the curve is drawn; and at most so many patients to take them from.
_WATCHED: Final = 48
_WATCHED_PATIENTS: Final = 8
LIMITS: Final = (
    "Learned from virtual patients only: kinetics, anatomy and noise are drawn from stated distributions.",
    "Says nothing of another therapy agent, tracer, PET time or voxel size than those of its patients.",
    "A prediction with its uncertainty, for research; never the basis of a treatment by itself.",
)


@dataclass(frozen=True)
class HeldOutOrgan:
    """One organ of one held-out patient: true and predicted mean dose [Gy/GBq]; rmse over max of the patient's dose."""

    patient: str
    organ: str
    fold: int
    true_gy_per_gbq: float
    predicted_gy_per_gbq: float
    nrmse_percent: float


def train_gan(
    settings: GanSettings, folder: Path, out: Path, name: str = "dosegan",
    progress: Progress = silent, cancelled: Cancelled = never,
) -> GanModel:  # fmt: skip
    """Train every chosen fold on the patients below ``folder``; weights, card and checkpoints go to ``out``.

    The same call goes on where a stopped one was. Raises PredictionError: patients or settings unfit, checkpoint of
    other settings, a loss that is not a number (patient and patch named); CancelledError.
    """
    require_folder(out)
    device = torch_device(settings.device)
    patients = read_gan_patients(folder)
    folds = patient_folds(patients, settings.folds, settings.seed)
    _quicken(device)
    organs = known_organs(patients)
    weights, rows, bare_rows, curves = [], [], [], {}
    for position, fold in enumerate(settings.chosen_folds):
        share = part_of(progress, position / len(settings.chosen_folds), (position + 1) / len(settings.chosen_folds))
        held_out = [patients[i] for i in folds[fold - 1]]
        training = _train_fold(settings, fold, (patients, held_out, organs), device, out, share, cancelled)
        path = out / f"fold-{fold}.safetensors"
        described = {"fold": fold, **write_weights(training.average, path)}
        weights.append({**described, "steps": training.step, "seconds": round(training.elapsed_s, 1),
                        "held_out": [patient.name for patient in held_out]})  # fmt: skip
        curves[str(fold)] = training.curve
        written = read_weights(path, settings.width, len(organs), AIR_BELOW_HU, device, described["sha256"])
        one = GanModel(name, (written,), {"organs": organs}, device)
        rows += judge_fold(one, held_out, fold)
        bare_rows += judge_fold(one, held_out, fold, outlined=False)
    write_card(_card(name, settings, patients, weights, (rows, bare_rows), curves, device), out)
    return read_gan_model(out, str(device.type))


def _train_fold(
    settings: GanSettings, fold: int,
    cases: tuple[Sequence[GanPatient], Sequence[GanPatient], tuple[str, ...]], device: Any,
    out: Path, progress: Progress, cancelled: Cancelled,
) -> FoldTraining:  # fmt: skip
    patients, held_out, organs = cases
    names = {patient.name for patient in held_out}
    known = [patient for patient in patients if patient.name not in names]
    training = FoldTraining(settings, fold, dose_scales(known, organs), device)
    checkpoint = out / f"fold-{fold}.checkpoint.pt"
    if checkpoint.exists():
        training.go_on_from(checkpoint)
    if training.progress < 1.0:
        source = PatchSource(known, organs, settings, device)
        watched = PatchSource(held_out[:_WATCHED_PATIENTS], organs, settings, device).patches(
            (settings.seed, fold), min(_WATCHED, 4 * settings.batch), varied=False
        )
        training.run(source, watched, checkpoint, cancelled, progress)
    return training


def dose_scales(patients: Sequence[GanPatient], organs: Sequence[str]) -> tuple[tuple[float, ...], float]:
    """Doses per uptake, ΣD/Σu [Gy/GBq per SUV at 70 kg], of all tissue and of each organ; and the dose [Gy/GBq] that
    losses count as 1: the mean of the organs' mean doses, each organ of each patient as much, or of tissue without any.
    """
    sums = {name: np.zeros(2) for name in ("", *organs)}
    means = []
    for p in patients:
        true, seen, tissue = p.dose_gy_per_gbq.reshape(-1), p.uptake.reshape(-1), np.flatnonzero(p.body)
        for name, voxels in {"": tissue, **p.organs}.items():
            if name in sums:
                sums[name] += [true[voxels].sum(dtype=float), seen[voxels].sum(dtype=float)]
        means += [float(true[voxels].mean()) for voxels in p.organs.values() or [tissue]]
    dose, uptake = sums[""]
    if not dose > 0 or not uptake > 0 or not sum(means) > 0:
        raise PredictionError("The patients have no dose in tissue to learn from.")
    own = [float(d / u) if d > 0 and u > 0 else float(dose / uptake) for d, u in (sums[name] for name in organs)]
    return (float(dose / uptake), *own), float(np.mean(means))


def judge_fold(model: GanModel, held_out: Sequence[GanPatient], fold: int, outlined: bool = True) -> list[HeldOutOrgan]:
    """True and predicted mean dose of the body and every labelled organ of patients that a fold has not seen.

    outlined: the organs' outlines are given to the network, or PET and CT alone.
    """
    rows = []
    for patient in held_out:
        numbers = organ_numbers(patient.organs if outlined else {}, model.card["organs"], patient.hu.shape)
        predicted = predict_members(model, patient.uptake, patient.hu, numbers).mean(axis=0)
        true = patient.dose_gy_per_gbq.reshape(-1)
        predicted = predicted.reshape(-1)
        apart = (predicted - true).astype(np.float64)
        highest = float(patient.dose_gy_per_gbq.max())
        for organ, voxels in {"body": np.flatnonzero(patient.body), **patient.organs}.items():
            nrmse = 100.0 * float(np.sqrt((apart[voxels] ** 2).mean())) / highest
            means = float(true[voxels].mean()), float(predicted[voxels].mean())
            rows.append(HeldOutOrgan(patient.name, organ, fold, *means, nrmse))
    return rows


def organ_figures(rows: Sequence[HeldOutOrgan]) -> dict[str, dict[str, float]]:
    """Over held-out patients, organ by organ and for all organs: patients, mean and root mean square relative error of
    the mean dose, mean absolute one (MAPE), voxel NRMSE, all in %.
    """
    figures: dict[str, dict[str, float]] = {}
    names = sorted({row.organ for row in rows} - {"body"})
    for name in ["body", *names, "all organs"]:
        own = [r for r in rows if (r.organ == name or (name == "all organs" and r.organ != "body"))]
        own = [row for row in own if row.true_gy_per_gbq > 0]
        if own:
            relative = np.array([100.0 * (r.predicted_gy_per_gbq / r.true_gy_per_gbq - 1.0) for r in own])
            figures[name] = {
                "patients": float(len({r.patient for r in own})),
                "mean_percent": round(float(relative.mean()), 3),
                "rms_percent": round(float(np.sqrt((relative**2).mean())), 3),
                "mape_percent": round(float(np.abs(relative).mean()), 3),
                "nrmse_percent": round(float(np.mean([r.nrmse_percent for r in own])), 4),
            }
    return figures


def _card(
    name: str, settings: GanSettings, patients: Sequence[GanPatient], weights: list[dict[str, Any]],
    rows: tuple[Sequence[HeldOutOrgan], Sequence[HeldOutOrgan]], curves: dict[str, Any], device: Any,
) -> dict[str, Any]:  # fmt: skip
    import torch

    return {
        "format": FORMAT,
        "name": name,
        "task": "absorbed dose per administered activity [Gy/GBq] from a PET [SUV, body weight] and CT [HU] before it",
        "method": "3-D RPT DoseGAN after Xue et al. 2024, doi 10.1007/s00259-024-06737-3; differences: "
        "docs/physics/dosegan.md",
        "licence": "Apache-2.0, as the library",
        "limits": list(LIMITS),
        "tracer": patients[0].tracer,
        "agent": patients[0].agent,
        "width": settings.width,
        "air_below_hu": AIR_BELOW_HU,
        "spacing_mm": list(patients[0].spacing_mm),
        "known_ranges": known_ranges(patients),
        "organs": list(known_organs(patients)),
        "held_out": {"organs": organ_figures(rows[0]), "rows": [dataclasses.asdict(row) for row in rows[0]]},
        "held_out_without_outlines": organ_figures(rows[1]),
        "patients": [{"name": p.name, "person": p.person, "kind": p.kind, "sha256": p.sha256} for p in patients],
        "weights": weights,
        "settings": dataclasses.asdict(settings),
        "curves": curves,
        "trained_on": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
    }


def _quicken(device: Any) -> None:
    """On a GPU: the fastest convolution of each shape is looked for once, float32 products in TF32."""
    import torch

    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cuda.matmul.allow_tf32 = True


def train_from_file(config: Path, out: Path, progress: Progress = silent, cancelled: Cancelled = never) -> GanModel:
    """train_gan as a TOML file says: ``patients``, a folder relative to the file, and the table [dosegan].

    Raises ConfigurationError besides what train_gan raises.
    """
    settings, folder = read_gan_config(config)
    return train_gan(settings, folder, out, out.name, progress, cancelled)


def main(arguments: Sequence[str]) -> int:
    """CONFIG OUT."""
    if len(arguments) != 2:
        print("Usage: python -m RPTDosimetryLib.prediction.gan_train CONFIG.toml OUT", file=sys.stderr)
        return 2
    try:
        model = train_from_file(
            Path(arguments[0]), Path(arguments[1]), lambda share, text: print(f"{share:7.1%} {text}", flush=True)
        )
    except DosimetryError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(model.card["held_out"]["organs"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
