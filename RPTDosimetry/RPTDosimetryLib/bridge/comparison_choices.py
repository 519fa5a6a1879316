"""The panel's choices of a comparison as the library's settings, and the doses that were compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from RPTDosimetryLib.bridge import comparison
from RPTDosimetryLib.bridge.case import Case

if TYPE_CHECKING:
    from RPTDosimetryLib.evaluation.full_comparison import ComparisonSettings
    from RPTDosimetryLib.report.compared import ComparedDoses


def comparison_settings(case: Case) -> ComparisonSettings:
    """Criteria of gamma, mask, resampling, partial voxels. Raises EvaluationError for criteria that cannot be."""
    from RPTDosimetryLib.evaluation.full_comparison import ComparisonSettings
    from RPTDosimetryLib.evaluation.gamma import GammaSettings
    from RPTDosimetryLib.evaluation.partial_volume import PARTS

    told = case.parameters.compare
    criteria = {"dose_percent": told.dosePercent, "dta_mm": told.dtaMm, "cutoff_percent": told.cutoffPercent}
    gamma = GammaSettings(**criteria, local=told.local, maximum_gamma=told.maximumGamma)
    return ComparisonSettings(gamma, told.mask or None, told.resample, PARTS if told.partialVoxels else None)


def compared_of(case: Case) -> ComparedDoses | None:
    """The doses of the comparison in the scene, None without one. It must not be out of date."""
    from RPTDosimetryLib.report.compared import ComparedDoses

    doses = comparison.chosen_doses(case)
    if not comparison.answer(case) or doses[0] is None or doses[1] is None:
        return None
    reference, evaluated = map(comparison.dose_image, doses)
    return ComparedDoses(reference, evaluated, comparison_settings(case))
