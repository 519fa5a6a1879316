"""What a node is in the case: attributes under one prefix, as text that survives saving, each with its own reader."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

PREFIX = "RPTDosimetry."
ROLE, TIME_POINT, FINGERPRINT, STEP = "Role", "TimePoint", "Fingerprint", "Step"

#: Roles of nodes. A step that makes another kind of node adds its role here.
SPECT, CT, CONTOURS, LABELS, SEGMENTS = "spect", "ct", "contours", "labels", "segments"  # of a time point, as read
ACTIVITY, ACTIVITY_CT = "activity", "activity_ct"  # of a time point, calibrated [Bq/mL]; the CT of joined beds
REGISTERED, ALIGNMENT = "registered", "alignment"  # of a time point, on the reference grid; how it got there
DEFORMATION, SEEN = "deformation", "seen"  # grid transform above an alignment; where every field of view reaches
CHECKERBOARD = "checkerboard"  # reference and time point in turns, for the eye; never saved
VOIS = "vois"  # the segmentation that kinetics and dose use
PREVIEW, LESION_PLACE = "preview", "lesion_place"  # a lesion that is being drawn; the point or box it is looked for at
DENSITY, MEDIUM, TIA, DOSE, DOSE_ERROR = "density", "medium", "tia", "dose", "dose_error"
CURVES, SCANS, CHART = "curves", "scans", "chart"  # tables of kinetics; a plot chart and its series
RELATIVE_ERROR, INTERIM = "relative_error", "interim"  # of a dose; a dose on its way, no result, never saved
ENGINE_MAP = "engine_map"  # what else an engine shows of its dose (DoseMap.extra_maps)
ORGAN_DOSES, DVHS, ISODOSE = "organ_doses", "dvhs", "isodose"  # made from the dose volumes
COMPARISON, COMPARED_DOSE, PROFILE = (
    "comparison",
    "compared_dose",
    "profile",
)  # maps and tables; a dose from a file; a line
EFFECT = "effect"  # maps of BED and EQD2, sums over cycles, tables of them
PREDICTION = "prediction"  # all that step Predict makes; what each is says its kind
SEQUENCE, BROWSER, SHOWN = "sequence", "browser", "shown"  # made from the rest, never saved

_written = [0]


def times_written() -> int:
    """How often an attribute was written: what was found by attributes holds until this changes."""
    return _written[0]


def write(node: Any, name: str, value: Any) -> None:
    """Set one attribute; None takes it away. Numbers keep every digit, dates are ISO 8601, the rest is JSON."""
    _written[0] += 1
    if value is None:
        node.RemoveAttribute(PREFIX + name)
    elif isinstance(value, datetime):
        node.SetAttribute(PREFIX + name, value.isoformat())
    elif isinstance(value, float):
        node.SetAttribute(PREFIX + name, repr(float(value)))
    elif isinstance(value, (str, int)):
        node.SetAttribute(PREFIX + name, str(value))
    else:
        node.SetAttribute(PREFIX + name, json.dumps(value, default=str, sort_keys=True))


def write_all(node: Any, **values: Any) -> None:
    """Set several attributes with one notification."""
    state = node.StartModify()
    try:
        for name, value in values.items():
            write(node, name, value)
    finally:
        node.EndModify(state)


def text(node: Any, name: str, default: str = "") -> str:
    """An attribute as it stands."""
    value = node.GetAttribute(PREFIX + name)
    return default if value is None else str(value)


def number(node: Any, name: str) -> float | None:
    """A number, or None where there is none."""
    value = node.GetAttribute(PREFIX + name)
    return None if value in (None, "") else float(value)


def whole_number(node: Any, name: str) -> int | None:
    """A whole number, or None where there is none."""
    value = node.GetAttribute(PREFIX + name)
    return None if value in (None, "") else int(value)


def moment(node: Any, name: str) -> datetime | None:
    """A date and time, or None where there is none."""
    value = node.GetAttribute(PREFIX + name)
    return None if value in (None, "") else datetime.fromisoformat(value)


def lines(node: Any, name: str) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(json.loads(node.GetAttribute(PREFIX + name) or "[]"))


def mapping(node: Any, name: str) -> dict[str, Any]:
    """A JSON object."""
    return dict(json.loads(node.GetAttribute(PREFIX + name) or "{}"))


def all_of(node: Any) -> Mapping[str, str]:
    """Every attribute of ours, by name without the prefix."""
    names: Sequence[str] = node.GetAttributeNames() or ()
    return {name[len(PREFIX) :]: node.GetAttribute(name) for name in names if name.startswith(PREFIX)}


def role(node: Any) -> str:
    """What the node is in the case; empty for a node of somebody else."""
    return text(node, ROLE)
