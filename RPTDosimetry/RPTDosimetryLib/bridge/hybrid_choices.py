"""The panel's choices for the engine hybrid: which models there are, what a run lacks, how its dose stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import dependencies
from RPTDosimetryLib.bridge import monte_carlo_choices as monte_carlo
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.errors import ConfigurationError, LearningError
from RPTDosimetryLib.files import user_folder

if TYPE_CHECKING:
    from RPTDosimetryLib.dose.hybrid_settings import HybridSettings

ENGINE = "hybrid"
_CHOICE, _ACCEPTED = "HybridChoice", "GuardAccepted"
_GUARD_SAYS = "Hybrid dose: guard says"  # how the engine's warnings about activity begin
_cards: dict[Path, tuple[int, dict[str, Any]]] = {}  # when a card was written, and what it says


# before a run ---------------------------------------------------------------------------------------------------------


def models() -> dict[str, str]:
    """What can be chosen: the name shown, and what the setting holds (a shipped name, or a folder of the user's)."""
    from RPTDosimetryLib.learning.model_file import CARD, shipped_models

    found = {name: name for name in shipped_models()}
    for card in sorted(users_folder().glob(f"*/{CARD}")):
        found[_("{name} (yours)").format(name=card.parent.name)] = str(card.parent)
    return found


def users_folder() -> Path:
    """Where models of this computer's user are looked for, a folder each."""
    return user_folder("configuration") / "models"


def card_of(case: Case) -> dict[str, Any]:
    """The card of the chosen model. Raises LearningError where there is none that can be read."""
    from RPTDosimetryLib.learning.model_file import CARD, model_folder, read_card

    folder = model_folder(case.parameters.hybrid.model)
    written = (folder / CARD).stat().st_mtime_ns
    if _cards.get(folder, (0, {}))[0] != written:
        _cards[folder] = (written, read_card(folder))
    return _cards[folder][1]


def settings_of(case: Case) -> HybridSettings:
    """HybridSettings of the panel."""
    from RPTDosimetryLib.dose.hybrid_settings import HybridSettings

    chosen = case.parameters.hybrid
    return HybridSettings(chosen.model, chosen.device, chosen.whenOutside.name)


def unavailable(case: Case) -> str:
    """Why the engine cannot be used here whatever is chosen; empty where it can."""
    lacking = dependencies.missing_packages(dependencies.FOR_NETWORKS)[0]
    if lacking:
        names = ", ".join(name.split(">")[0] for name in lacking)
        return _(
            "The engine hybrid needs the Python packages {names}, which Slicer does not bring along: press Install "
            "under Hybrid."
        ).format(names=names)
    return "" if models() else no_model(case)


def no_model(case: Case) -> str:
    """Why the chosen model cannot be used; empty where it can."""
    try:
        card_of(case)
    except LearningError as error:
        told = "" if models() else _(" Put one into {folder}, or choose its folder.").format(folder=users_folder())
        return f"{error}{told}"
    return ""


def missing(case: Case) -> list[str]:
    """Sentences that say what the engine lacks."""
    first = unavailable(case) or no_model(case)
    said = [first] if first else []
    if case.parameters.dose.msvUnscaled:
        said.append(_("The engine hybrid corrects MSV with its density rule: untick Kernels without the density rule."))
    if case.parameters.hybrid.device == "cuda" and (reason := monte_carlo.no_cuda()):
        said.append(_("Networks cannot run on a GPU here. {reason} Or choose the device cpu.").format(reason=reason))
    return said


# how a dose stands ----------------------------------------------------------------------------------------------------


def choice(case: Case) -> str:
    """What changes the dose of this engine and of no other: the settings, and which weights they mean."""
    chosen = case.parameters.hybrid
    try:
        weights = [entry["sha256"] for entry in card_of(case)["members"]]
    except LearningError:  # as in a scene of another computer
        weights = []
    return json.dumps([chosen.model, chosen.device, chosen.whenOutside.name, weights])


def note_choice(node: Any, made_by: str) -> None:
    """Write on a dose of this engine what it was made by."""
    at.write(node, _CHOICE, made_by)


def outdated(case: Case, node: Any) -> bool:
    """Whether a dose of this engine was made by other settings or weights than are chosen now.

    Weights that are not on this computer are not known to be others.
    """
    if at.text(node, "Engine") != ENGINE or not at.text(node, _CHOICE):
        return False
    was, now = json.loads(at.text(node, _CHOICE)), json.loads(choice(case))
    return bool(was[:-1] != now[:-1] or (was[-1] and now[-1] and was[-1] != now[-1]))


def fell_back(node: Any) -> bool:
    """Whether a dose volume holds MSV-8 in place of what was asked for."""
    return at.mapping(node, "Parameters").get("fell_back") is True


def verdict(node: Any) -> str:
    """What the guard says of a dose of this engine, in a sentence; empty for doses of others."""
    told = at.mapping(node, "Parameters")
    guard = told.get("guard")
    if at.text(node, "Engine") != ENGINE or not isinstance(guard, dict):
        return ""
    if told.get("fell_back"):
        why = "; ".join(told.get("reasons", ()))
        return _("NOT CORRECTED: this dose is MSV-8 in place of the hybrid. The model does not fit: {why}.").format(
            why=why
        )
    if _of_rates(node):
        return _("Guard, of the dose rate of one time point or more: {why} The dose is corrected all the same.").format(
            why=" ".join(_of_rates(node))
        )
    if guard["verdict"] == "inside":
        return _("Guard: the patient is inside the range of the training's patients.")
    where = {"edge": _("at the edge of training"), "outside": _("OUTSIDE training")}[guard["verdict"]]
    why = "; ".join(guard["reasons"])
    return _("Guard: {where}. {why}. The dose is corrected all the same.").format(where=where, why=why)


def to_review(node: Any) -> bool:
    """Whether somebody has to accept what the guard says of a dose."""
    guard = at.mapping(node, "Parameters").get("guard")
    if at.text(node, "Engine") != ENGINE or not isinstance(guard, dict):
        return False
    doubtful = fell_back(node) or guard["verdict"] != "inside" or bool(_of_rates(node))
    return doubtful and not accepted(node)


def _of_rates(node: Any) -> list[str]:
    """What the guard said of any time point of a dose integrated from rates; the parameters are those of the first."""
    if "integrated" not in at.mapping(node, "Parameters"):
        return []
    return [text for text in at.lines(node, "Warnings") if text.startswith(_GUARD_SAYS)]


def accepted(node: Any) -> dict[str, Any]:
    """Who accepted the dose in spite of the guard, and when; empty while nobody has."""
    return at.mapping(node, _ACCEPTED)


def accept(case: Case, node: Any) -> None:
    """Note that the reviewer of step Segmentation accepts the dose. Raises ConfigurationError without a name."""
    reviewer = case.parameters.segmentation.reviewer.strip()
    if not reviewer:
        raise ConfigurationError(_("Write the name of the reviewer in step Segmentation first."))
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    at.write(node, _ACCEPTED, {"reviewer": reviewer, "time": now})


def volume_figures(node: Any) -> dict[str, dict[str, Any]]:
    """Of each volume its mean before the correction and the spread of the networks' means [Gy], where there are any."""
    if at.text(node, "Engine") != ENGINE:
        return {}
    return dict(at.mapping(node, "Parameters").get("volumes") or {})
