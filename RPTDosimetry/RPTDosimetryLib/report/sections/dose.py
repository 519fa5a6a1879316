"""Absorbed dose: the table with ±, the map in three planes with its projection, and the histograms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from RPTDosimetryLib.report.document import Block, Figure, Heading, KeyValues, Paragraph, Table, figure_text, with_error
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.report.sections.uncertainty import combined_se_gy

#: What stands behind a figure after ±.
WHAT_IS_SAID = {
    "combined": "± is the combined standard uncertainty (1 σ) as far as its budget goes; section Uncertainty "
    "says what is not in it.",
    "statistical": "± is the statistical error of the Monte Carlo run alone (1 σ), not the whole uncertainty.",
    "none": "No uncertainty was computed for this dose: the figures carry no ±.",
}


def result_blocks(record: RunRecord) -> list[Block]:
    """The figures that a physician reads first, on the first page."""
    errors, kind = errors_gy(record)
    reviewers = {voi["name"]: voi["review"]["reviewer"] for voi in record.step("vois") if voi["review"]}
    rows = tuple(
        (
            row["name"],
            _figure(row["volume_ml"]),
            with_error(float(row["mean_gy"]), errors.get(row["name"])),
            _figure(row["gy_per_gbq"]),
            reviewers.get(row["name"], "NOT REVIEWED"),
        )
        for row in record.rows("organ_doses.csv")
    )
    columns = ("VOI", "volume [mL]", "mean absorbed dose [Gy]", "per activity [Gy/GBq]", "reviewed by")
    return [
        Heading("Result"),
        Table(columns, rows, "", (14, 8, 14, 14, 13), (0, 4)),
        Paragraph(WHAT_IS_SAID[kind], small=True),
    ]


def dose_blocks(record: RunRecord) -> list[Block]:
    """Method, table, pictures."""
    step, rows = record.step("dose"), record.rows("organ_doses.csv")
    errors, kind = errors_gy(record)
    method = KeyValues(
        (("Engine", step["engine"]), ("Nuclide", step["nuclide"]), ("Method", step["method"]), *_density(record),
         *_network(step.get("parameters") or {}))
    )  # fmt: skip
    columns = (
        *("VOI", "mass [g]", "Ã/A0 [h]", "mean [Gy]", "D98 [Gy]", "D50 [Gy]", "D2 [Gy]", "lowest [Gy]", "highest [Gy]"),
        "[Gy/GBq]",
    )
    told = tuple(
        (
            row["name"],
            _figure(row["mass_g"]),
            "–" if not row["tia_coefficient_s"] else f"{float(row['tia_coefficient_s']) / 3600:.3g}",
            with_error(float(row["mean_gy"]), errors.get(row["name"])),
            *(_figure(row[key]) for key in ("d98_gy", "d50_gy", "d2_gy", "minimum_gy", "maximum_gy", "gy_per_gbq")),
        )
        for row in rows
    )
    note = Paragraph(
        f"{WHAT_IS_SAID[kind]} Mean: energy over mass (air left out). D98, D50, D2: dose that 98, 50, 2 % of the "
        "volume receive at least. Ã/A0: time-integrated activity coefficient.",
        small=True,
    )
    figures = [
        Figure(
            record.file("dose_overlay.png"),
            "Absorbed dose over anatomy in three planes and as coronal maximum projection; the patient's right is on "
            "the left (radiological).",
            0.75,
        ),
        Figure(record.file("dvh.png"), "Dose-volume histograms.", 0.45),
    ]
    return [
        Heading("Absorbed dose"),
        method,
        Table(columns, told, "", (14, 7, 6.5, 12, 7.2, 7, 7, 7.5, 8, 8)),
        note,
        *_recovered(rows),
        *figures,
    ]


def errors_gy(record: RunRecord) -> tuple[dict[str, float], str]:
    """1 σ of the mean dose by VOI, and what it is: a key of WHAT_IS_SAID. The combined one wins where it exists."""
    combined = combined_se_gy(record)
    if combined:
        return combined, "combined"
    statistical = {row["name"]: float(row["mean_se_gy"]) for row in record.rows("organ_doses.csv") if row["mean_se_gy"]}
    return statistical, "statistical" if statistical else "none"


def _density(record: RunRecord) -> tuple[tuple[str, str], ...]:
    density: Mapping[str, Any] = record.step("density")
    return (("Density", str(density["source"])), ("Media", str(density["scheme"])))


def _network(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Model card and guard of a dose that a network corrected, or was kept from correcting."""
    model, guard = parameters.get("model"), parameters.get("guard")
    if not isinstance(model, Mapping) or not isinstance(guard, Mapping):
        return ()
    figures = model.get("figures") or {}
    told = [("Network", f"model {model['name']} ({model['network']}), made {model.get('made', 'at an unknown date')}; "
             f"licence {model.get('licence') or 'not stated'}")]  # fmt: skip
    if {"voi_percent", "msv_voi_percent"} <= set(figures):
        told.append(
            ("Its error", "mean doses of volumes against Monte Carlo, in patients left out of its training: "
             f"{figures['voi_percent']:.2f} %, MSV-8 {figures['msv_voi_percent']:.2f} %")
        )  # fmt: skip
    reasons = "; ".join(guard["reasons"])
    where = {"edge": "at the edge of"}.get(guard["verdict"], guard["verdict"])
    state = "not used, the dose is MSV-8" if parameters.get("fell_back") else "used"
    told.append(("Guard", f"patient {where} training; the network was {state}{f' ({reasons})' if reasons else ''}"))
    return tuple(told)


def _recovered(rows: list[dict[str, str]]) -> list[Block]:
    told = tuple(
        (
            row["name"],
            _figure(row["volume_ml"]),
            _figure(row["recovery_coefficient"]),
            _figure(row["mean_gy"]),
            _figure(row["mean_recovered_gy"]),
        )
        for row in rows
        if row["recovery_coefficient"]
    )
    columns = ("VOI", "volume [mL]", "recovery coefficient", "mean [Gy]", "mean / coefficient [Gy]")
    if not told:
        return [Paragraph("Partial volume: no recovery curve was known, no mean is corrected for it.", small=True)]
    return [Table(columns, told, "Means corrected for partial volume")]


def _figure(text: str) -> str:
    return figure_text(float(text)) if text else "–"
