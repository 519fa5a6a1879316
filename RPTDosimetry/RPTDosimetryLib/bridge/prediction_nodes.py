"""A prediction in the scene: PET, CT, predicted dose and its uncertainty, organ table, histograms; each says so."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.charts import KIND, table_of_columns
from RPTDosimetryLib.bridge.dose_colours import dose_colours
from RPTDosimetryLib.bridge.map_colours import dress
from RPTDosimetryLib.bridge.volumes import volume_from_image

if TYPE_CHECKING:
    from RPTDosimetryLib.prediction.pet_case import OrganDose, PetCase
    from RPTDosimetryLib.prediction.predict_study import StudyPrediction
    from RPTDosimetryLib.records import Image

#: Kinds of nodes of role PREDICTION.
PET, CT, DOSE, UNCERTAINTY = "pet", "ct", "dose", "uncertainty"
ANSWER, ORGANS, HISTOGRAMS = "answer", "organs", "histograms"
#: Stands at the beginning of the name of every node that holds predicted figures.
_MARK = "PREDICTION"
#: Points of a drawn histogram: every fourth bin, and the first in place of 0 Gy, which a logarithm does not have.
POINTS = np.r_[1, np.arange(4, 1001, 4)]
#: What a physician looks for comes first.
_FIRST = ("kidneys", "liver", "spleen", "lesion_bone", "lesion_soft", "marrow", "bladder", "bowel", "pancreas")
#: Scales end where this many of the kidneys' voxels do.
_KIDNEYS_PERCENTILE = 99.0
#: A map is drawn from this share of its scale.
_SEEN_FROM = 0.02


def put_prediction(case: Case, found: StudyPrediction, activity_gbq: float) -> list[Any]:
    """Everything of a prediction for a planned activity [GBq], in place of an older one; returns the nodes."""
    from RPTDosimetryLib.prediction.predict_study import in_gy, predicted_histograms

    for old in case.nodes(at.PREDICTION):
        case.remove(old)
    predicted = found.predicted
    made = _put_volumes(found, in_gy(predicted.map_gy_per_gbq, activity_gbq), activity_gbq)
    if predicted.spread is not None:
        name = f"{_MARK}: standard uncertainty of the dose [Gy]"
        spread = volume_from_image(in_gy(predicted.spread, activity_gbq), name, at.PREDICTION)
        made.append(_dressed(spread, UNCERTAINTY, _top(made[-1], found)))  # on the scale of the dose
    answer = _answer(found, activity_gbq)
    text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", f"{_MARK}: figures")
    text.SetText(json.dumps(answer, default=str))
    at.write(text, KIND, ANSWER)
    table = table_of_columns(_organ_columns(answer), f"{_MARK}: organ doses", at.PREDICTION)
    at.write(table, KIND, ORGANS)
    histograms = predicted_histograms(found.case, predicted)
    curves = table_of_columns(_histogram_columns(histograms, answer), f"{_MARK}: DVH", at.PREDICTION)
    at.write_all(curves, Kind=HISTOGRAMS, Names=[histogram.name for histogram in histograms])
    made += [text, table, curves]
    for node in made:
        at.write_all(node, Role=at.PREDICTION, Notice=answer["mark"])
        _place(case, node)
    return made


def part(case: Case, kind: str) -> Any:
    """The node of a kind, or None."""
    return next((node for node in case.nodes(at.PREDICTION) if at.text(node, KIND) == kind), None)


def answer_of(case: Case) -> dict[str, Any]:
    """Figures of the prediction in the scene; empty without one."""
    node = part(case, ANSWER)
    return {} if node is None else dict(json.loads(node.GetText()))


def organs_of(answer: dict[str, Any]) -> list[OrganDose]:
    """The predicted organ doses, every digit kept."""
    from RPTDosimetryLib.prediction.pet_case import OrganDose

    return [OrganDose(**{**row, "unlike": tuple(row["unlike"])}) for row in answer.get("organs", ())]


def in_order(names: Iterable[str]) -> list[str]:
    """Kidneys first, what is known less at the end."""
    return sorted(names, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))


def by_others(answer: dict[str, Any], organ: str) -> dict[str, OrganDose]:
    """The dose of an organ by each other method; withheld where that gives none."""
    from RPTDosimetryLib.prediction.pet_case import OrganDose

    found = {name: organs_of({"organs": rows}) for name, rows in answer["others"].items()}
    none = OrganDose(organ, None, None, None)
    return {name: next((one for one in organs if one.name == organ), none) for name, organs in found.items()}


def _put_volumes(found: StudyPrediction, dose: Image, activity_gbq: float) -> list[Any]:
    """CT and PET on the grid of the prediction, and the predicted dose."""
    ct = volume_from_image(found.case.ct, _("CT of the PET, as predicted from [HU]"), at.CT)  # looks like a CT
    pet = volume_from_image(found.case.pet, f"PET {found.case.tracer} [SUV]", at.SPECT)  # looks like activity
    pet.GetDisplayNode().SetWindowLevelMinMax(0.0, _top(pet, found))
    at.write(ct, KIND, CT)
    at.write(pet, KIND, PET)
    name = f"{_MARK}: dose by {found.predicted.method} for {activity_gbq:g} GBq [Gy]"
    node = volume_from_image(dose, name, at.PREDICTION)
    at.write_all(
        node,
        Method=found.predicted.text,
        Agent=found.case.agent,
        Tracer=found.case.tracer,
        ActivityGbq=float(activity_gbq),
        Warnings=list(found.notes),
    )
    return [ct, pet, _dressed(node, DOSE, _top(node, found))]


def _dressed(node: Any, kind: str, top: float) -> Any:
    dress(node, dose_colours(), 0.0, top)
    node.GetDisplayNode().SetThreshold(_SEEN_FROM * top, max(float(slicer.util.arrayFromVolume(node).max()), top))
    at.write(node, KIND, kind)
    return node


def _top(node: Any, found: StudyPrediction) -> float:
    """Where the scale ends: with the kidneys, since one lesion or the bladder would leave every organ dark."""
    top = float(np.percentile(slicer.util.arrayFromVolume(node)[found.case.organs["kidneys"]], _KIDNEYS_PERCENTILE))
    return top if top > 0 else 1.0


def _answer(found: StudyPrediction, activity_gbq: float) -> dict[str, Any]:
    from dataclasses import asdict

    from RPTDosimetryLib.prediction.pet_case import MARK

    predicted, case = found.predicted, found.case
    return {
        "mark": MARK,
        "method": predicted.method,
        "how": predicted.text,
        "tracer": case.tracer,
        "agent": case.agent,
        "activity_gbq": float(activity_gbq),
        "scan_time_min": case.scan_time_min,
        "weight_kg": case.weight_kg,
        "injected_bq": found.study.injected_bq,
        "suv": found.study.how,
        "aligned": None if found.prepared.alignment is None else found.prepared.alignment.displacement_mm,
        "kidneys_at_lps_mm": _middle_mm(case, "kidneys"),
        "organs": [asdict(organ) for organ in predicted.organs],
        "others": {name: [asdict(organ) for organ in organs] for name, organs in found.others.items()},
        "failed": dict(found.failed),
        "warnings": list(predicted.warnings),
        "notes": [*found.study.warnings, *found.prepared.notes],
    }


def _middle_mm(case: PetCase, organ: str) -> list[float]:
    """Where an organ lies (LPS): slices through it show more than those through the hottest voxel, which is urine."""
    k, j, i = np.argwhere(case.organs[organ]).mean(axis=0)
    return [float(x) for x in (case.pet.grid.lps_from_ijk @ [i, j, k, 1.0])[:3]]


def _organ_columns(answer: dict[str, Any]) -> dict[str, Any]:
    organs, activity = organs_of(answer), answer["activity_gbq"]
    figures = {
        "mean": [organ.mean_gy_per_gbq for organ in organs],
        "low 95 %": [organ.low_gy_per_gbq for organ in organs],
        "high 95 %": [organ.high_gy_per_gbq for organ in organs],
    }
    columns: dict[str, Any] = {"organ": [organ.name for organ in organs]}
    numbers = {title: _numbers(values) for title, values in figures.items()}
    columns |= {f"{title} [Gy/GBq]": values for title, values in numbers.items()}
    columns |= {f"{title} [Gy]": values * activity for title, values in numbers.items()}
    for name in answer["others"]:
        by_name = [by_others(answer, organ.name)[name] for organ in organs]
        columns[f"{name} mean [Gy/GBq]"] = _numbers([one.mean_gy_per_gbq for one in by_name])
        columns[f"{name} low 95 % [Gy/GBq]"] = _numbers([one.low_gy_per_gbq for one in by_name])
        columns[f"{name} high 95 % [Gy/GBq]"] = _numbers([one.high_gy_per_gbq for one in by_name])
    columns["remark"] = ["; ".join(organ.unlike) for organ in organs]
    columns["notice"] = [answer["mark"]] * len(organs)
    return columns


def _histogram_columns(histograms: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """By organ: dose [Gy] for the planned activity as predicted, at both ends of the interval, and volume [%].

    The ends scale the whole curve by that of the mean: how dose spreads inside an organ is not in the interval.
    """
    organs = {organ.name: organ for organ in organs_of(answer)}
    columns = {}
    for histogram in histograms:
        organ, gray = organs[histogram.name], histogram.dose_gy[POINTS] * answer["activity_gbq"]
        mean = organ.mean_gy_per_gbq or np.nan
        columns[f"{histogram.name} [Gy]"] = gray
        columns[f"{histogram.name} low [Gy]"] = gray * ((organ.low_gy_per_gbq or 0.0) / mean)
        columns[f"{histogram.name} high [Gy]"] = gray * ((organ.high_gy_per_gbq or 0.0) / mean)
        columns[f"{histogram.name} [%]"] = 100.0 * histogram.cumulative[POINTS]
    return columns


def _numbers(values: list[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _place(case: Case, node: Any) -> None:
    study = hierarchy.study_item(at.text(case.node_of_settings, "PatientId"))
    hierarchy.place(node, hierarchy.result_item(study, _("Prediction before therapy")))
