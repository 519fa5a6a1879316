"""One picture per aligned time point: before and after, fused and as a checkerboard, in three planes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.grid import Grid, Vector3, resample
from RPTDosimetryLib.records import Alignment, Image, RegisteredStudy
from RPTDosimetryLib.registration.body import body_outline
from RPTDosimetryLib.registration.pair import ct_body, spect_pair
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.working_grid import coarser
from RPTDosimetryLib.report.figures import CT_WINDOW_HU, MARGIN_MM, label_plane, new_figure, save_figure
from RPTDosimetryLib.report.planes import PLANES, Plane, standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = "hot"
#: Share of the colour scale from which the time point is drawn over the reference.
SHOWN_FROM: Final = 0.12
#: Side of a field of the checkerboard [mm].
FIELD_MM: Final = 40.0
#: A 4.8 mm picture is enough for SPECT; CTs are drawn finer.
CT_SPACING_MM: Final = 2.5


@dataclass(frozen=True)
class _Compared:
    """Values on the reference's grid, with the window of the reference and of the time point."""

    rest: NDArray[Any]
    before: NDArray[Any]
    after: NDArray[Any]
    grid: Grid
    window: tuple[float, float]
    text: str


def save_alignment_figure(registered: RegisteredStudy, number: int, path: Path) -> None:
    """Reference in grey with time point ``number`` (from 1) in colour, and a checkerboard of both, before and after.

    Planes through the middle of the body's hottest part, the patient's right on the left. SPECT is drawn as the square
    root of concentration (each by its own scale), CTs in a soft-tissue window where they were what was compared. The
    title has the figures of the alignment. Raises ReportError for a time point that does not exist.
    """
    if not 1 <= number <= len(registered.alignments):
        raise ReportError(f"There is no time point {number} to draw: the study has {len(registered.alignments)}.")
    alignment = registered.alignments[number - 1]
    spect = _spects(registered, number)
    board = _cts(registered, number) if alignment.through == "ct" else spect
    at_mm, frame_mm = _hot_point_mm(spect), _frame_mm(registered)
    figure = new_figure(13.5, 9.6)
    axes = figure.subplots(3, 4, width_ratios=[1, 1, 1, 1])
    for row, name in enumerate(PLANES):
        for column, (values, state) in enumerate(((spect.before, "before"), (spect.after, "after"))):
            _fused(axes[row, column], name, at_mm, (spect, values))
            label_plane(axes[row, column], name, at_mm, frame_mm)
            axes[row, column].set_title(f"{state}: fused, {axes[row, column].get_title()}", fontsize=9)
        for column, (values, state) in enumerate(((board.before, "before"), (board.after, "after")), start=2):
            _checkerboard(axes[row, column], name, at_mm, (board, values))
            label_plane(axes[row, column], name, at_mm, frame_mm)
            axes[row, column].set_title(f"{state}: checkerboard, {axes[row, column].get_title()}", fontsize=9)
    figure.suptitle(_title(registered, number, alignment, board.text), fontsize=11)
    save_figure(figure, path)


def _title(registered: RegisteredStudy, number: int, found: Alignment, text: str) -> str:
    detail = "" if found.detail_correlation is None else f", of detail {found.detail_correlation:.2f}"
    volume = ""
    if found.volume_change != (1.0, 1.0):
        volume = f", volume × {found.volume_change[0]:.2f} to {found.volume_change[1]:.2f}"
    how = f"{found.method}, through {found.through.upper()}, {found.source.split(',')[0]}"
    return (
        f"Time point {number} (colour) on reference time point {registered.reference_index + 1} (grey): {how}\n"
        f"mutual information {found.mutual_information_before:.2f} → {found.mutual_information_after:.2f} nats, "
        f"correlation {found.correlation_before:.2f} → {found.correlation_after:.2f}{detail}\n"
        f"body moved {found.displacement_mm:.1f} mm (mean), turned {found.rotation_deg:.1f}°{volume}, "
        f"{100 * found.cut_fraction:.1f} % of its activity outside the reference image. {text}"
    )


def _spects(registered: RegisteredStudy, number: int) -> _Compared:
    fixed, point = registered.reference.spect, registered.study.time_points[number - 1].spect
    pair = spect_pair(fixed, point)
    return _on_reference(
        pair.fixed, pair.moving, registered.alignments[number - 1], (0.0, 1.0), "Squares of 4 cm; SPECT as √(Bq/mL)."
    )


