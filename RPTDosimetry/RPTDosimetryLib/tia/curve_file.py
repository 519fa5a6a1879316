"""A time-activity curve in a JSON file, and the answer to it in the same units."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import KineticsError
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.records import KineticFit, TimeActivityCurve
from RPTDosimetryLib.tia.bootstrap import BootstrapSettings, bootstrap
from RPTDosimetryLib.tia.selection import akaike_weights, fit_curve
from RPTDosimetryLib.tia.settings import FitSettings, VoiKind
from RPTDosimetryLib.tia.side_by_side import side_by_side
from RPTDosimetryLib.units import BQ_PER_MBQ, S_PER_H

NEEDED = ("time_h", "activity_mbq", "nuclide")
ALLOWED = (*NEEDED, "standard_error_mbq")


def read_curve(path: Path) -> TimeActivityCurve:
    """{"time_h": [...], "activity_mbq": [...], "nuclide": "Lu-177"}, optionally "standard_error_mbq": [...].

    Times since administration, activity at scan time (not decay-corrected). Raises KineticsError: no such file, not
    JSON, a key missing or unknown, values that are not numbers, lengths that differ; PhysicsDataError: unknown nuclide.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KineticsError(f"{path} cannot be read: {error.strerror}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise KineticsError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise KineticsError(f"{path}: a JSON object with {', '.join(NEEDED)} is needed.")
    missing = [key for key in NEEDED if key not in content]
    unknown = [key for key in content if key not in ALLOWED]
    if missing or unknown:
        what = f"{', '.join(missing)} missing" if missing else f"{', '.join(unknown)} unknown"
        raise KineticsError(f"{path}: {what}. A curve has {', '.join(NEEDED)} and may have standard_error_mbq.")
    if not isinstance(content["nuclide"], str):
        raise KineticsError(f'{path}: nuclide must be a name such as "Lu-177".')
    time_h = _numbers(content["time_h"], "time_h", path)
    activity_mbq = _numbers(content["activity_mbq"], "activity_mbq", path)
    if time_h.size != activity_mbq.size:
        raise KineticsError(f"{path}: {time_h.size} times and {activity_mbq.size} activities; one for each is needed.")
    errors = content.get("standard_error_mbq")
    substance = nuclide(content["nuclide"])
    return TimeActivityCurve(
        time_h * S_PER_H,
        activity_mbq * BQ_PER_MBQ,
        substance.name,
        substance.lambda_phys_per_s,
        None if errors is None else _numbers(errors, "standard_error_mbq", path) * BQ_PER_MBQ,
    )


def _numbers(values: Any, key: str, path: Path) -> NDArray[np.float64]:
    numbers = isinstance(values, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not numbers or not values:
        raise KineticsError(f"{path}: {key} must be a list of numbers.")
    return np.asarray(values, dtype=np.float64)


def curve_answer(
    curve: TimeActivityCurve,
    model: str = "auto",
    settings: FitSettings | None = None,
    kind: VoiKind = "organ",
    how: BootstrapSettings | None = None,
) -> dict[str, Any]:
    """What the command line prints as JSON; with ``how`` a bootstrap beside the covariance.

    "side_by_side" holds the methods with few scans against the multi-point fit, null for a curve of one scan.
    Where models have an AICc, "delta_aicc" is its distance from the lowest, "aicc_weight" e^(−Δ/2)/Σ e^(−Δ/2).

    "parameters" are in the units of the curve file (MBq, 1/h, h), "parameters_si" the same in Bq, 1/s, s. Missing
    uncertainties are null. Raises KineticsError.
    """
    settings = settings or FitSettings()
    fit = fit_curve(curve, model, settings, kind)
    answer = _fit_answer(fit)
    answer["nuclide"] = curve.nuclide
    answer["settings"] = {key: value for key, value in asdict(settings).items() if value is not None}
    if how is not None:
        found = bootstrap(curve, fit.model, settings, how)
        answer["uncertainty"]["bootstrap"] = {
            "kind": found.kind,
            "replicates": int(found.tia_bq_s.size),
            "seed": found.seed,
            "tia_se_bq_s": found.tia_se_bq_s,
            "tia_interval_95_bq_s": list(found.interval_bq_s),
        }
    few = side_by_side(curve, fit, settings, kind) if curve.time_s.size > 1 else None
    answer["side_by_side"] = None if few is None else few.answer()
    answer["warnings"] = list(fit.warnings)
    answer["alternatives"] = [
        {**_fit_answer(other), "warnings": list(other.warnings)}
        for other in sorted(fit.alternatives, key=lambda f: f.model)
    ]
    weights = akaike_weights((fit, *fit.alternatives))
    for told in (answer, *answer["alternatives"]):
        told["delta_aicc"], told["aicc_weight"] = weights.get(told["model"], (None, None))
    return answer


def _fit_answer(fit: KineticFit) -> dict[str, Any]:
    return {
        "model": fit.model,
        "tia_bq_s": fit.tia_bq_s,
        "tia_mbq_h": fit.tia_bq_s / (BQ_PER_MBQ * S_PER_H),
        "extrapolated_fraction": fit.extrapolated_fraction,
        "parameters": _in_file_units(fit.parameters),
        "parameters_si": dict(fit.parameters),
        "uncertainty": {
            "tia_se_bq_s": fit.tia_se_bq_s,
            "tia_relative_se": None if fit.tia_se_bq_s is None else fit.tia_se_bq_s / fit.tia_bq_s,
            "parameter_se": _in_file_units(fit.parameter_se),
        },
        "aicc": fit.aicc,
    }


def _in_file_units(values: Any) -> dict[str, float]:
    """a_bq -> a_mbq, lambda_eff_per_s -> lambda_per_h, scan_time_s -> scan_time_h."""
    told = {}
    for name, value in values.items():
        if name.endswith("_per_s"):
            told[name.removesuffix("_per_s").replace("_eff", "") + "_per_h"] = value * S_PER_H
        elif name.endswith("_bq"):
            told[name.removesuffix("_bq") + "_mbq"] = value / BQ_PER_MBQ
        elif name.endswith("_s"):
            told[name.removesuffix("_s") + "_h"] = value / S_PER_H
        else:
            told[name] = value
    return told


def curve_table(answer: dict[str, Any]) -> str:
    """The answer for people."""
    lines = [_line(answer)]
    errors = answer["uncertainty"]["parameter_se"]
    for name, value in answer["parameters"].items():
        lines.append(f"  {name} = {value:.6g}" + (f" ± {errors[name]:.2g}" if name in errors else ""))
    found = answer["uncertainty"].get("bootstrap")
    if found:
        low, high = (x / (BQ_PER_MBQ * S_PER_H) for x in found["tia_interval_95_bq_s"])
        lines.append(
            f"  {found['kind']} bootstrap, {found['replicates']} replicates: 95 % in {low:.5g} to {high:.5g} MBq·h"
        )
    if answer["alternatives"]:
        lines.append("Other models:")
        lines += ["  " + _line(other) for other in answer["alternatives"]]
    if answer["side_by_side"]:
        lines += _few_scans_lines(answer["side_by_side"])
    lines += [f"Note: {text}" for text in answer["warnings"]]
    return "\n".join(lines)


def _few_scans_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"With fewer scans, against {found['multi_point']['model']}:"]
    for few in found["few_scans"]:
        hours = " and ".join(f"{t:.4g}" for t in few["scan_time_h"])
        lines.append(f"  {few['method']} ({hours} h): {few['tia_mbq_h']:.6g} MBq·h, {few['difference_percent']:+.1f} %")
    return lines + [f"  {method}: {reason}" for method, reason in found["not_possible"].items()]


def _line(answer: dict[str, Any]) -> str:
    relative = answer["uncertainty"]["tia_relative_se"]
    return (
        f"{answer['model']}: Ã = {answer['tia_bq_s']:.6g} Bq·s = {answer['tia_mbq_h']:.6g} MBq·h"
        + (f" ± {relative:.1%}" if relative is not None else "")
        + f", {answer['extrapolated_fraction']:.1%} of it after the last scan"
        + (f", ΔAICc {answer['delta_aicc']:.1f}" if answer["delta_aicc"] is not None else "")
    )
