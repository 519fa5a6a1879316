"""Calibration, and whether the time points were brought onto each other well."""

from __future__ import annotations

from RPTDosimetryLib.report.document import Block, Figure, Heading, Paragraph, Table, figure_text
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H


def calibration_blocks(record: RunRecord) -> list[Block]:
    """Counts to activity, and the total against what was administered and has decayed."""
    rows = tuple(
        (
            str(total["number"]),
            f"{total['time_s'] / S_PER_H:.4g}",
            f"{total['total_activity_bq'] / BQ_PER_MBQ:.4g}",
            "–" if total["expected_bq"] is None else f"{total['expected_bq'] / BQ_PER_MBQ:.4g}",
            "–" if total["ratio"] is None else f"{total['ratio']:.3f}",
        )
        for total in record.step("total_activity")
    )
    columns = ("no.", "time [h]", "in the image [MBq]", "administered, decayed [MBq]", "ratio")
    how = dict.fromkeys(total["calibration"] for total in record.step("total_activity"))
    said = [Paragraph(f"Calibration: {'; '.join(how) or 'not given'}.")]
    note = Paragraph(
        "The ratio falls below 1 as activity is excreted, decays to other places, or lies outside the field of view.",
        small=True,
    )
    table: list[Block] = [Table(columns, rows, "Activity by time point", (3, 6, 9, 12, 6)), note] if rows else []
    return [Heading("Calibration"), *said, *table]


def registration_blocks(record: RunRecord) -> list[Block]:
    """Figures of each alignment, and the pictures that show it."""
    step = record.step("registration")
    rows = tuple(
        (
            f"{number} (reference)" if number == step["reference"] else str(number),
            found["method"],
            found["through"].upper(),
            f"{found['displacement_mm']:.1f}",
            f"{found['rotation_deg']:.1f}",
            f"{found['correlation_before']:.2f} → {found['correlation_after']:.2f}",
            f"{found['mutual_information_before']:.2f} → {found['mutual_information_after']:.2f}",
            figure_text(found["detail_correlation"], 2),
            f"{100 * found['cut_fraction']:.1f}",
        )
        for number, found in enumerate(step["alignments"], start=1)
    )
    columns = (
        *("time point", "method", "through", "moved [mm]", "turned [°]", "correlation", "mutual information [nats]"),
        *("of detail", "activity cut [%]"),
    )
    figures = [
        Figure(
            record.file(name),
            f"Time point {number} on the reference, before and after; the patient's right is left.",
            0.455,
        )
        for number in range(1, len(rows) + 1)
        if record.has(name := f"registration_{number}.png")
    ]
    return [Heading("Registration"), Table(columns, rows, "", (10, 8, 8, 7, 7, 12, 13, 7, 8), (0, 1, 2)), *figures]
