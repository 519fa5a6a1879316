"""A predicted dose as files: maps, organ table, dose-volume histograms, figure, record; each says that it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from RPTDosimetryLib.evaluation.dvh import Dvh
from RPTDosimetryLib.files import whole_folder, write_csv
from RPTDosimetryLib.prediction.methods import WantedActivity
from RPTDosimetryLib.prediction.pet_case import MARK, PetCase, PredictedDose
from RPTDosimetryLib.prediction.predict_study import predicted_histograms
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.report.figures import (
    DOSE_COLOURS,
    draw_plane,
    label_plane,
    new_figure,
    save_figure,
    shown_frame_mm,
    voi_colours,
)
from RPTDosimetryLib.report.notice import noticed, noticed_rows
from RPTDosimetryLib.report.planes import standing
from RPTDosimetryLib.report.provenance import json_text, versions
from RPTDosimetryLib.study.image_files import write_image

#: Organs that the figure's histograms leave out: their doses are too low beside the others.
_NO_DVH: Final = ("rest_of_body", "lungs", "heart", "bone")


def write_prediction(
    case: PetCase, predicted: PredictedDose, wanted: Sequence[WantedActivity], origin: Mapping[str, Any], out: Path
) -> dict[str, Any]:
    """Write all files into a folder, whole or not at all, and return the answer that prediction.json holds.

    predicted_dose.nrrd and predicted_dose_uncertainty.nrrd [Gy/GBq], predicted_organs.csv, predicted_dvh.csv,
    prediction.png. origin: what the PET was and how it was read.
    """
    histograms = predicted_histograms(case, predicted)
    answer = {
        "mark": MARK,
        "method": predicted.method,
        "how": predicted.text,
        "tracer": case.tracer,
        "agent": case.agent,
        "scan_time_min": case.scan_time_min,
        "weight_kg": case.weight_kg,
        "grid": str(case.pet.grid),
        "organs": [asdict(organ) for organ in predicted.organs],
        "wanted": [asdict(one) for one in wanted],
        "warnings": list(predicted.warnings),
        "origin": dict(origin),
        "versions": versions(),
        "out": out,
    }
    with noticed(MARK), whole_folder(out) as folder:
        text = f"{MARK}: {predicted.text}"
        write_image(predicted.map_gy_per_gbq, folder / "predicted_dose.nrrd", text)
        if predicted.spread is not None:
            name = "predicted_dose_uncertainty.nrrd"
            write_image(predicted.spread, folder / name, f"Standard uncertainty of {text}")
        write_csv(noticed_rows(iter(_organ_rows(predicted))), folder / "predicted_organs.csv")
        write_csv(noticed_rows(iter(_dvh_rows(histograms))), folder / "predicted_dvh.csv")
        save_prediction_figure(case, predicted, folder / "prediction.png")
        (folder / "prediction.json").write_text(json_text(answer), encoding="utf-8")
    return answer


def save_prediction_figure(case: PetCase, predicted: PredictedDose, path: Path, truth: Image | None = None) -> None:
    """Coronal planes through the kidneys of PET, predicted dose, its uncertainty (or the truth), and DVHs."""
    figure = new_figure(15.0, 6.6)
    axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.15])
    dose = predicted.map_gy_per_gbq
    at = np.argwhere(case.organs["kidneys"]).mean(axis=0)[::-1]
    x, y, z = (float(v) for v in (dose.grid.lps_from_ijk @ [*at, 1.0])[:3])
    top = float(np.percentile(dose.voxels[case.organs["kidneys"]], 98.0))
    frame = shown_frame_mm(Image((case.ct.voxels > -400.0).astype(np.float32), dose.grid, "1"), ())
    third = (truth, "Dose after therapy") if truth is not None else (predicted.spread, "Standard uncertainty")
    shown = ((case.pet, "PET", "SUV", "gray_r"), (dose, "Predicted dose", "Gy/GBq", DOSE_COLOURS))
    for axis, (image, title, unit, colours) in zip(axes, (*shown, (*third, "Gy/GBq", DOSE_COLOURS)), strict=False):
        if image is None:
            axis.set_axis_off()
            continue
        high = float(np.percentile(image.voxels[case.organs["kidneys"]], 98.0)) if image is case.pet else top
        drawn = draw_plane(axis, standing(image.voxels, image.grid).plane("coronal", (x, y, z)), colours, (0.0, high))
        label_plane(axis, "coronal", (x, y, z), frame)
        axis.set_title(f"{title}\n{axis.get_title()}", fontsize=10)
        if image is case.pet:  # letters of label_plane are white, and this map's zero is white
            axis.set_facecolor("white")
            for text in axis.texts:
                text.set_color("black")
            axis.lines[-1].set_color("black")
        figure.colorbar(drawn, ax=axis, orientation="horizontal", shrink=0.85, pad=0.02, extend="max", label=unit)
    _draw_dvhs(axes[3], predicted_histograms(case, predicted))
    with noticed(MARK):
        figure.suptitle(f"{case.tracer} PET → {case.agent}, method {predicted.method}", fontsize=12)
        save_figure(figure, path)


def _draw_dvhs(axis: Any, histograms: Sequence[Dvh]) -> None:
    drawn = [h for h in histograms if h.name not in _NO_DVH]
    for histogram, colour in zip(drawn, voi_colours(len(drawn)), strict=True):
        axis.plot(histogram.dose_gy, 100 * histogram.cumulative, color=colour, label=histogram.name, linewidth=1.6)
    lowest = min((float(np.median(h.dose_gy[h.cumulative > 0.5])) for h in drawn), default=0.01)
    axis.set(xlabel="Predicted dose per activity [Gy/GBq]", ylabel="Volume with at least this dose [%]", ylim=(0, 101))
    axis.set_xscale("log")
    axis.set_xlim(left=max(0.2 * lowest, 1e-4))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, frameon=False, loc="lower left")
    axis.set_title("Cumulative DVH, predicted", fontsize=10)


def _organ_rows(predicted: PredictedDose) -> list[list[object]]:
    head: list[object] = ["organ", "mean_gy_per_gbq", "low95_gy_per_gbq", "high95_gy_per_gbq", "remark"]
    return [head, *([o.name, *_figures(o), "; ".join(o.unlike)] for o in predicted.organs)]


def _figures(organ: Any) -> list[object]:
    values = (organ.mean_gy_per_gbq, organ.low_gy_per_gbq, organ.high_gy_per_gbq)
    return ["withheld" if value is None else f"{value:.5g}" for value in values]


def _dvh_rows(histograms: Sequence[Dvh]) -> list[list[object]]:
    rows: list[list[object]] = [["organ", "dose_gy_per_gbq", "volume_fraction"]]
    for one in histograms:
        rows += [
            [one.name, f"{d:.6g}", f"{v:.6g}"] for d, v in zip(one.dose_gy[::10], one.cumulative[::10], strict=True)
        ]
    return rows
