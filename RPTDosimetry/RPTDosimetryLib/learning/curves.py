"""The course of a training: every look at the loss in a CSV file, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from RPTDosimetryLib.files import whole_file, write_csv

#: Panels of the picture: what is drawn in each, and its axis.
PANELS = (
    ({"loss": "training loss"}, "loss"),
    ({"rae_percent": "network", "msv_rae_percent": "MSV-8"}, "RAE of voxels ≥ 1 % of the maximum [%]"),
    ({"voi_percent": "network", "msv_voi_percent": "MSV-8"}, "mean |error| of volumes' mean doses [%]"),
)


def write_curves(history: Sequence[Mapping[str, float]], folder: Path) -> None:
    """curves.csv and curves.png."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    folder.mkdir(parents=True, exist_ok=True)
    write_csv([columns, *[[row.get(key, "") for key in columns] for row in history]], folder / "curves.csv")
    _draw(history, folder / "curves.png")


def _draw(history: Sequence[Mapping[str, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    for axes, (lines, label) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for key, name in lines.items():
            rows = [row for row in history if key in row]
            style = {"linestyle": "--", "color": "0.4"} if key.startswith("msv_") else {"marker": "."}
            axes.plot([row["step"] for row in rows], [row[key] for row in rows], label=name, **style)
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        if len(lines) > 1:
            axes.set_ylim(bottom=0.0)
            axes.legend()
        else:
            axes.set_yscale("log")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
