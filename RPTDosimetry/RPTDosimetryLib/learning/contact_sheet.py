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
ROWS: Final = ("CT coronal", "Ã, sum over depth", "CT axial, liver", "CT axial, kidneys", "Ã axial, kidneys")
SCALE_MM: Final = 100.0


def write_contact_sheet(patients: Sequence[CohortPatient], path: Path) -> None:
    """A PNG with a column for each patient; all with the same scale, bar 100 mm. Raises ReportError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * len(patients), 8.2), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(ROWS), len(patients), squeeze=False)
    widest = max(max(p.grid.shape_zyx) * p.grid.spacing_mm[0] for p in patients)
    for column, patient in enumerate(patients):
        for row, picture in enumerate(_pictures(patient)):
            _draw(axes[row][column], picture, patient.grid.spacing_mm[0], widest, row in (1, 4))
        axes[0][column].set_title(f"{patient.kind} {patient.seed}", color="white", fontsize=7)
    for row, text in enumerate(ROWS):
        axes[row][0].text(0.0, 1.0, text, color="0.8", fontsize=6, transform=axes[row][0].transAxes, va="top")
    bar = axes[0][0]
    bar.plot([-SCALE_MM / 2, SCALE_MM / 2], [-0.45 * widest] * 2, color="white", lw=1.5)
    bar.text(0.0, -0.43 * widest, "100 mm", color="white", fontsize=6, ha="center")
    figure.subplots_adjust(0.002, 0.002, 0.998, 0.965, 0.01, 0.01)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=100, facecolor="black")


def _pictures(patient: CohortPatient) -> tuple[NDArray[Any], ...]:
    """Patient's right on the left of the picture, head up, front of the body up."""
    vois = patient.vois
    kidneys = vois["kidney_left"] | vois["kidney_right"]
    y = int(np.argmax(kidneys.sum(axis=(0, 2)))) - 3
    liver, kidney = (int(np.argmax(mask.sum(axis=(1, 2)))) for mask in (vois["liver"], kidneys))
    tia = patient.tia_bq_s
    return patient.hu[::-1, y], tia.sum(axis=1)[::-1], patient.hu[liver], patient.hu[kidney], tia[kidney]


def _draw(axis: Any, picture: NDArray[Any], spacing_mm: float, widest_mm: float, activity: bool) -> None:
    height, width = (0.5 * n * spacing_mm for n in picture.shape)
    low, high = (0.0, np.percentile(picture, 99.7)) if activity else WINDOW_HU
    axis.imshow(
        picture, cmap="inferno" if activity else "gray", vmin=low, vmax=high, extent=(-width, width, -height, height)
    )
    axis.set_xlim(-0.5 * widest_mm, 0.5 * widest_mm)
    axis.set_ylim(-0.46 * widest_mm, 0.46 * widest_mm)
    axis.set_facecolor("black")
    axis.set_xticks([])
    axis.set_yticks([])
