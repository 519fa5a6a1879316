"""Pass rates of a map and of its volumes, as plain numbers for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.evaluation.gamma import GammaCounts, GammaResult, GammaSettings, above_cutoff, gamma_index
from RPTDosimetryLib.grid import require_same_grid
from RPTDosimetryLib.records import Cancelled, Image, Progress, Voi, never, silent


def gamma_answer(
    reference: Image,
    evaluated: Image,
    settings: GammaSettings,
    vois: Sequence[Voi] = (),
    mask: NDArray[np.bool_] | None = None,
    watch: tuple[Progress, Cancelled] = (silent, never),
) -> tuple[dict[str, Any], GammaResult]:
    """Figures above the cut-off and over all voxels (as published for whole maps), overall and by volume, and the map.

    The search runs once, without cut-off; volumes count their voxels inside the mask. Errors as gamma_index; also
    GridMismatchError where a volume lies on another grid.
    """
    for voi in vois:
        require_same_grid(reference.grid, voi.grid, f"Dose and the mask of {voi.name}")
    everywhere = gamma_index(reference, evaluated, replace(settings, cutoff_percent=0.0), mask, *watch)
    result = above_cutoff(everywhere, reference, settings.cutoff_percent)
    inside = np.ones(reference.grid.shape_zyx, dtype=bool) if mask is None else mask.astype(bool)
    answer = {
        **_figures(result.counts),
        "all_voxels": _figures(everywhere.counts),
        "volumes": [_volume(voi, voi.mask & inside, result, everywhere) for voi in vois],
        "settings": {
            **asdict(settings),
            "criterion": "local: percent of each voxel's reference dose" if settings.local else "global",
            "normalisation_gy": result.normalisation_gy,
            "normalisation": "given" if settings.reference_dose_gy else "maximum of the reference",
            "cutoff_gy": result.cutoff_gy,
            "interpolation": "evaluated dose, trilinear; points up to DTA/steps_per_dta apart",
            "pass": "gamma <= 1 (to 1e-4)",
            "counted": "whole map" if mask is None else "mask",
        },
        "warnings": [*result.warnings, *(warning for voi in vois for warning in voi.warnings)],
    }
    return answer, result


def _figures(counts: GammaCounts) -> dict[str, Any]:
    rate = counts.pass_rate
    return {"pass_rate_percent": None if rate is None else 100.0 * rate, **asdict(counts)}


def _volume(voi: Voi, inside: NDArray[np.bool_], result: GammaResult, everywhere: GammaResult) -> dict[str, Any]:
    return {
        "name": voi.name,
        "kind": voi.kind,
        **_figures(result.counts_in(inside)),
        "all_voxels": _figures(everywhere.counts_in(inside)),
    }
