"""A trained DoseGAN on disk: one safetensors file a fold and card.json, which says what it knows and how well."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.prediction.gan_networks import build_generator, parameter_count

FORMAT: Final = "rptdosimetry-dosegan-1"
CARD: Final = "card.json"


@dataclass(frozen=True)
class GanModel:
    """Generators of the folds (averaged weights, ready to predict) and the model card."""

    name: str
    generators: tuple[Any, ...]
    card: Mapping[str, Any]
    device: Any


def shipped_gan_model() -> Path:
    """Folder of the model that comes with the library. Raises PredictionError where none does."""
    found = sorted((Path(__file__).parent / "models").glob(f"*/{CARD}"))
    if not found:
        raise PredictionError(
            "No DoseGAN comes with this installation: train one (rptdosimetry train --task predict), give its folder."
        )
    return found[0].parent


def torch_device(choice: str) -> Any:
    """The device for auto, cpu or cuda. Raises PredictionError for CUDA asked for and absent, or without torch."""
    try:
        import torch
    except ImportError as error:
        raise PredictionError("DoseGAN needs PyTorch: pip install 'slicer-rpt-dosimetry[dl]'.") from error
    if choice == "cuda" and not torch.cuda.is_available():
        raise PredictionError("device = cuda, but PyTorch sees no CUDA GPU here: check the driver, or choose cpu.")
    return torch.device("cuda" if choice == "cuda" or (choice == "auto" and torch.cuda.is_available()) else "cpu")


def write_weights(generator: Any, path: Path) -> dict[str, Any]:
    """The generator's numbers as half-precision safetensors, whole or not at all; what the card says of the file.

    Half precision costs 0.05 % a weight and halves the file; figures on the card are of the file as written.
    """
    import torch
    from safetensors.torch import save

    buffers = {name for name, _ in generator.named_buffers()}
    half = {
        name: value.detach().cpu().to(torch.float32 if name in buffers else torch.float16).contiguous()
        for name, value in generator.state_dict().items()
    }
    content = save(half, metadata={"format": FORMAT})
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "parameters": parameter_count(generator),
    }


def read_weights(
    path: Path, width: int, organs: int, air_below_hu: float, device: Any, sha256: str | None = None
) -> Any:
    """A generator with the file's numbers; nothing in the file is executed.

    Raises PredictionError: no such file, another than the card names, damaged, or of another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = path.read_bytes()
    except OSError as error:
        raise PredictionError(f"{path} cannot be read: {error.strerror}. Install the model again.") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise PredictionError(f"{path} is not the file its model card describes (SHA-256): install the model again.")
    generator = build_generator(width, 0, [1.0] * (organs + 1), air_below_hu)
    try:
        numbers = {name: value.float() for name, value in load(content).items()}
        generator.load_state_dict(numbers)
    except (SafetensorError, KeyError, ValueError) as error:
        raise PredictionError(f"{path} is damaged: {error}. Install the model again.") from error
    except RuntimeError as error:
        raise PredictionError(
            f"{path} holds another architecture than DoseGAN of width {width} for {organs} organs: {error}"
        ) from error
    if not all(bool(value.isfinite().all()) for value in numbers.values()):
        raise PredictionError(f"{path} holds weights that are not numbers: install the model again.")
    import torch

    return generator.to(device, memory_format=torch.channels_last_3d).eval()


def write_card(card: Mapping[str, Any], folder: Path) -> None:
    """card.json, whole or not at all."""
    with whole_file(folder / CARD) as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """The model card. Raises PredictionError: none there, not JSON, or of another kind of model."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PredictionError(f"{folder / CARD} cannot be read ({error}): is this the folder of a model?") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise PredictionError(f"{folder / CARD} is not the card of a DoseGAN ({FORMAT}).")
    return card


def read_gan_model(folder: Path, device: str = "auto", folds: Sequence[int] | None = None) -> GanModel:
    """A model from its folder, or some of its folds (from 1). Raises PredictionError."""
    card, where = read_card(folder), torch_device(device)
    try:
        chosen = [w for w in card["weights"] if folds is None or w["fold"] in folds]
        generators = tuple(
            read_weights(
                folder / w["file"], card["width"], len(card["organs"]), card["air_below_hu"], where, w["sha256"]
            )
            for w in chosen
        )
    except (KeyError, TypeError) as error:
        raise PredictionError(f"{folder / CARD} lacks {error}: install the model again.") from error
    if not generators:
        raise PredictionError(f"{folder} holds no weights for folds {folds or 'of any number'}.")
    return GanModel(card.get("name", folder.name), generators, card, where)
