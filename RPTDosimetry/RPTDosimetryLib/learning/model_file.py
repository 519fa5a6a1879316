"""A model on disk: a folder with card.json, the same as Markdown, and one safetensors file a member.

Loading reads numbers only: no code is executed. Each file's SHA-256 is compared with the card's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.errors import LearningError
from RPTDosimetryLib.files import whole_file, whole_folder
from RPTDosimetryLib.learning.network_registry import NetworkKind, network_kind, parameter_count

CARD: Final = "card.json"
FORMAT: Final = 1
_NEEDED: Final = ("format", "name", "network", "options", "nuclide", "spacing_mm", "members", "guard")


@dataclass(frozen=True)
class Model:
    """A model ready to use: its card, its kind of network, one torch module a member."""

    card: Mapping[str, Any]
    kind: NetworkKind
    modules: tuple[Any, ...]
    folder: Path


def shipped_models() -> dict[str, Path]:
    """Folders of the models that come with the library, by name."""
    folder = Path(str(resources.files("RPTDosimetryLib"))) / "learning" / "models"
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{CARD}"))}


def model_folder(name: str) -> Path:
    """The folder of a shipped model's name, or of a path. Raises LearningError with the known names."""
    shipped = shipped_models()
    if name in shipped:
        return shipped[name]
    if (Path(name) / CARD).is_file():
        return Path(name)
    known = ", ".join(shipped) or "none"
    raise LearningError(f"There is no model {name!r}. Shipped: {known}; or give a folder that holds {CARD}.")


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model. Raises LearningError: unreadable, a later format, a field missing."""
    path = folder / CARD
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LearningError(f"{path} is not a readable model card ({error}).") from error
    missing = [key for key in _NEEDED if not isinstance(card, dict) or key not in card]
    if missing:
        raise LearningError(f"{path} is no model card: it lacks {', '.join(missing)}.")
    if card["format"] != FORMAT:
        raise LearningError(f"{path} has format {card['format']}; this version reads {FORMAT}. Update the extension.")
    return card


def read_model(name: str, device: str = "cpu") -> Model:
    """A model by name or folder, in evaluation mode on the device.

    Raises LearningError: unknown, damaged file, other hash than the card's, weights of another architecture.
    """
    from RPTDosimetryLib.learning.networks.blocks import folded
    from RPTDosimetryLib.learning.torch_here import device_of, require_torch

    require_torch()
    folder = model_folder(name)
    card = read_card(folder)
    kind = network_kind(card["network"])
    place = device_of(device)
    modules = [folded(_member(folder, entry, kind, card)).to(place) for entry in card["members"]]
    return Model(card, kind, tuple(modules), folder)


def starting_weights(name: str, network: str, options: Mapping[str, Any], member: int) -> dict[str, Any]:
    """Weights of a member of a model (counted on from its first when there are fewer), for a training to go on from.

    Raises LearningError besides what read_model raises: the model is of another network or other options.
    """
    folder = model_folder(name)
    card = read_card(folder)
    plain = json.loads(json.dumps(dict(options)))  # as a card holds them: lists for tuples
    if (card["network"], card["options"]) != (network, plain):
        raise LearningError(
            f"network.start = {name!r} is {card['network']} with {card['options']}, the training {network} with "
            f"{plain}: only the same network can go on."
        )
    entries = card["members"]
    weights: dict[str, Any] = _member(folder, entries[member % len(entries)], network_kind(network), card).state_dict()
    return weights


def _member(folder: Path, entry: Mapping[str, Any], kind: NetworkKind, card: Mapping[str, Any]) -> Any:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    path, sha256 = folder / entry["file"], entry["sha256"]
    if path.name != Path(path.name).name or path.suffix != ".safetensors" or path.parent.name == "..":
        raise LearningError(f"{path} is not a file of weights beside its card.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LearningError(
            f"The weights {path} cannot be read ({error.strerror}). Install the model again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise LearningError(
            f"The weights {path} are not those of the card: SHA-256 {found[:12]}… instead of {sha256[:12]}…. The "
            "file is damaged or was exchanged; install the model again."
        )
    try:
        weights = {key: value.float() if value.is_floating_point() else value for key, value in load(content).items()}
    except SafetensorError as error:
        raise LearningError(f"{path} is no safetensors file ({error}). Install the model again.") from error
    module = kind.module(card["options"])
    wanted = module.state_dict()
    wrong = sorted(set(wanted) ^ set(weights)) or [n for n in wanted if wanted[n].shape != weights[n].shape]
    if wrong:
        raise LearningError(
            f"{path} holds weights of another architecture than {kind.name} with {dict(card['options'])}: {wrong[0]} "
            f"and {len(wrong) - 1} more do not fit."
        )
    if any(not torch.isfinite(value).all() for value in weights.values() if value.is_floating_point()):
        raise LearningError(f"{path} holds weights that are NaN or infinite. Train the model again.")
    module.load_state_dict(weights)
    return module


def write_model(
    folder: Path, card: Mapping[str, Any], members: Sequence[Mapping[str, Any]], half: bool = True
) -> dict[str, Any]:
    """Weights of all members beside card["members"], and both cards. half: weights in 16 bits (a 1e-3 rounding).

    Running statistics of batch norm and buffers stay in 32 bits.
    """
    from safetensors.torch import save

    entries = []
    kind = network_kind(card["network"])
    module = kind.module(card["options"])
    trained = {name for name, _ in module.named_parameters()}
    with whole_folder(folder) as temporary:
        for entry, weights in zip(card["members"], members, strict=True):
            small = {
                name: (v.half() if half and name in trained else v).contiguous().clone() for name, v in weights.items()
            }
            content = save(small)
            file = f"member_{entry['fold']}.safetensors"
            (temporary / file).write_bytes(content)
            entries.append(
                {**entry, "file": file, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            )
        whole = {"format": FORMAT, **card, "parameters": parameter_count(module), "members": entries}
        (temporary / CARD).write_text(json.dumps(whole, indent=1, ensure_ascii=False, default=str), encoding="utf-8")
        (temporary / "card.md").write_text(card_text(whole), encoding="utf-8")
    return whole


def rewrite_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Other words or figures for the same weights."""
    with whole_file(folder / CARD) as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False, default=str), encoding="utf-8")
    with whole_file(folder / "card.md") as temporary:
        temporary.write_text(card_text(card), encoding="utf-8")


