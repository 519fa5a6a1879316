"""How far a network's dose is from Monte Carlo in patients left out, beside MSV: few figures, while it trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from RPTDosimetryLib.learning.network_registry import NetworkKind
from RPTDosimetryLib.learning.predict import predicted
from RPTDosimetryLib.learning.training_cases import TrainingCase

#: Of the reference's maximum: RAE counts voxels above it (physics: Mansouri's floor is not stated).
RAE_FLOOR = 0.01


def judged(kind: NetworkKind, module: Any, cases: Sequence[TrainingCase], most: int) -> dict[str, float]:
    """Means over patients: rae_percent and voi_percent (mean |error| of mean doses), of the network and of MSV, and
    score, the sum of both relative to MSV's: 2 is as good as MSV.
    """
    rows = []
    for case in cases[:most] if most else cases:
        dose, _, _ = predicted(kind, module, case.maps)
        network, msv = case_errors(case, dose), case_errors(case, case.maps["msv8"][0])
        row = {**network, **{f"msv_{key}": value for key, value in msv.items()}}
        row["score"] = network["rae_percent"] / msv["rae_percent"] + network["voi_percent"] / msv["voi_percent"]
        rows.append(row)
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def case_errors(case: TrainingCase, dose: Any) -> dict[str, float]:
    """rae_percent over voxels of at least 1 % of the highest Monte Carlo dose, voi_percent over all volumes."""
    mc, tissue = case.maps["mc"][0], case.maps["tissue"][0]
    counted = (mc >= RAE_FLOOR * mc.max()) & (tissue > 0)
    rae = ((dose - mc).abs()[counted] / mc[counted]).mean()
    errors = voi_errors(case, dose)
    vois = sum(abs(error) for error in errors.values()) / max(len(errors), 1)
    return {"rae_percent": 100.0 * float(rae), "voi_percent": max(100.0 * vois, 1e-6)}


def voi_errors(case: TrainingCase, dose: Any) -> Mapping[str, float]:
    """(mean dose − Monte Carlo's)/Monte Carlo's of each volume, energy per mass."""
    mass = (case.maps["density"] * case.maps["tissue"])[0].double()
    answer = {}
    for name, voi in zip(case.voi_names, case.maps["vois"], strict=True):
        energy, reference = (float((mass * d.double())[voi > 0].sum()) for d in (dose, case.maps["mc"][0]))
        if reference > 0.0:
            answer[name] = energy / reference - 1.0
    return answer
