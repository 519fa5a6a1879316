"""Training of one member: steps, judgement, checkpoints; it stops at NaN with the batch named, and goes on exactly."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import CancelledError, LearningError
from RPTDosimetryLib.learning.checkpoint import fixed_part, load_checkpoint, save_checkpoint
from RPTDosimetryLib.learning.curves import write_curves
from RPTDosimetryLib.learning.judgement import judged
from RPTDosimetryLib.learning.losses import loss_of
from RPTDosimetryLib.learning.model_file import starting_weights
from RPTDosimetryLib.learning.network_registry import NetworkKind, network_kind
from RPTDosimetryLib.learning.patches import PatchPlan, Place, random_batch
from RPTDosimetryLib.learning.torch_here import device_of, quick_on_gpu
from RPTDosimetryLib.learning.training_cases import TrainingCase
from RPTDosimetryLib.learning.training_settings import TrainSettings
from RPTDosimetryLib.records import Cancelled, Progress, never, silent

#: Steps between two looks at the loss: each look waits for the GPU.
LOOK_EVERY: Final = 20
#: Rise of the learning rate (share of the training), its last value, and the least of the running mean's first steps.
RISE, LAST_RATE = 0.05, 0.01


@dataclass(frozen=True)
class Member:
    """A trained member: the weights that are kept (on the CPU), its figures on the patients left out, its history."""

    fold: int
    weights: Mapping[str, Any]
    figures: Mapping[str, float]
    history: Sequence[Mapping[str, float]]
    trained_on: tuple[str, ...]
    judged_on: tuple[str, ...]
    warnings: tuple[str, ...]


class MemberTraining:
    """State of one member's training; run() takes it to its end, from a checkpoint where there is one."""

    def __init__(
        self,
        settings: TrainSettings,
        fold: int,
        cases: tuple[Sequence[TrainingCase], Sequence[TrainingCase]],
        folder: Path,
    ) -> None:
        import torch

        self.settings, self.fold, self.folder = settings, fold, folder
        self.cases, self.left_out = cases
        _require_one_spacing([*self.cases, *self.left_out])
        self.kind: NetworkKind = network_kind(settings.network.name)
        self.device = device_of(settings.fit.device)
        torch.manual_seed(settings.fit.seed + 1000 * fold)
        torch.backends.cudnn.benchmark = True
        self.module = self._new_module().to(self.device)
        if self.kind.dims == 3 and self.device.type == "cuda":
            self.module = quick_on_gpu(self.module)
        self.mean_module = copy.deepcopy(self.module).eval()
        self.optimiser = self._optimiser()
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.fit.precision == "fp16")
        self.generator = torch.Generator().manual_seed(settings.fit.seed + 1000 * fold + 1)
        self.batch, self.plan = settings.fit.batch, _plan(settings, self.kind)
        self.step, self.elapsed_s, self.since_best = 0, 0.0, 0
        self.best: dict[str, Any] | None = None
        self.history: list[dict[str, float]] = []
        self.warnings: list[str] = []

    def run(self, progress: Progress = silent, cancelled: Cancelled = never) -> Member:
        """Train to the end. Raises LearningError (NaN, with the samples named), CancelledError; both leave a checkpoint
        from which the same call goes on.
        """
        self._resume()
        clock = _Clock(self.elapsed_s, self.settings.fit)
        recent: list[tuple[Any, list[Place]]] = []
        while not self._finished(clock):
            if cancelled():
                self._save(clock)
                raise CancelledError(f"Training was stopped at step {self.step}; the same command goes on from there.")
            recent.append(self._step(clock))
            self.step += 1
            if self.step % LOOK_EVERY == 0 or self._due() or self._finished(clock):
                self._look(recent, clock, progress)
                recent = []
            if self._due() or self._finished(clock):
                self._judge(clock, progress)
            if clock.checkpoint_is_due():
                self._save(clock)
        self._save(clock)
        return self._member()

    def _new_module(self) -> Any:
        network = self.settings.network
        module = self.kind.module(network.options)
        if network.start:
            module.load_state_dict(starting_weights(network.start, network.name, network.options, self.fold))
        if self.settings.fit.only_head:
            if not hasattr(module, "head"):
                raise LearningError(f"fit.only_head: {network.name} has no layer of that name. Leave it out.")
            module.requires_grad_(False).head.requires_grad_(True)
        return module

    def _into_training(self) -> None:
        """Layers that are not trained keep judging as they do in use: their statistics do not follow the samples."""
        self.module.train(not self.settings.fit.only_head)
        if self.settings.fit.only_head:
            self.module.head.train()

    def _step(self, clock: _Clock) -> tuple[Any, list[Place]]:
        """One step; (its loss, where its samples come from). Out of memory: fewer or smaller samples, and says so."""
        import torch

        rate = self.settings.fit.learning_rate * _course(self.settings.fit.schedule, clock.fraction(self.step))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        while True:
            try:
                return self._try_step()
            except torch.OutOfMemoryError as error:
                self._shrink(error)

    def _try_step(self) -> tuple[Any, list[Place]]:
        import torch

        fit = self.settings.fit
        batch, places = random_batch(self.cases, self.plan, self.batch, self.generator)
        lower = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(fit.precision)
        self._into_training()
        with torch.autocast(self.device.type, dtype=lower, enabled=lower is not None):
            dose = self.kind.dose(self.module, batch)
        how = self.settings.loss.kind
        loss = loss_of(self.settings.loss, self.kind.loss if how == "published" else how, dose.float(), batch)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if fit.gradient_limit > 0.0:
            self.scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), fit.gradient_limit)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._follow()
        return loss.detach(), places

    def _follow(self) -> None:
        """Running mean of the weights; its decay rises from 0.1, so that it does not hold on to the start."""
        import torch

        decay = min(self.settings.fit.ema, (1.0 + self.step) / (10.0 + self.step))
        mean, now = self.mean_module.state_dict(), self.module.state_dict()
        floating = [name for name in now if now[name].dtype.is_floating_point]
        with torch.no_grad():
            torch._foreach_lerp_([mean[n] for n in floating], [now[n] for n in floating], 1.0 - decay)
            for name in set(now) - set(floating):
                mean[name].copy_(now[name])

    def _shrink(self, error: Exception) -> None:
        import torch

        torch.cuda.empty_cache()
        shape = self.plan.shape_zyx
        if self.batch > 1:
            self.batch //= 2
            said = f"{self.batch} samples a step"
        elif self.kind.input_zyx is None and max(shape) > 2 * self.kind.divisor:
            shape = self.kind.rounded_up((max(shape[0] // 2, 1), shape[1] // 2, shape[2] // 2))
            self.plan = replace(self.plan, shape_zyx=shape)
            said = f"patches of {shape}"
        else:
            raise LearningError(f"Not even one sample of {shape} voxels fits into memory: {error}") from error
        self.warnings.append(f"Memory was short at step {self.step}: from there on {said}.")

    def _look(self, recent: list[tuple[Any, list[Place]]], clock: _Clock, progress: Progress) -> None:
        losses = [float(loss) for loss, _ in recent]
        for loss, (_, places) in zip(losses, recent, strict=True):
            if not math.isfinite(loss):
                named = "; ".join(str(place) for place in places)
                raise LearningError(
                    f"The loss became {loss} within the {len(losses)} steps before step {self.step}, first with the "
                    f"samples: {named}. The last checkpoint is kept in {self.folder}. Check these patients, or lower "
                    "fit.learning_rate."
                )
        rate = self.optimiser.param_groups[0]["lr"]
        row = {"step": self.step, "elapsed_s": clock.elapsed_s(), "learning_rate": rate}
        self.history.append({**row, "loss": sum(losses) / len(losses)})
        progress(
            clock.fraction(self.step), f"Member {self.fold}, step {self.step}: loss {self.history[-1]['loss']:.4g}"
        )

    def _due(self) -> bool:
        return self.step % self.settings.fit.validate_every == 0

    def _judge(self, clock: _Clock, progress: Progress) -> None:
        import torch

        torch.backends.cudnn.benchmark = False  # each patient has a shape of its own: trying algorithms would not pay
        figures = judged(self.kind, self.mean_module, self.left_out, self.settings.fit.validate_most)
        torch.backends.cudnn.benchmark = True
        self.history[-1].update(figures)
        if self.best is None or figures["score"] < self.best["figures"]["score"]:
            weights = {name: value.detach().cpu().clone() for name, value in self.mean_module.state_dict().items()}
            self.best, self.since_best = {"weights": weights, "figures": figures, "step": self.step}, 0
        else:
            self.since_best += 1
        write_curves(self.history, self.folder)
        said = f"RAE {figures['rae_percent']:.2f} % (MSV {figures['msv_rae_percent']:.2f} %), volumes "
        said += f"{figures['voi_percent']:.2f} % (MSV {figures['msv_voi_percent']:.2f} %)"
        progress(clock.fraction(self.step), f"Member {self.fold}, step {self.step}: {said}")

    def _finished(self, clock: _Clock) -> bool:
        patience = self.settings.fit.patience
        tired = patience > 0 and self.since_best >= patience
        return self.step >= self.settings.fit.steps or (self.step > 0 and clock.is_over()) or tired

    def _optimiser(self) -> Any:
        import torch

        fit = self.settings.fit
        kind = torch.optim.AdamW if fit.optimiser == "adamw" else torch.optim.Adam
        trained = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        return kind(trained, lr=fit.learning_rate, weight_decay=fit.weight_decay)

    def _names(self) -> list[str]:
        return [case.name for case in self.cases]

    def _save(self, clock: _Clock) -> None:
        import torch

        clock.checkpoint_was_made()
        on_gpu = self.device.type == "cuda"
        state = {
            "settings": fixed_part(self.settings),
            "patients": self._names(),
            "module": self.module.state_dict(),
            "mean": self.mean_module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": self.generator.get_state(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if on_gpu else None,
            "step": self.step,
            "elapsed_s": clock.elapsed_s(),
            "since_best": self.since_best,
            "best": self.best,
            "history": self.history,
            "warnings": self.warnings,
            "batch": self.batch,
            "patch_zyx": list(self.plan.shape_zyx),
        }
        save_checkpoint(state, self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        import torch

        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        state = load_checkpoint(path, self.settings, self._names())
        self.module.load_state_dict(state["module"])
        self.mean_module.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])
        if self.device.type == "cuda" and state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"], self.device)
        for name in ("step", "elapsed_s", "since_best", "best", "history", "warnings", "batch"):
            setattr(self, name, state[name])
        z, y, x = state["patch_zyx"]
        self.plan = replace(self.plan, shape_zyx=(z, y, x))

    def _member(self) -> Member:
        assert self.best is not None
        names = tuple(case.name for case in self.left_out)
        best = self.best
        return Member(
            self.fold, best["weights"], best["figures"], self.history, tuple(self._names()), names, tuple(self.warnings)
        )


class _Clock:
    """Wall-clock time of a training over all its sittings, and what it decides."""

    def __init__(self, before_s: float, fit: Any) -> None:
        self._start = time.monotonic() - before_s
        self._fit = fit
        self.checkpoint_was_made()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._start

    def fraction(self, step: int) -> float:
        """Done of the whole, by steps or by time, whichever is further."""
        by_time = self.elapsed_s() / (60.0 * self._fit.max_minutes) if self._fit.max_minutes > 0.0 else 0.0
        return min(max(step / self._fit.steps, by_time), 1.0)

    def is_over(self) -> bool:
        return self._fit.max_minutes > 0.0 and self.elapsed_s() >= 60.0 * self._fit.max_minutes

    def checkpoint_was_made(self) -> None:
        self._last = time.monotonic()

    def checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._last > 60.0 * self._fit.checkpoint_minutes


def _require_one_spacing(cases: Sequence[TrainingCase]) -> None:
    found = {case.spacing_mm for case in cases}
    if len(found) > 1:
        raise LearningError(
            f"The patients have voxels of several sizes, {sorted(found)} mm: bring them onto one first."
        )


def _course(schedule: str, fraction: float) -> float:
    """Learning rate relative to its highest."""
    if schedule == "constant":
        return 1.0
    if fraction < RISE:
        return 0.05 + 0.95 * fraction / RISE
    return LAST_RATE + (1.0 - LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * (fraction - RISE) / (1.0 - RISE)))


def _plan(settings: TrainSettings, kind: NetworkKind) -> PatchPlan:
    fit = settings.fit
    shape = (1, *fit.patch_zyx[1:]) if kind.dims == 2 else fit.patch_zyx
    names = tuple(dict.fromkeys([*kind.needs, "tissue", "density", "msv8", "mc", "mc_se"]))
    margin = 0 if kind.dims == 2 else fit.margin
    return PatchPlan(kind.rounded_up(shape), margin, names, fit.flips, fit.turns)
