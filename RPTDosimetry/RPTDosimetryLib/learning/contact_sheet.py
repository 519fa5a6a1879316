"""A page of virtual patients to look at: CT and activity of each, as a radiologist hangs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.learning.cohort import CohortPatient

WINDOW_HU: Final = (-350.0, 350.0)
ROWS: Final = ("CT, through the kidneys", "Ã, summed front to back", "CT, largest liver", "CT, kidneys")
SCALE_MM: Final = 100.0
COLUMNS: Final = 6
INCHES_PER_MM: Final = 0.0060
#: Few, so that the file stays small.
COLOURS: Final = 40


def write_contact_sheet(patients: Sequence[CohortPatient], path: Path) -> None:
    """A PNG of four pictures for each patient, six patients in a row, all at one scale. Raises ReportError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bands = [patients[n : n + COLUMNS] for n in range(0, len(patients), COLUMNS)]
    sizes_mm = [_sizes_mm(band) for band in bands]
    width_mm = max(sum(widths) for widths, _ in sizes_mm)
    figure = Figure(
        figsize=(INCHES_PER_MM * width_mm, INCHES_PER_MM * sum(sum(heights) for _, heights in sizes_mm)),
        facecolor="black",
    )
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(bands), 1, squeeze=False, height_ratios=[sum(h) for _, h in sizes_mm])
    for part, band, (widths, heights) in zip(parts[:, 0], bands, sizes_mm, strict=True):
        part.set_facecolor("black")
        _draw_band(part, band, widths, heights)
        part.subplots_adjust(0.0, 0.0, sum(widths) / width_mm, 0.975, 0.0, 0.0)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=100, facecolor="black")


def _draw_band(part: Any, band: Sequence[CohortPatient], widths_mm: list[float], heights_mm: list[float]) -> None:
    axes = part.subplots(len(ROWS), len(band), squeeze=False, width_ratios=widths_mm, height_ratios=heights_mm)
    for column, patient in enumerate(band):
        for row, picture in enumerate(_pictures(patient)):
            _draw(
                axes[row][column], picture, patient.grid.spacing_mm[0], (widths_mm[column], heights_mm[row]), row == 1
            )
        axes[0][column].set_title(f"{patient.kind} {patient.seed}", color="white", fontsize=9, pad=2)
    for row, text in enumerate(ROWS):
        place = axes[row][0].transAxes
        axes[row][0].text(0.02, 0.99, text, color="0.85", fontsize=7, transform=place, va="top")
    left, low = -0.47 * widths_mm[0], -0.47 * heights_mm[-1]
    axes[-1][0].plot([left, left + SCALE_MM], [low, low], color="white", lw=1.5)
    axes[-1][0].text(left, low + 6.0, "100 mm", color="white", fontsize=7)


def _sizes_mm(band: Sequence[CohortPatient]) -> tuple[list[float], list[float]]:
    """Width of each column, height of each row."""
    tall, deep = (max(p.grid.shape_zyx[axis] * p.grid.spacing_mm[0] for p in band) + 14.0 for axis in (0, 1))
    return [p.grid.shape_zyx[2] * p.grid.spacing_mm[0] + 10.0 for p in band], [tall, tall, deep, deep]


def _pictures(patient: CohortPatient) -> tuple[NDArray[Any], ...]:
    """Patient's right on the left of the picture, head up, front of the body up."""
    vois = patient.vois
    kidneys = vois["kidney_left"] | vois["kidney_right"]
    y = int(np.argmax(kidneys.sum(axis=(0, 2)))) - 3
    liver, kidney = (int(np.argmax(mask.sum(axis=(1, 2)))) for mask in (vois["liver"], kidneys))
    return patient.hu[::-1, y], patient.tia_bq_s.sum(axis=1)[::-1], patient.hu[liver], patient.hu[kidney]


def _draw(axis: Any, picture: NDArray[Any], spacing_mm: float, size_mm: tuple[float, float], activity: bool) -> None:
    import matplotlib

    height, width = (0.5 * n * spacing_mm for n in picture.shape)
    low, high = (0.0, np.percentile(picture, 99.7)) if activity else WINDOW_HU
    colours = matplotlib.colormaps["inferno" if activity else "gray"].resampled(COLOURS)
    extent = (-width, width, -height, height)
    axis.imshow(picture, cmap=colours, vmin=low, vmax=high, extent=extent, interpolation="nearest")
    axis.set_xlim(-0.5 * size_mm[0], 0.5 * size_mm[0])
    axis.set_ylim(-0.5 * size_mm[1], 0.5 * size_mm[1])
    axis.set_facecolor("black")
    axis.axis("off")
