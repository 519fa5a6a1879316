"""Many patients, several methods, one reference each: every figure of the published comparisons, one case at a time.

A case is let go before the next is read, so a cohort needs no more memory than its largest case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import CancelledError, DosimetryError, EvaluationError
from RPTDosimetryLib.evaluation.agreement import OrganAgreement, organ_agreement
from RPTDosimetryLib.evaluation.cohort_answer import CaseRow, CohortAnswer, VolumeRow
from RPTDosimetryLib.evaluation.comparable import negative_said
from RPTDosimetryLib.evaluation.gamma import GammaCounts, GammaResult, GammaSettings, above_cutoff, gamma_index
from RPTDosimetryLib.evaluation.image_metrics import VoxelComparison, rms_beyond_noise_percent
from RPTDosimetryLib.evaluation.voxel_spread import VoxelSpread, voxel_spread
from RPTDosimetryLib.records import Cancelled, Image, Progress, Voi, never, silent
from RPTDosimetryLib.vois.names import known_structure

#: What all lesions of a patient are called together.
LESIONS = "lesions"


@dataclass(frozen=True)
class CohortCase:
    """One data set: the reference, and the maps of several methods by name, all [Gy] on one grid.

    patient: cases of one patient (its cycles) count as one in tests. vois: organs, lesions, and any other named set of
    voxels, such as an interface (kind "region"). mask: voxels of the overall figures, None: all. seconds: how long each
    method took. reference_se: standard error (1 σ) of each voxel of the reference, where it is Monte Carlo. warnings:
    what was said while it was read.
    """

    patient: str
    reference: Image
    evaluated: Mapping[str, Image]
    vois: Sequence[Voi] = ()
    density: Image | None = None
    seconds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    cycle: str = ""
    mask: NDArray[np.bool_] | None = None
    reference_se: Image | None = None
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Patient and cycle, for people."""
        return f"{self.patient}, {self.cycle}" if self.cycle else self.patient


@dataclass(frozen=True)
class CohortSettings:
    """Gamma criterion, global to each reference's maximum; dta_mm None: one voxel (its longest side).

    groups: what a volume counts as, by its name ("kidney_left": "kidneys"). Otherwise lesions count as "lesions" and
    organs by their canonical name, whatever the spelling.
    """

    dose_percent: float = 1.0
    dta_mm: float | None = None
    cutoff_percent: float = 10.0
    groups: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def gamma_of(self, reference: Image) -> GammaSettings:
        """The criterion on a reference's grid, without cut-off."""
        dta_mm = max(reference.grid.spacing_mm) if self.dta_mm is None else self.dta_mm
        return GammaSettings(dose_percent=self.dose_percent, dta_mm=dta_mm, cutoff_percent=0.0)


def cohort_of(
    cases: Iterable[CohortCase],
    settings: CohortSettings | None = None,
    progress: Progress = silent,
    cancelled: Cancelled = never,
    expected: int | None = None,
) -> CohortAnswer:
    """Compare every case and keep its figures only. expected: how many cases there are, for progress.

    Raises EvaluationError: no case, a case without a method, one named twice; and what compare_doses raises, with the
    case and the method before it.
    """
    settings = settings or CohortSettings()
    rows: list[CaseRow] = []
    volumes: list[VolumeRow] = []
    pooled: dict[str, VoxelSpread] = {}
    warnings: list[str] = []
    for number, case in enumerate(cases):
        _require_new(case, rows)
        for name, evaluated in case.evaluated.items():
            if cancelled():
                raise CancelledError("The evaluation was stopped; nothing was kept.")
            progress(number / max(expected or number + 1, number + 1), f"{case.label}: {name}")
            try:
                found = _one_method(case, (name, evaluated), settings, cancelled)
            except CancelledError:
                raise
            except DosimetryError as error:
                raise type(error)(f"{case.label}, {name}: {error}") from error
            rows.append(found.row)
            volumes += found.volumes
            pooled[name] = pooled[name] + found.spread if name in pooled else found.spread
            warnings += [f"{case.label}, {name}: {text}" for text in found.warnings]
        warnings += [f"{case.label}: {text}" for text in (*case.warnings, *_of_volumes(case))]
    if not rows:
        raise EvaluationError("The cohort holds no case: name at least one reference with an evaluated dose.")
    progress(1.0, "Cohort compared")
    return CohortAnswer(tuple(rows), tuple(volumes), pooled, _told(settings), (*_incomplete(rows), *warnings))


@dataclass(frozen=True)
class _OfMethod:
    """What one method of one case adds to a cohort."""

    row: CaseRow
    volumes: tuple[VolumeRow, ...]
    spread: VoxelSpread
    warnings: tuple[str, ...]


def group_of(voi: Voi, groups: Mapping[str, str]) -> str:
    """What a volume counts as over patients."""
    if voi.name in groups:
        return groups[voi.name]
    if voi.kind == "lesion":
        return LESIONS
    known = known_structure(voi.name)
    return known.name if known is not None and voi.kind == "organ" else voi.name


def _require_new(case: CohortCase, rows: Sequence[CaseRow]) -> None:
    if not case.evaluated:
        raise EvaluationError(f"{case.label} has no evaluated dose: name at least one method.")
    if any((row.patient, row.cycle) == (case.patient, case.cycle) for row in rows):
        raise EvaluationError(f"{case.label} is in the cohort twice: give its cycles different names.")