def _cts(registered: RegisteredStudy, number: int) -> _Compared:
    fixed, point = registered.reference.ct, registered.study.time_points[number - 1].ct
    if fixed is None or point is None:
        return _spects(registered, number)
    low, high = CT_WINDOW_HU
    text = f"Squares of 4 cm; checkerboard of the CTs, {low:.0f} to {high:.0f} HU."
    ready = coarser(fixed, CT_SPACING_MM), coarser(point, CT_SPACING_MM)
    return _on_reference(*ready, registered.alignments[number - 1], CT_WINDOW_HU, text)


def _on_reference(
    rest: Image, moving: Image, alignment: Alignment, window: tuple[float, float], text: str
) -> _Compared:
    fill = float(moving.voxels.min())
    before, after = (
        resample(moving.voxels, moving.grid, rest.grid, "linear", fill, transform)
        for transform in (None, PointMap.of(alignment).transform())
    )
    return _Compared(rest.voxels, before, after, rest.grid, window, text)


def _hot_point_mm(compared: _Compared) -> Vector3:
    """Middle of the hottest 2 % of the reference, in the reference's body."""
    hot = compared.rest >= np.percentile(compared.rest[compared.rest > 0], 98)
    k, j, i = np.argwhere(hot).mean(axis=0)
    x, y, z = (compared.grid.lps_from_ijk @ [i, j, k, 1.0])[:3]
    return float(x), float(y), float(z)


def _frame_mm(registered: RegisteredStudy) -> NDArray[np.float64]:
    """(3, 2) lowest and highest x, y, z [mm] of the reference's body with a margin."""
    ct = registered.reference.ct
    drawn = coarser(registered.reference.spect if ct is None else ct)
    shown = standing(body_outline([drawn]) if ct is None else ct_body(drawn), drawn.grid)
    found = np.argwhere(shown.voxels)[:, ::-1]
    low = np.add(shown.grid.origin_mm, (found.min(axis=0) - 0.5) * shown.grid.spacing_mm) - 2 * MARGIN_MM
    high = np.add(shown.grid.origin_mm, (found.max(axis=0) + 0.5) * shown.grid.spacing_mm) + 2 * MARGIN_MM
    return np.stack([low, high], axis=1)


def _fused(axis: Axes, name: str, at_mm: Vector3, what: tuple[_Compared, NDArray[Any]]) -> None:
    compared, values = what
    low, high = compared.window
    under = standing(compared.rest, compared.grid).plane(name, at_mm)
    over = standing(values, compared.grid).plane(name, at_mm)
    axis.imshow(under.pixels, cmap="gray", vmin=low, vmax=high, extent=under.extent_mm, interpolation="nearest")
    pixels: NDArray[Any] = np.asarray(over.pixels, dtype=np.float32)
    alpha = 0.6 * np.clip((pixels / high - SHOWN_FROM) / 0.4, 0, 1)
    axis.imshow(
        pixels, cmap=COLOURS, vmin=low, vmax=high, alpha=np.nan_to_num(alpha), extent=over.extent_mm,
        interpolation="nearest",
    )  # fmt: skip


def _checkerboard(axis: Axes, name: str, at_mm: Vector3, what: tuple[_Compared, NDArray[Any]]) -> None:
    """Fields of the reference in grey, and of the time point in the same grey with a tint, side by side."""
    compared, values = what
    low, high = compared.window
    rest = standing(compared.rest, compared.grid).plane(name, at_mm)
    other = standing(values, compared.grid).plane(name, at_mm)
    field = _fields(rest)
    for plane, shown, colours in ((rest, ~field, "gray"), (other, field, "copper")):
        axis.imshow(
            np.where(shown, plane.pixels, np.nan), cmap=colours, vmin=low, vmax=high, extent=plane.extent_mm,
            interpolation="nearest",
        )  # fmt: skip


def _fields(plane: Plane) -> NDArray[np.bool_]:
    """True on every other square of 4 cm."""
    left, right, bottom, top = plane.extent_mm
    rows, columns = plane.pixels.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = top + (np.arange(rows) + 0.5) * (bottom - top) / rows
    return np.asarray((np.floor(x[None, :] / FIELD_MM) + np.floor(y[:, None] / FIELD_MM)) % 2 == 1)
