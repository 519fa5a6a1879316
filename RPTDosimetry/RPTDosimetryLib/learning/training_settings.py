"""What a training does: one TOML file, checked before anything is read (its documented default is train.toml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal

from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.files import read_toml


class Strict:
    """A section refuses keys that it does not know."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}


@dataclass(frozen=True)
class NetworkChoice(Strict):
    """Which network, with the options of its builder (channels, feature_size, …) where they are not the default.

    start: name or folder of a model of that network; members go on from its members' weights, in turn. Empty: anew.
    """

    name: str = "linear_kernel"
    options: dict[str, Any] = field(default_factory=dict)
    start: str = ""


@dataclass(frozen=True)
class PatientsChoice(Strict):
    """Who is trained on: a folder with one folder a patient, and how it is divided.

    splits: only patients of these splits are used, for training and validation. folds: the patients are dealt into so
    many parts, cycles of one patient never apart; a member is trained on all parts but one, which judges it; 1: one
    member trained on all, judged on them. only_folds: the members trained now (from 0); empty: all. most: at most so
    many patients (0: all), for trials.
    """

    folder: Path = Path("cohort")
    splits: tuple[str, ...] = ("train", "validation")
    folds: int = 5
    only_folds: tuple[int, ...] = ()
    most: int = 0


@dataclass(frozen=True)
class LossChoice(Strict):
    """What is made small (losses.py).

    kind: weighted, l1, mse, or published: that of the network's paper. floor_share: of the highest MSV dose, added to
    the dose that an error is divided by. error_share: voxels whose Monte Carlo standard error is this share of that
    dose count half. vois: weight of the errors of mean doses of volumes. interfaces: extra weight of voxels at steps of
    density.
    """

    kind: Literal["published", "weighted", "l1", "mse"] = "published"
    floor_share: float = 0.003
    error_share: float = 0.05
    vois: float = 0.5
    interfaces: float = 1.0


@dataclass(frozen=True)
class FitChoice(Strict):
    """How it is made small.

    patch_zyx: voxels of a sample (2-D networks: y and x); batch: samples a step. steps: at most so many; max_minutes:
    wall-clock limit of each member (0: none), into which the learning rate's course is fitted. schedule: cosine (with a
    rise over the first 5 %) or constant. ema: decay of the running mean of the weights that is judged and shipped (0:
    none). precision: fp32, bf16 or fp16 (the last two on a GPU). flips, turns: mirrored and turned by 90° in the axial
    plane at random. only_head: the last layer alone is trained, the rest stays as it starts: quick, to go on from a
    model. validate_every: steps between judgements; patience: judgements without gain before it stops (0: never).
    checkpoint_minutes: what is lost at most when it is interrupted. parallel: members trained at once, each in
    a process of its own.
    """

    device: str = "cpu"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    patch_zyx: tuple[int, int, int] = (64, 64, 64)
    margin: int = 4
    batch: int = 2
    steps: int = 2000
    max_minutes: float = 0.0
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "constant"] = "cosine"
    gradient_limit: float = 1.0
    ema: float = 0.995
    flips: bool = True
    turns: bool = True
    only_head: bool = False
    validate_every: int = 500
    validate_most: int = 4
    patience: int = 0
    checkpoint_minutes: float = 1.0
    parallel: int = 1
    seed: int = 1


@dataclass(frozen=True)
class CardChoice(Strict):
    """What the model card says of itself."""

    name: str = "model"
    purpose: str = "Voxel doses of [177Lu]Lu-DOTATATE: MSV corrected towards Monte Carlo."
    licence: str = "Apache-2.0"
    notes: str = ""


@dataclass(frozen=True)
class TrainSettings(Strict):
    """One section of the file a field."""

    network: NetworkChoice = field(default_factory=NetworkChoice)
    patients: PatientsChoice = field(default_factory=PatientsChoice)
    loss: LossChoice = field(default_factory=LossChoice)
    fit: FitChoice = field(default_factory=FitChoice)
    card: CardChoice = field(default_factory=CardChoice)

    def as_record(self) -> dict[str, Any]:
        """As plain values, for checkpoints and cards."""
        record = asdict(self)
        record["patients"]["folder"] = str(self.patients.folder)
        return record


def default_train_toml() -> str:
    """The documented file with every choice at its default."""
    return resources.files("RPTDosimetryLib").joinpath("learning/train.toml").read_text(encoding="utf-8")


def read_train_settings(path: Path) -> TrainSettings:
    """Settings from a TOML file; what it leaves out has its default. A relative folder is relative to the file.

    Raises ConfigurationError: no such file, not TOML, an unknown key, a value of the wrong kind or out of range.
    """
    return train_settings_from(read_toml(path), str(path), path.parent)


def train_settings_from(table: dict[str, Any], where: str, folder: Path | None = None) -> TrainSettings:
    """Settings from nested tables. Raises ConfigurationError."""
    from dataclasses import replace

    from pydantic import TypeAdapter, ValidationError

    try:
        settings: TrainSettings = TypeAdapter(TrainSettings).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = f" Known: {', '.join(_known(first['loc']))}." if first["type"] == "unexpected_keyword_argument" else ""
        raise ConfigurationError(f"{where}: {key} = {first['input']!r}: {first['msg']}.{known}") from error
    if folder is not None:
        patients = replace(settings.patients, folder=folder / settings.patients.folder)
        settings = replace(settings, patients=patients)
    _require_sense(settings, where)
    return settings


def _known(location: tuple[int | str, ...]) -> list[str]:
    record: Any = TrainSettings()
    for part in location[:-1]:
        record = getattr(record, str(part))
    return sorted(record.__dataclass_fields__)


def _require_sense(settings: TrainSettings, where: str) -> None:
    fit, patients = settings.fit, settings.patients
    rules = {
        "fit.batch": (fit.batch >= 1, fit.batch, "at least 1"),
        "fit.steps": (fit.steps >= 1, fit.steps, "at least 1"),
        "fit.patch_zyx": (min(fit.patch_zyx) >= 1, fit.patch_zyx, "at least 1 voxel a side"),
        "fit.learning_rate": (0.0 < fit.learning_rate < 1.0, fit.learning_rate, "between 0 and 1"),
        "fit.ema": (0.0 <= fit.ema < 1.0, fit.ema, "0 (none) to below 1"),
        "fit.precision": (
            fit.precision == "fp32" or fit.device.startswith("cuda"),
            fit.precision,
            "fp32 unless device is cuda",
        ),
        "fit.parallel": (fit.parallel >= 1, fit.parallel, "at least 1"),
        "patients.folds": (patients.folds >= 1, patients.folds, "at least 1"),
        "patients.only_folds": (
            all(0 <= fold < patients.folds for fold in patients.only_folds),
            patients.only_folds,
            f"folds from 0 to {patients.folds - 1}",
        ),
        "loss.floor_share": (settings.loss.floor_share > 0.0, settings.loss.floor_share, "above 0"),
        "loss.error_share": (settings.loss.error_share > 0.0, settings.loss.error_share, "above 0"),
    }
    for key, (holds, value, wanted) in rules.items():
        if not holds:
            raise ConfigurationError(f"{where}: {key} = {value}: give {wanted}.")
