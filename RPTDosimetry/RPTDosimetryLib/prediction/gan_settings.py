"""Choices of the DoseGAN's training, in one record; a TOML file may set any of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from RPTDosimetryLib.errors import ConfigurationError, PredictionError
from RPTDosimetryLib.files import read_toml

#: Side of a patch in voxels, as published (Xue et al. 2024).
PATCH: Final = 32
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class GanSettings:
    """How the DoseGAN is built and trained. As published: 32³ patches, PET and CT in, U-Net generator, adversarial plus
    voxel loss, folds by patient. The numbers and the organs' outlines as a further input are this project's.

    width: features of the generator's first level, doubled at each of three more. discriminator_width: likewise.
    folds: how many parts the patients are divided into; train_folds: which of them are held out in turn (empty: all).
    steps: updates of the generator a fold; budget_s: wall-clock seconds a fold, if sooner (None: no limit). batch:
    patches an update. organ_share: share of patches centred in labelled organs, each organ as often; the rest anywhere
    in the body. organ_drop: share of organs whose outline is hidden in a patch, and share of patches without any, so
    that the network also works from PET and CT alone (1: never an outline). learning_rate of the generator, with a
    short rise and a cosine descent; discriminator_rate likewise.
    log_weight: weight of the difference of logarithms beside that of doses (it holds organs of low dose).
    adversarial_weight: of the discriminator's verdict. warm_up: share of the training with the voxel loss alone.
    ema: decay of the averaged weights that are kept. mirror, turn: patches are mirrored along each axis, turned by 90°
    about z. checkpoint_every: steps between checkpoints. device: auto takes a GPU where there is one.
    """

    width: int = 16
    discriminator_width: int = 32
    folds: int = 5
    train_folds: tuple[int, ...] = ()
    steps: int = 6000
    budget_s: float | None = None
    batch: int = 16
    organ_share: float = 0.6
    organ_drop: float = 0.15
    learning_rate: float = 1e-3
    discriminator_rate: float = 2e-4
    log_weight: float = 0.5
    adversarial_weight: float = 0.003
    warm_up: float = 0.3
    ema: float = 0.995
    mirror: bool = True
    turn: bool = True
    checkpoint_every: int = 500
    seed: int = 1
    device: Device = "auto"

    def __post_init__(self) -> None:
        ranges = {
            "width": (2, 64), "discriminator_width": (2, 128), "folds": (2, 50), "steps": (1, 10_000_000),
            "batch": (1, 1024), "organ_share": (0.0, 1.0), "organ_drop": (0.0, 1.0), "learning_rate": (1e-7, 1.0),
            "discriminator_rate": (1e-7, 1.0), "log_weight": (0.0, 100.0), "adversarial_weight": (0.0, 100.0),
            "warm_up": (0.0, 1.0), "ema": (0.0, 0.99999), "checkpoint_every": (1, 10_000_000), "seed": (0, 2**31 - 1),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise PredictionError(f"{name} = {getattr(self, name)!r}: give a value from {low:g} to {high:g}.")
        if self.budget_s is not None and not self.budget_s > 0:
            raise PredictionError(f"budget_s = {self.budget_s!r}: give seconds above 0, or leave it out.")
        if not all(1 <= fold <= self.folds for fold in self.train_folds):
            raise PredictionError(f"train_folds = {list(self.train_folds)}: folds are 1 to {self.folds}.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise PredictionError(f"device = {self.device!r}: choose auto, cpu or cuda.")

    @property
    def chosen_folds(self) -> tuple[int, ...]:
        """Numbers of the folds that are trained, from 1."""
        return self.train_folds or tuple(range(1, self.folds + 1))


def default_gan_toml() -> str:
    """The documented file with every choice at its default."""
    return resources.files("RPTDosimetryLib").joinpath("prediction/dosegan.toml").read_text(encoding="utf-8")


def gan_settings_from(table: dict[str, Any], where: str) -> GanSettings:
    """Settings from a table, such as [dosegan] of a TOML file. Raises ConfigurationError for unknown or wrong keys."""
    from pydantic import TypeAdapter, ValidationError

    known = [field.name for field in fields(GanSettings)]
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ConfigurationError(f"{where}: unknown setting {unknown[0]!r}. Known: {', '.join(known)}.")
    try:
        return TypeAdapter(GanSettings).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}: {key} = {first['input']!r}: {first['msg']}.") from error
    except PredictionError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def read_gan_config(path: Path) -> tuple[GanSettings, Path]:
    """Settings from [dosegan] of a TOML file, and its ``patients``: their folder, relative to the file.

    What the table leaves out has its default. Raises ConfigurationError.
    """
    table = read_toml(path)
    patients, chosen = table.pop("patients", None), table.pop("dosegan", {})
    if not isinstance(patients, str) or not isinstance(chosen, dict) or table:
        raise ConfigurationError(
            f'{path}: give patients = "FOLDER" (one folder a patient) and a table [dosegan], nothing else.'
        )
    return gan_settings_from(chosen, f"{path} [dosegan]"), path.parent / patients
