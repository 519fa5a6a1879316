"""Drawing a lesion on SPECT from a seed or a box: four methods, one record of what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import ConfigurationError, VoiError
from RPTDosimetryLib.grid import Vector3
from RPTDosimetryLib.records import Image, Voi
from RPTDosimetryLib.vois.lesion_gradient import inside_steepest_edge
from RPTDosimetryLib.vois.lesion_search import Search, search_box, search_from
from RPTDosimetryLib.vois.lesion_thresholds import above_adapted, above_fixed, above_share

Method = Literal["percent_of_maximum", "fixed", "adaptive", "gradient"]
METHODS: Final[tuple[Method, ...]] = ("percent_of_maximum", "fixed", "adaptive", "gradient")


@dataclass(frozen=True)
class LesionTool:
    """How one lesion is drawn: a method, and either a seed or a box (LPS, mm).

    percent: of the maximum (percent_of_maximum; 41 % is the isocontour of the EANM's FDG guideline, Boellaard 2015).
    threshold_bq_per_ml: of the method fixed. core_share a and background_share b: of the method adaptive,
    T = a·mean₇₀ + b·background; ½ and ½ is the middle of a blurred edge, others come from a scanner's phantoms.
    climb_mm: how far from the seed the maximum may be; reach_mm: how far the lesion may reach from it. largest_ml:
    above it a region counts as leaked. time_point: the scan drawn on, counted from 1; None takes the reference.
    Raises ConfigurationError.
    """

    name: str = "lesion"
    method: Method = "percent_of_maximum"
    seed_mm: Vector3 | None = None
    box_mm: tuple[Vector3, Vector3] | None = None
    percent: float = 41.0
    threshold_bq_per_ml: float | None = None
    core_share: float = 0.5
    background_share: float = 0.5
    climb_mm: float = 15.0
    reach_mm: float = 60.0
    largest_ml: float = 500.0
    time_point: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigurationError(f"{self.name}: method = {self.method!r}: choose one of {', '.join(METHODS)}.")
        if (self.seed_mm is None) == (self.box_mm is None):
            raise ConfigurationError(f"{self.name}: give either seed_mm or box_mm, where the lesion is looked for.")
        if not 0 < self.percent < 100:
            raise ConfigurationError(
                f"{self.name}: percent = {self.percent!r}: more than 0 and less than 100 is meant."
            )
        if self.method == "fixed" and self.threshold_bq_per_ml is None:
            raise ConfigurationError(f"{self.name}: the method fixed needs threshold_bq_per_ml.")
        for field in ("threshold_bq_per_ml", "core_share", "climb_mm", "reach_mm", "largest_ml"):
            value = getattr(self, field)
            if value is not None and not (value > 0 and np.isfinite(value)):
                raise ConfigurationError(f"{self.name}: {field} = {value!r}: a positive number is needed.")
        if not self.background_share >= 0:
            raise ConfigurationError(f"{self.name}: background_share = {self.background_share!r} is negative.")
        if self.time_point is not None and self.time_point < 1:
            raise ConfigurationError(f"{self.name}: time_point = {self.time_point}: time points count from 1.")


@dataclass(frozen=True)
class DrawnLesion:
    """A lesion and the figures it was drawn by [Bq/mL]; threshold and background are None where the method has none."""

    voi: Voi
    tool: LesionTool
    maximum_bq_per_ml: float
    mean_bq_per_ml: float
    threshold_bq_per_ml: float | None
    background_bq_per_ml: float | None
    peak_mm: Vector3
    centroid_mm: Vector3

    def answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.voi.name,
            "method": self.tool.method,
            "volume_ml": self.voi.volume_ml,
            "voxels": int(np.count_nonzero(self.voi.mask)),
            "maximum_bq_per_ml": self.maximum_bq_per_ml,
            "mean_bq_per_ml": self.mean_bq_per_ml,
            "threshold_bq_per_ml": self.threshold_bq_per_ml,
            "background_bq_per_ml": self.background_bq_per_ml,
            "peak_mm_lps": self.peak_mm,
            "centroid_mm_lps": self.centroid_mm,
            "how": self.voi.source,
            "warnings": self.voi.warnings,
        }


def draw_lesion(activity: Image, tool: LesionTool) -> DrawnLesion:
    """One lesion on an image in Bq/mL; the mask is one piece, its voxels joined face to face.

    Raises VoiError: wrong unit, NaN, a seed or box outside the image, no activity there, a threshold above the maximum,
    a region that has leaked (reaches reach_mm from the seed, fills its box, or is larger than largest_ml).
    """
    if activity.unit != "Bq/mL":
        raise VoiError(f"{tool.name}: lesions are drawn on images in Bq/mL, not {activity.unit!r}. Calibrate first.")
    search = _search(activity, tool)
    if not np.all(np.isfinite(search.activity_bq_per_ml)):
        raise VoiError(f"{tool.name}: the image holds NaN or infinite voxels there. Repair it first.")
    region, threshold, background, said = _region(search, tool)
    _require_held(search, region, tool)
    mask = search.on_image(region)
    warnings = (*search.warnings, *said, *_where_cut(search, region, mask))
    voi = Voi(tool.name, mask, activity.grid, "lesion", _how(tool, search, threshold), warnings)
    x, y, z = (
        np.c_[np.argwhere(mask)[:, ::-1], np.ones(np.count_nonzero(mask))].mean(axis=0)
        @ (activity.grid.lps_from_ijk.T[:, :3])
    )
    return DrawnLesion(
        voi,
        tool,
        search.peak_bq_per_ml,
        float(search.activity_bq_per_ml[region].mean()),
        threshold,
        background,
        search.peak_mm,
        (float(x), float(y), float(z)),
    )


def _search(activity: Image, tool: LesionTool) -> Search:
    if tool.box_mm is not None:
        return search_box(activity, tool.box_mm, tool.name)
    assert tool.seed_mm is not None  # LesionTool holds one of the two
    return search_from(activity, tool.seed_mm, tool.climb_mm, tool.reach_mm, tool.name)


def _region(search: Search, tool: LesionTool) -> tuple[NDArray[np.bool_], float | None, float | None, tuple[str, ...]]:
    """(region, threshold, background, warnings) by the tool's method."""
    if tool.method == "gradient":
        region, background = inside_steepest_edge(search)
        return region, None, background, ()
    if tool.method == "adaptive":
        return above_adapted(search, tool.core_share, tool.background_share)
    if tool.method == "fixed":
        assert tool.threshold_bq_per_ml is not None  # held by LesionTool
        return above_fixed(search, tool.threshold_bq_per_ml), tool.threshold_bq_per_ml, None, ()
    region, threshold = above_share(search, tool.percent)
    return region, threshold, None, ()


def _require_held(search: Search, region: NDArray[np.bool_], tool: LesionTool) -> None:
    """Raise VoiError for a region that has leaked into its surroundings."""
    volume_ml = float(np.count_nonzero(region)) * search.grid.voxel_volume_ml
    remedy = "Use a higher threshold or another method"
    if search.limit == "box" and np.array_equal(region, search.inside):
        raise VoiError(
            f"{tool.name}: the region fills its whole box ({volume_ml:.3g} mL), so nothing in it is background. "
            f"{remedy}, or a larger box."
        )
    if search.limit == "reach" and search.at_limit(region):
        raise VoiError(
            f"{tool.name}: the region ({volume_ml:.3g} mL) grows to {tool.reach_mm:g} mm from its seed: it has leaked "
            f"into its surroundings or a neighbour. {remedy}, draw a box, or allow more by reach_mm."
        )
    if volume_ml > tool.largest_ml:
        raise VoiError(
            f"{tool.name}: the region grows to {volume_ml:.4g} mL, more than largest_ml = {tool.largest_ml:g} mL: it "
            f"has leaked into its surroundings. {remedy}, draw a tighter box, or allow more by largest_ml."
        )


def _where_cut(search: Search, region: NDArray[np.bool_], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    said = []
    if search.limit == "box" and search.at_limit(region):
        said.append(f"{search.name} touches the border of its box and may be cut there.")
    faces = [np.take(mask, end, axis=axis) for axis in range(3) if mask.shape[axis] > 1 for end in (0, -1)]
    if any(face.any() for face in faces):
        said.append(f"{search.name} reaches the edge of the image and may be cut there.")
    return tuple(said)


def _how(tool: LesionTool, search: Search, threshold: float | None) -> str:
    what = {
        "percent_of_maximum": f"{tool.percent:g} % of the maximum {search.peak_bq_per_ml:.4g} Bq/mL",
        "fixed": "fixed threshold",
        "adaptive": f"adaptive threshold {tool.core_share:g}·mean70 + {tool.background_share:g}·background",
        "gradient": "steepest edge (watershed on the gradient)",
    }[tool.method]
    at = "" if threshold is None or tool.method == "percent_of_maximum" else f" = {threshold:.4g} Bq/mL"
    x, y, z = search.peak_mm
    place = "box" if search.limit == "box" else "seed"
    return f"lesion tool: {what}{at}, from a {place}, maximum at ({x:.1f}, {y:.1f}, {z:.1f}) mm"
