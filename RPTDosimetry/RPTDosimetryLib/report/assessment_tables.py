"""Tables and maps of the assessment: radiobiology, limits, uncertainty, protection."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.radiobiology.organ_effects import BED_METHOD
from RPTDosimetryLib.report.notice import notice
from RPTDosimetryLib.report.outcome import Outcome
from RPTDosimetryLib.report.provenance import json_text
from RPTDosimetryLib.report.tables import write_rows
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.text import aligned

RADIOBIOLOGY, LIMITS, UNCERTAINTY = "radiobiology.csv", "limits.csv", "uncertainty.csv"
PROTECTION, CUMULATIVE = "radiation_protection.json", "cumulative_dose_gy.nrrd"
BED, EQD2, CUMULATIVE_BED = "bed_gy.nrrd", "eqd2_gy.nrrd", "cumulative_bed_gy.nrrd"
CUMULATIVE_METHOD: Final = (
    "Sum of the absorbed doses of all cycles that were given, on the present grid; NaN: not seen."
)
#: Maps that an assessment may have, by their field of Outcome: file, and how they are made.
MAPS: Final = {
    "bed": (BED, BED_METHOD),
    "eqd2": (EQD2, f"EQD2 = BED/(1 + 2 Gy/(α/β)). {BED_METHOD}"),
    "cumulative_dose": (CUMULATIVE, CUMULATIVE_METHOD),
    "cumulative_bed": (CUMULATIVE_BED, f"Sum over the cycles, each with its G. {BED_METHOD}"),
}
DESCRIBED: Final = {
    RADIOBIOLOGY: "BED, EQD2, gEUD, all cycles",
    LIMITS: "Planning limits and margins",
    UNCERTAINTY: "Uncertainty, share by share",
    PROTECTION: "Radiation protection",
    BED: "Biologically effective dose",
    EQD2: "The same in 2 Gy fractions",
    CUMULATIVE: "Absorbed dose of all cycles",
    CUMULATIVE_BED: "BED of all cycles",
}


def write_assessment(outcome: Outcome, folder: Path) -> None:
    """Write what there is: tables of what was assessed, maps where they could be made."""
    if outcome.radiobiology:
        write_rows(effect_rows(outcome), folder / RADIOBIOLOGY)
    if outcome.limits:
        write_rows([row.answer() for row in outcome.limits], folder / LIMITS)
    if outcome.uncertainty:
        write_rows(share_rows(outcome), folder / UNCERTAINTY)
    if outcome.protection is not None:
        told = ({"notice": notice()} if notice() else {}) | outcome.protection.answer()
        with whole_file(folder / PROTECTION) as temporary:
            temporary.write_text(json_text(told) + "\n", encoding="utf-8")
    for kind, (name, method) in MAPS.items():
        image = getattr(outcome, kind)
        if image is not None:
            write_image(image, folder / name, method)


def written_by(outcome: Outcome) -> dict[str, str]:
    """Files that write_assessment writes, and what they are."""
    there = {
        RADIOBIOLOGY: bool(outcome.radiobiology),
        LIMITS: bool(outcome.limits),
        UNCERTAINTY: bool(outcome.uncertainty),
        PROTECTION: outcome.protection is not None,
        BED: outcome.bed is not None,
        EQD2: outcome.eqd2 is not None,
        CUMULATIVE: outcome.cumulative_dose is not None,
        CUMULATIVE_BED: outcome.cumulative_bed is not None,
    }
    return {name: text for name, text in DESCRIBED.items() if there[name]}


def assessment_answer(outcome: Outcome) -> dict[str, Any]:
    """JSON-ready: every record of the assessment but the maps."""
    return {
        "radiobiology": [effect.answer() for effect in outcome.radiobiology],
        "cumulative": [total.answer() for total in outcome.cumulative],
        "limits": [row.answer() for row in outcome.limits],
        "uncertainty": [budget.answer() for budget in outcome.uncertainty],
        "protection": None if outcome.protection is None else outcome.protection.answer(),
    }


def effect_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """One row a volume: this cycle, then all cycles."""
    return [
        effect.answer()
        | {
            "cycles": total.cycles,
            "cumulative_gy": total.dose_gy,
            "cumulative_u_gy": total.dose_u_gy,
            "cumulative_bed_gy": total.bed_gy,
            "cumulative_bed_u_gy": total.bed_u_gy,
        }
        for effect, total in zip(outcome.radiobiology, outcome.cumulative, strict=True)
    ]


def share_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """One row a volume and cause, of the mean as imaged and of the recovered one; causes that are missing are named."""
    rows: list[dict[str, Any]] = []
    for budget in outcome.uncertainty:
        for mean, gray, u, shares in (
            ("as imaged", budget.mean_gy, budget.mean_u_gy, budget.shares),
            ("recovered", budget.mean_recovered_gy, budget.mean_recovered_u_gy, budget.recovered_shares),
        ):
            rows += [
                {
                    "name": budget.name,
                    "mean": mean,
                    "mean_gy": gray,
                    "mean_u_gy": u,
                    "cause": share.cause,
                    "relative_u": share.relative_u,
                    "percent_of_variance": share.percent_of_variance,
                    "how": share.how,
                }
                for share in shares
            ]
        rows += [
            dict.fromkeys(("name", "mean", "mean_gy", "mean_u_gy", "cause", "relative_u", "percent_of_variance", "how"))
            | {"name": budget.name, "cause": "not included", "how": text}
            for text in budget.not_included
        ]
    return rows


def assessment_text(outcome: Outcome) -> str:
    """Limits as a terminal shows them: arithmetic, never advice."""
    if not outcome.limits:
        return ""
    head = ("Limit of", "Gy", "", "all cycles Gy", "left Gy", "arithmetic")
    lines = [
        (row.name, f"{row.limit_gy:g}", row.quantity, _figure(row.cumulative_gy), _figure(row.remaining_gy),
         " | ".join(text for text in (row.arithmetic, row.note) if text))
        for row in outcome.limits
    ]  # fmt: skip
    return (
        aligned([head, *lines], "left") + "\nPlanning limits with their sources (limits.csv); arithmetic, not advice."
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