def _one_method(
    case: CohortCase, named: tuple[str, Image], settings: CohortSettings, cancelled: Cancelled
) -> _OfMethod:
    reference, (method, evaluated) = case.reference, named
    comparison = VoxelComparison(reference, evaluated)
    metrics = comparison.metrics(case.mask)
    everywhere = gamma_index(reference, evaluated, settings.gamma_of(reference), case.mask, silent, cancelled)
    above = above_cutoff(everywhere, reference, settings.cutoff_percent)
    lesions = [voi.mask for voi in case.vois if voi.kind == "lesion"]
    in_lesions = np.logical_or.reduce(lesions) if lesions else None
    row = CaseRow(
        patient=case.patient,
        cycle=case.cycle,
        method=method,
        **{name: getattr(metrics, name) for name in _SHARED},
        gamma_all_percent=_percent(everywhere.counts),
        gamma_all_judged=everywhere.counts.judged,
        gamma_cutoff_percent=_percent(above.counts),
        gamma_cutoff_judged=above.counts.judged,
        gamma_lesions_all_percent=_percent_in(everywhere, in_lesions),
        gamma_lesions_cutoff_percent=_percent_in(above, in_lesions),
        rms_beyond_noise_percent=_beyond_noise(case, evaluated, case.mask),
        dta_mm=everywhere.settings.dta_mm,
        seconds=case.seconds.get(method),
    )
    organs = organ_agreement(reference, evaluated, case.vois, case.density, comparison)
    volumes = tuple(
        _volume_row(case, named, (organ, group_of(voi, settings.groups)), (everywhere, above), voi.mask)
        for organ, voi in zip(organs, case.vois, strict=True)
    )
    warnings = (*negative_said(reference, evaluated), *above.warnings)
    return _OfMethod(row, volumes, voxel_spread(reference, evaluated, case.mask), warnings)


def _of_volumes(case: CohortCase) -> list[str]:
    return [text for voi in case.vois for text in voi.warnings]


#: Figures that a case's row takes over from VoxelMetrics, and a volume's row from its own and its organ's.
_SHARED = (
    *("voxels", "me_gy", "mae_gy", "mse_gy2", "rmse_gy", "psnr_db", "ssim", "relative_voxels", "re_percent"),
    *("rae_percent", "mape_percent", "correlation", "low_dose_correlation", "slope_origin", "slope_orthogonal"),
)
_OF_VOXELS = ("mae_gy", "rmse_gy", "re_percent", "rae_percent", "mape_percent", "correlation", "slope_origin",
              "slope_orthogonal")  # fmt: skip
_OF_ORGAN = (
    *("name", "kind", "volume_ml", "reference_mean_gy", "evaluated_mean_gy", "error_gy", "error_percent"),
    *("absolute_error_gy", "absolute_error_percent", "d98_error_percent", "d50_error_percent", "d2_error_percent"),
    *("reference_homogeneity_index", "evaluated_homogeneity_index", "dvh_r2"),
)


def _volume_row(
    case: CohortCase,
    named: tuple[str, Image],
    organ: tuple[OrganAgreement, str],
    gammas: tuple[GammaResult, GammaResult],
    mask: NDArray[np.bool_],
) -> VolumeRow:
    row, group = organ
    everywhere, above = gammas
    return VolumeRow(
        patient=case.patient,
        cycle=case.cycle,
        method=named[0],
        group=group,
        **{name: getattr(row, name) for name in _OF_ORGAN},
        **{name: getattr(row.metrics, name) for name in _OF_VOXELS},
        gamma_all_percent=_percent_in(everywhere, mask),
        gamma_cutoff_percent=_percent_in(above, mask),
        rms_beyond_noise_percent=_beyond_noise(case, named[1], mask),
    )


def _percent(counts: GammaCounts) -> float | None:
    return None if counts.pass_rate is None else 100.0 * counts.pass_rate


def _percent_in(result: GammaResult, mask: NDArray[np.bool_] | None) -> float | None:
    return None if mask is None else _percent(result.counts_in(mask))


def _beyond_noise(case: CohortCase, evaluated: Image, mask: NDArray[np.bool_] | None) -> float | None:
    """Of the mask's voxels, where the reference's error is known."""
    if case.reference_se is None:
        return None
    inside = np.ones(case.reference.grid.shape_zyx, dtype=bool) if mask is None else mask
    return rms_beyond_noise_percent(case.reference, evaluated, case.reference_se, inside)


def _told(settings: CohortSettings) -> CohortSettings:
    return replace(settings, groups=dict(settings.groups))


def _incomplete(rows: Sequence[CaseRow]) -> list[str]:
    """Methods that some cases lack: their means are over other patients than those of the others."""
    methods = list(dict.fromkeys(row.method for row in rows))
    cases = {(row.patient, row.cycle) for row in rows}
    counts = {method: sum(row.method == method for row in rows) for method in methods}
    return [
        f"{method} is given for {count} of {len(cases)} cases: its means are over those; tests pair the patients that "
        "have both."
        for method, count in counts.items()
        if count < len(cases)
    ]
