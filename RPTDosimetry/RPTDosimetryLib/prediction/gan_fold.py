"""The training of one fold: updates of both networks, averaged weights, checkpoints from which it goes on exactly."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import CancelledError, PredictionError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.prediction.gan_losses import discriminator_loss, generator_loss, voxel_loss
from RPTDosimetryLib.prediction.gan_networks import build_discriminator, build_generator
from RPTDosimetryLib.prediction.gan_patches import Patches, PatchSource
from RPTDosimetryLib.prediction.gan_settings import GanSettings

#: Losses are looked at (and the device waited for) once in so many steps.
_LOOK_EVERY: Final = 25
#: Share of the training in which the learning rate rises; where its cosine ends, as a share of the highest.
_RISE: Final = 0.05
_LAST_RATE: Final = 0.02
#: Largest norm of the generator's gradient.
_CLIP: Final = 1.0
#: Settings in which a training that goes on may differ from its start.
_FREE: Final = ("device", "checkpoint_every", "train_folds", "budget_s")


class FoldTraining:
    """Generator, its average, discriminator and their optimisers, advanced step by step.

    The patches of a step depend on seed, fold and step alone. So a training of a given number of steps that goes on
    from a checkpoint ends at the same weights on the same processor; with budget_s the clock decides where it ends.
    """

    def __init__(self, settings: GanSettings, fold: int, scales: tuple[tuple[float, ...], float], device: Any) -> None:
        """scales: doses per uptake [Gy/GBq per SUV at 70 kg] of tissue and organs; the dose that losses count as 1."""
        import torch

        self.settings, self.fold, self.scales, self.device = settings, fold, scales, device
        seed = settings.seed * 1000 + fold
        self.generator = build_generator(settings.width, seed, scales[0]).to(device)
        self.average = build_generator(settings.width, seed, scales[0]).to(device).eval()
        self.discriminator = build_discriminator(settings.discriminator_width, seed + 500).to(device)
        for network in (self.generator, self.discriminator, self.average):
            network.to(memory_format=torch.channels_last_3d)
        self._optimiser = torch.optim.AdamW(
            self.generator.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self._opponent = torch.optim.Adam(
            self.discriminator.parameters(), lr=settings.discriminator_rate, betas=(0.5, 0.9)
        )
        self.step, self.elapsed_s = 0, 0.0
        self.curve: list[dict[str, float]] = []
        self._unseen: list[tuple[Any, tuple[str, ...]]] = []

    @property
    def progress(self) -> float:
        """How much of the training is done, by steps or by the clock, 0 to 1."""
        by_clock = self.elapsed_s / self.settings.budget_s if self.settings.budget_s else 0.0
        return min(1.0, max(self.step / self.settings.steps, by_clock))

    def run(
        self, source: PatchSource, held_out: Patches | None, checkpoint: Path, cancelled: Callable[[], bool],
        report: Callable[[float, str], None],
    ) -> None:  # fmt: skip
        """To the end of the steps or of the budget. Raises PredictionError at a loss that is no number (naming patient
        and patch), CancelledError; in both the last checkpoint stays.
        """
        started, before_s = time.perf_counter(), self.elapsed_s
        while self.progress < 1.0:
            batch = source.patches((self.settings.seed, self.fold, self.step), self.settings.batch)
            losses = self._update(batch)
            self.step += 1
            self.elapsed_s = before_s + time.perf_counter() - started
            if self.step % _LOOK_EVERY == 0 or self.progress >= 1.0:
                self._look(losses, held_out)
                report(self.progress, f"fold {self.fold}, step {self.step}: voxel loss {self.curve[-1]['voxel']:.4f}")
                if cancelled():
                    self.save(checkpoint)
                    raise CancelledError(f"Stopped at step {self.step}; the same command goes on from {checkpoint}.")
            if self.step % self.settings.checkpoint_every == 0:
                self._require_numbers()
                self.save(checkpoint)
        self.save(checkpoint)

    def _update(self, batch: Patches) -> dict[str, Any]:
        """One step of both networks; losses stay on the device."""
        import torch

        settings = self.settings
        self._set_rate()
        adversarial = self.progress >= settings.warm_up and settings.adversarial_weight > 0
        body = batch.inputs[:, 1:2] >= self.generator.air_below_hu
        mixed = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda")
        with mixed:
            predicted = self.generator(batch.inputs)
        voxel = voxel_loss(predicted, batch.dose, body, self.scales[1], settings.log_weight)
        total, losses = voxel.mean(), {"voxel": voxel.detach().mean()}
        if adversarial:
            with mixed:
                verdict = self.discriminator.requires_grad_(False)(batch.inputs, predicted / self.scales[1])
            total = total + settings.adversarial_weight * generator_loss(verdict.float())
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), _CLIP)
        self._optimiser.step()
        if adversarial:
            losses["discriminator"] = self._update_discriminator(batch, predicted.detach(), mixed)
        self._follow()
        self._unseen.append((voxel.detach(), batch.names))
        return losses

    def _update_discriminator(self, batch: Patches, predicted: Any, mixed: Any) -> Any:
        self.discriminator.requires_grad_(True)
        scale = self.scales[1]
        with mixed:
            true = self.discriminator(batch.inputs, batch.dose / scale)
            generated = self.discriminator(batch.inputs, predicted / scale)
        loss = discriminator_loss(true.float(), generated.float())
        self._opponent.zero_grad(set_to_none=True)
        loss.backward()
        self._opponent.step()
        return loss.detach()

    def _set_rate(self) -> None:
        done = self.progress
        share = min(1.0, (done + 1e-3) / _RISE)
        share *= _LAST_RATE + (1.0 - _LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * done))
        for optimiser, rate in (
            (self._optimiser, self.settings.learning_rate), (self._opponent, self.settings.discriminator_rate),
        ):  # fmt: skip
            for group in optimiser.param_groups:
                group["lr"] = rate * share

    def _follow(self) -> None:
        """The average moves towards the generator; faster at first, when there is little to average."""
        import torch

        decay = min(self.settings.ema, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1.0 - decay)

    def _look(self, losses: dict[str, Any], held_out: Patches | None) -> None:
        self._require_numbers()
        row = {"step": float(self.step), "elapsed_s": self.elapsed_s, **{k: float(v) for k, v in losses.items()}}
        if held_out is not None and self.step % (4 * _LOOK_EVERY) == 0:
            row["held_out_nrmse_percent"] = self.patch_nrmse_percent(held_out)
        self.curve.append(row)

    def _require_numbers(self) -> None:
        import torch

        if not self._unseen:
            return
        bad = ~torch.isfinite(torch.stack([loss for loss, _ in self._unseen])).cpu()
        names = [names for _, names in self._unseen]
        self._unseen = []
        if bad.any():
            step, patch = (int(i) for i in bad.nonzero()[0])
            first = self.step - len(names) + 1
            raise PredictionError(
                f"The loss is not a number at step {first + step} of fold {self.fold}: patient {names[step][patch]}. "
                "Look at that patient's PET, CT and dose there, or lower learning_rate; the last checkpoint is kept."
            )

    def patch_nrmse_percent(self, held_out: Patches) -> float:
        """100·RMSE/s of the averaged generator over the body voxels of patches that are not trained on."""
        import torch

        with torch.no_grad(), torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"
        ):  # fmt: skip
            apart = self.average(held_out.inputs) - held_out.dose
        body = held_out.inputs[:, 1:2] >= self.generator.air_below_hu
        return 100.0 * float((apart.float()[body] ** 2).mean().sqrt()) / self.scales[1]

    def save(self, path: Path) -> None:
        """Everything that the next step depends on, whole or not at all."""
        import torch

        state = {
            "settings": json.dumps(asdict(self.settings)), "fold": self.fold,
            "scales": [*self.scales[0], self.scales[1]],
            "step": self.step, "elapsed_s": self.elapsed_s, "curve": json.dumps(self.curve),
            "generator": self.generator.state_dict(), "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimiser": self._optimiser.state_dict(), "opponent": self._opponent.state_dict(),
        }  # fmt: skip
        with whole_file(path) as temporary:
            torch.save(state, temporary)

    def go_on_from(self, path: Path) -> None:
        """Take up a checkpoint. Raises PredictionError: damaged, or of a training with other settings or patients."""
        import torch

        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            saved = json.loads(state["settings"])
            for name, value in json.loads(json.dumps(asdict(self.settings))).items():
                if name not in _FREE and saved.get(name) != value:
                    raise PredictionError(
                        f"{path} was trained with {name} = {saved.get(name)!r}, not {value!r}: use those settings, or "
                        "another folder."
                    )
            scales = [*self.scales[0], self.scales[1]]
            same = len(scales) == len(state["scales"]) and all(map(math.isclose, state["scales"], scales))
            if state["fold"] != self.fold or not same:
                raise PredictionError(f"{path} belongs to another fold or other patients: use another folder.")
            for name in ("generator", "average", "discriminator"):
                getattr(self, name).load_state_dict(state[name])
            self._optimiser.load_state_dict(state["optimiser"])
            self._opponent.load_state_dict(state["opponent"])
            self.curve = json.loads(state["curve"])
            self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])
        except PredictionError:
            raise
        except Exception as error:  # torch raises many kinds for a damaged file
            raise PredictionError(f"{path} is damaged ({error}): delete it to train anew.") from error