def card_text(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    lines = [f"# Model card: {card['name']}", "", str(card.get("purpose", "")), ""]
    figures = card.get("figures", {})
    rows = {
        "network": f"{card['network']} ({card.get('source', '')}), {card.get('parameters', 0):,} parameters a member",
        "members": f"{len(card['members'])}, each trained without the patients that judged it",
        "nuclide": card["nuclide"],
        "voxels": " × ".join(f"{mm:g}" for mm in card["spacing_mm"]) + " mm",
        "trained on": card.get("data", {}).get("text", ""),
        "trained with": card.get("training", {}).get("text", ""),
        "bound": card.get("limits", {}).get("bound", ""),
        "licence": card.get("licence", ""),
        "made": card.get("made", ""),
    }
    lines += ["| | |", "|---|---|", *[f"| {key} | {value} |" for key, value in rows.items() if value != ""], ""]
    if figures:
        lines += ["## On patients left out of each member's training", "", "| | network | MSV-8 |", "|---|---|---|"]
        names = {
            "rae_percent": "RAE of voxels ≥ 1 % of the maximum [%]",
            "voi_percent": "mean absolute error of volumes' mean doses [%]",
        }
        lines += [f"| {text} | {figures[key]:.2f} | {figures['msv_' + key]:.2f} |" for key, text in names.items()]
        lines += [""]
    for title, key in (("Limits", "limits"), ("Notes", "notes")):
        text = card.get(key, {}).get("text", "") if isinstance(card.get(key), Mapping) else card.get(key, "")
        if text:
            lines += [f"## {title}", "", str(text), ""]
    lines += ["## Files", "", "| file | SHA-256 |", "|---|---|"]
    lines += [f"| {entry['file']} | `{entry['sha256']}` |" for entry in card["members"]]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"
