"""Two dose maps compared in every way at once: gamma index, difference and relative error maps, figures, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import EvaluationError
from RPTDosimetryLib.evaluation.comparable import onto_reference
from RPTDosimetryLib.evaluation.compare_answer import compare_doses
from RPTDosimetryLib.evaluation.dvh import Dvh, dvh
from RPTDosimetryLib.evaluation.gamma import GammaResult, GammaSettings
from RPTDosimetryLib.evaluation.gamma_answer import gamma_answer
from RPTDosimetryLib.evaluation.image_metrics import RELATIVE_FLOOR_PERCENT
from RPTDosimetryLib.evaluation.partial_volume import covered_dose, parts_of
from RPTDosimetryLib.evaluation.violin import Violin, error_violins
from RPTDosimetryLib.evaluation.voxel_spread import VoxelSpread, voxel_spread
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.records import Cancelled, Image, Progress, Voi, never, part_of, silent

Mask = NDArray[np.bool_] | None


@dataclass(frozen=True)
class ComparisonSettings:
    """mask: the volume whose voxels count, by its name; None: all. resample: an evaluated dose on another grid is
    interpolated onto the reference's, and only the voxels that it reaches count. partial_volume: parts of a voxel along
    each axis for histograms and dose figures of volumes (partial_volume.py); None: whole voxels.
    """

    gamma: GammaSettings = field(default_factory=GammaSettings)
    mask: str | None = None
    resample: bool = False
    partial_volume: int | None = None


@dataclass(frozen=True)
class Aligned:
    """Both doses on the reference's grid, the voxels that count (None: all), and what is to be said of it."""

    reference: Image
    evaluated: Image
    inside: Mask
    said: str = ""


@dataclass(frozen=True)
class Comparison:
    """Evaluated − reference. gamma_figures and figures are JSON-ready (gamma_answer, DoseComparison.answer).

    evaluated: as compared, on the reference's grid. difference [Gy] and relative_error [%] are NaN where no voxel
    counts, relative_error also below 1 % of the reference's maximum. histograms: (reference, evaluated) a volume.
    spread: voxel against voxel; violins: relative errors of the whole map and of each volume.
    """

    evaluated: Image
    gamma: GammaResult
    difference: Image
    relative_error: Image
    gamma_figures: dict[str, Any]
    figures: dict[str, Any]
    histograms: tuple[tuple[Dvh, Dvh], ...]
    warnings: tuple[str, ...]
    spread: VoxelSpread
    violins: tuple[Violin, ...]


def compare_fully(
    doses: tuple[Image, Image],
    vois: Sequence[Voi],
    density: Image | None,
    settings: ComparisonSettings,
    progress: Progress = silent,
    cancelled: Cancelled = never,
) -> Comparison:
    """Compare (reference, evaluated), both Gy. density [g/cm3] weights organ means and leaves air out; None: unknown.

    Raises EvaluationError (no such mask, a volume the evaluated dose does not reach, and as compare_doses),
    GridMismatchError, VoiError, CancelledError.
    """
    aligned = aligned_doses(doses, vois, settings)
    reference, evaluated, inside = aligned.reference, aligned.evaluated, aligned.inside
    watch = (part_of(progress, 0.0, 0.8), cancelled)
    gamma_figures, gamma = gamma_answer(reference, evaluated, settings.gamma, vois, inside, watch)
    progress(0.8, "Figures of voxels and volumes")
    parts = settings.partial_volume
    figures = compare_doses(reference, evaluated, vois, density, inside, parts).answer()
    progress(0.95, "Histograms")
    told = (aligned.said, *gamma_figures["warnings"], *figures["warnings"])
    percent = relative_error_map(reference, evaluated, inside)
    return Comparison(
        evaluated=evaluated,
        gamma=gamma,
        difference=difference_map(reference, evaluated, inside),
        relative_error=percent,
        gamma_figures=gamma_figures,
        figures=figures,
        histograms=tuple(_histograms(reference, evaluated, voi, parts) for voi in vois),
        warnings=tuple(dict.fromkeys(text for text in told if text)),
        spread=voxel_spread(reference, evaluated, inside),
        violins=error_violins(percent, vois),
    )


def aligned_doses(doses: tuple[Image, Image], vois: Sequence[Voi], settings: ComparisonSettings) -> Aligned:
    """(reference, evaluated) as they are compared. Raises EvaluationError, GridMismatchError as compare_fully."""
    reference, evaluated = doses
    inside, said = _mask(vois, settings.mask), ""
    if settings.resample:
        moved = onto_reference(reference, evaluated)
        evaluated, said = moved.evaluated, moved.said
        _require_reached(vois, moved.covered)
        if not moved.covered.all():
            inside = moved.covered if inside is None else inside & moved.covered
    require_same_grid(reference.grid, evaluated.grid, "Reference and evaluated dose")
    return Aligned(reference, evaluated, inside, said)


def difference_map(reference: Image, evaluated: Image, inside: Mask = None) -> Image:
    """Evaluated − reference [Gy]; NaN outside the mask."""
    apart = np.asarray(evaluated.voxels, dtype=np.float64) - reference.voxels
    return reference.with_voxels(_only(apart, inside), "Gy")


def relative_error_map(reference: Image, evaluated: Image, inside: Mask = None) -> Image:
    """100 (evaluated − reference)/reference [%]; NaN below 1 % of the reference's maximum and outside the mask."""
    gray = np.asarray(reference.voxels, dtype=np.float64)
    counted = gray >= RELATIVE_FLOOR_PERCENT / 100.0 * gray.max()
    counted &= gray > 0.0
    percent = np.full(gray.shape, np.nan)
    percent[counted] = 100.0 * (evaluated.voxels[counted] - gray[counted]) / gray[counted]
    return reference.with_voxels(_only(percent, inside), "%")


def _only(values: NDArray[np.float64], inside: Mask) -> NDArray[np.float32]:
    kept = values if inside is None else np.where(inside, values, np.nan)
    return kept.astype(np.float32)


def _mask(vois: Sequence[Voi], name: str | None) -> Mask:
    if name is None:
        return None
    found = [voi.mask for voi in vois if voi.name == name]
    if not found:
        raise EvaluationError(f"There is no volume {name} to count voxels in: choose another mask, or the whole map.")
    return found[0]


def _require_reached(vois: Sequence[Voi], covered: NDArray[np.bool_]) -> None:
    for voi in vois:
        if not covered[voi.mask].all():
            raise EvaluationError(
                f"The evaluated dose does not reach all of {voi.name}: its figures would be those of a part. Leave it "
                "out of the volumes."
            )


def _histograms(reference: Image, evaluated: Image, voi: Voi, parts: int | None) -> tuple[Dvh, Dvh]:
    return volume_histogram(reference, voi, parts), volume_histogram(evaluated, voi, parts)


def volume_histogram(dose: Image, voi: Voi, parts: int | None = None) -> Dvh:
    """Cumulative histogram of a volume, air included: of whole voxels, or of their parts with shares at its edge.

    Whole ones also where the volume has more than MOST_VOXELS (partial_volume.py).
    """
    parts = parts_of(voi, parts)
    if parts is None:
        return dvh(dose.voxels[voi.mask], voi.grid.voxel_volume_ml, voi.name)
    covered = covered_dose(dose, voi, parts)
    return dvh(covered.dose_gy, voi.grid.voxel_volume_ml, voi.name, weights=covered.weights)
