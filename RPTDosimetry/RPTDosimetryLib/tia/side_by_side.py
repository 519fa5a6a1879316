"""What fewer scans would have given: two-point and single-point results beside the multi-point one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.checks import checked_curve
from RPTDosimetryLib.tia.models.two_point import scan_pair
from RPTDosimetryLib.tia.registry import kinetic_model
from RPTDosimetryLib.tia.selection import fit_curve
from RPTDosimetryLib.tia.settings import FitSettings, VoiKind
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

#: Methods that use one or two scans of a curve.
FEW_SCANS: Final = ("two_point", "haenscheid", "madsen")


@dataclass(frozen=True)
class FewScans:
    """Ã of a method with few scans. difference_percent = 100·(Ã/Ã_multi-point − 1)."""

    method: str
    scan_time_s: tuple[float, ...]
    tia_bq_s: float
    tia_se_bq_s: float | None
    difference_percent: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SideBySide:
    """The multi-point fit, the methods that could be used, and why others could not (method -> reason)."""

    multi_point: KineticFit
    few_scans: tuple[FewScans, ...]
    not_possible: Mapping[str, str]

    @property
    def largest_difference_percent(self) -> float | None:
        """The difference of largest size, with its sign; None where no other method could be used."""
        return max((few.difference_percent for few in self.few_scans), key=abs, default=None)

    def answer(self) -> dict[str, Any]:
        """JSON-ready, in the units of a curve file."""
        return {
            "multi_point": {"model": self.multi_point.model, **_tia(self.multi_point.tia_bq_s)},
            "few_scans": [
                {
                    "method": few.method,
                    "scan_time_h": [t / S_PER_H for t in few.scan_time_s],
                    **_tia(few.tia_bq_s),
                    "tia_se_bq_s": few.tia_se_bq_s,
                    "difference_percent": few.difference_percent,
                    "warnings": list(few.warnings),
                }
                for few in self.few_scans
            ],
            "not_possible": dict(self.not_possible),
            "largest_difference_percent": self.largest_difference_percent,
        }


def side_by_side(
    curve: TimeActivityCurve,
    multi_point: KineticFit | None = None,
    settings: FitSettings | None = None,
    kind: VoiKind = "organ",
) -> SideBySide:
    """Every method with few scans on one curve, against the multi-point fit (None, or a fit with few scans: "auto").

    A method leaves out all other scans. Where "auto" cannot fit the curve, a fit with few scans that was given is the
    measure itself. Raises KineticsError for a curve of one scan, or one that cannot be fitted at all.
    """
    settings = settings or FitSettings()
    ordered, _ = checked_curve(curve)
    measure = multi_point
    if multi_point is None or multi_point.model in FEW_SCANS:
        try:
            measure = fit_curve(ordered, "auto", settings, kind)
        except KineticsError:
            if multi_point is None:
                raise
    assert measure is not None  # a fit was given, or auto made one
    found, not_possible = [], {}
    for method in FEW_SCANS:
        try:
            fit = kinetic_model(method).fit(ordered, settings)
        except KineticsError as error:
            not_possible[method] = str(error)
            continue
        found.append(
            FewScans(
                method,
                _scans(method, fit, ordered),
                fit.tia_bq_s,
                fit.tia_se_bq_s,
                100.0 * (fit.tia_bq_s / measure.tia_bq_s - 1.0),
                fit.warnings,
            )
        )
    return SideBySide(measure, tuple(found), not_possible)


def side_by_side_of_vois(
    curves: Mapping[str, tuple[TimeActivityCurve, KineticFit]], settings: FitSettings | None = None
) -> dict[str, SideBySide]:
    """By name, for every VOI with activity and at least two scans."""
    return {
        name: side_by_side(curve, fit, settings)
        for name, (curve, fit) in curves.items()
        if fit.tia_bq_s > 0 and curve.time_s.size > 1
    }


def side_by_side_rows(found: Mapping[str, SideBySide]) -> list[dict[str, Any]]:
    """One row a VOI and method, the multi-point one first: for a table."""
    rows = []
    for name, several in found.items():
        fit = several.multi_point
        row = {"name": name, "method": f"multi-point ({fit.model})", "scan_time_h": "all", **_tia(fit.tia_bq_s)}
        rows.append({**row, "difference_percent": 0.0})
        for few in several.few_scans:
            hours = " ".join(f"{t / S_PER_H:.4g}" for t in few.scan_time_s)
            row = {"name": name, "method": few.method, "scan_time_h": hours, **_tia(few.tia_bq_s)}
            rows.append({**row, "difference_percent": few.difference_percent})
    return rows


def _scans(method: str, fit: KineticFit, curve: TimeActivityCurve) -> tuple[float, ...]:
    if method == "two_point":
        return tuple(float(t) for t in curve.time_s[scan_pair(curve.time_s)])
    return (float(fit.parameters["scan_time_s"]),)


def _tia(tia_bq_s: float) -> dict[str, float]:
    return {"tia_bq_s": tia_bq_s, "tia_mbq_h": tia_bq_s / (BQ_PER_MBQ * S_PER_H)}
