"""Two dose maps compared, as plain numbers for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.evaluation.agreement import (
    FEWEST_ORGANS,
    OrganAgreement,
    bland_altman,
    organ_agreement,
    percent_of_both,
)
from RPTDosimetryLib.evaluation.comparable import negative_said
from RPTDosimetryLib.evaluation.image_metrics import (
    LOW_DOSE_BELOW_PERCENT,
    RELATIVE_FLOOR_PERCENT,
    SSIM_WINDOW,
    VoxelComparison,
    VoxelMetrics,
)
from RPTDosimetryLib.evaluation.partial_volume import MOST_VOXELS, partial_told
from RPTDosimetryLib.records import Image, Voi


@dataclass(frozen=True)
class DoseComparison:
    """Voxel figures of the whole map or a mask, and the agreement of each organ. parts: see organ_agreement."""

    metrics: VoxelMetrics
    range_gy: float
    organs: tuple[OrganAgreement, ...]
    counted: str
    mean_weighting: str
    warnings: tuple[str, ...]
    parts: int | None = None

    def answer(self) -> dict[str, Any]:
        """Every figure with its conventions; a figure that does not exist is null and told why in ``notes``."""
        errors = [row.error_percent for row in self.organs if row.error_percent is not None]
        percents = [p for p in map(percent_of_both, self.organs) if p is not None]
        return {
            "unit": "Gy",
            "sign": "evaluated - reference",
            "counted": self.counted,
            "metrics": asdict(self.metrics),
            "conventions": conventions(self.range_gy) | self._partial(),
            "mean_weighting": self.mean_weighting,
            "volumes": [asdict(row) for row in self.organs],
            "over_volumes": {
                "volumes": len(errors),
                "mean_error_percent": float(np.mean(errors)) if errors else None,
                "mean_absolute_error_percent": float(np.mean(np.abs(errors))) if errors else None,
                "bland_altman_gy": _or_none(bland_altman([row.error_gy for row in self.organs], "Gy")),
                "bland_altman_percent": _or_none(bland_altman(percents, "% of the mean of both")),
            },
            "notes": self.notes(),
            "warnings": list(self.warnings),
        }

    def _partial(self) -> dict[str, str]:
        if self.parts is None:
            return {}
        return {"partial_volume": f"volumes of up to {MOST_VOXELS} voxels: {partial_told(self.parts)}"}

    def notes(self) -> list[str]:
        """Why a figure is missing."""
        notes = []
        if not np.isfinite(self.metrics.psnr_db):
            notes.append("The maps are identical in the voxels counted: PSNR is infinite and given as null.")
        if self.metrics.ssim is None:
            notes.append(f"SSIM needs {SSIM_WINDOW} voxels along each axis around a counted voxel: it is not given.")
        if self.metrics.re_percent is None:
            notes.append(
                f"No voxel counted reaches {RELATIVE_FLOOR_PERCENT:g} % of the reference maximum: no RE and RAE."
            )
        if self.metrics.low_dose_correlation is None:
            notes.append("Too few voxels of low dose, or no variation among them: no low-dose correlation.")
        if 0 < len(self.organs) < FEWEST_ORGANS:
            notes.append(f"Limits of agreement need at least {FEWEST_ORGANS} volumes: they are not given.")
        return notes


def compare_doses(
    reference: Image,
    evaluated: Image,
    vois: Sequence[Voi] = (),
    density: Image | None = None,
    mask: NDArray[np.bool_] | None = None,
    parts: int | None = None,
) -> DoseComparison:
    """Evaluated against reference, both Gy on one grid. mask: voxels of the overall figures; volumes count whole.
    parts: of a voxel along each axis, for partial voxels at the edge of volumes (organ_agreement).

    Raises GridMismatchError; EvaluationError for a reference without dose, an empty mask or values that are not
    numbers; VoiError for a volume without voxels or only of air.
    """
    comparison = VoxelComparison(reference, evaluated)
    return DoseComparison(
        metrics=comparison.metrics(mask),
        range_gy=comparison.range_gy,
        organs=tuple(organ_agreement(reference, evaluated, vois, density, comparison, parts)),
        counted="all voxels" if mask is None else "voxels of the mask",
        mean_weighting="voxel volume (no density given)" if density is None else "voxel mass",
        warnings=(*negative_said(reference, evaluated), *(warning for voi in vois for warning in voi.warnings)),
        parts=parts,
    )


def conventions(range_gy: float) -> dict[str, str]:
    """What each figure is over and relative to."""
    low = f"{RELATIVE_FLOOR_PERCENT:g} to below {LOW_DOSE_BELOW_PERCENT:g} % of the reference maximum"
    return {
        "data_range": f"{range_gy:.6g} Gy, the reference maximum (PSNR, SSIM; norm of NRMSE)",
        "ssim": f"mean over voxels whose {SSIM_WINDOW}x{SSIM_WINDOW}x{SSIM_WINDOW} uniform window lies in the image",
        "re_rae": f"voxels with a reference of at least {RELATIVE_FLOOR_PERCENT:g} % of its maximum",
        "correlation": f"Pearson, voxels counted; low dose: reference of {low}",
        "percent": "of the reference's figure",
        "mape": f"voxels with a reference of at least {RELATIVE_FLOOR_PERCENT:g} % of the highest among those counted",
        "slope": "evaluated over reference: least squares through the origin; orthogonal: total least squares with an "
        "intercept",
        "homogeneity_index": "(D2 - D98)/D50, ICRU 83",
        "dvh_r2": "1 - squares between the cumulative curves / squares of the reference's about its mean, 1001 doses "
        "from 0 to the higher maximum",
    }


def _or_none(record: Any) -> dict[str, Any] | None:
    return None if record is None else asdict(record)
