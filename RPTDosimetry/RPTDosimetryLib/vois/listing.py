"""What a study has drawn: every structure with its meaning, its code and its volume as drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from RPTDosimetryLib.errors import VoiError
from RPTDosimetryLib.records import Code, Contours, Segment, Study, TimePoint
from RPTDosimetryLib.vois.contours import draw_contours
from RPTDosimetryLib.vois.delineate import LESION_PATTERN, kind_of, kind_of_segment
from RPTDosimetryLib.vois.label_map import label_volumes_ml
from RPTDosimetryLib.vois.names import canonical_name, code_of, name_of_code


def drawn_volumes(study: Study, lesion_pattern: str = LESION_PATTERN) -> dict[str, Any]:
    """Rows of plain values: time_point (from 1), name, canonical_name, code, kind, volume_ml, source, warnings.

    canonical_name and code are None where neither file nor name tells them; volume_ml is that of the drawing itself,
    not of a mask on the dose grid (contours: Σ area · slice spacing), None for a structure that encloses none. The
    study's own warnings come first: they tell which files of structures are not used.
    """
    rows = []
    for number, point in enumerate(study.time_points, start=1):
        for row in (*_contours(point, lesion_pattern), *_segments(point, lesion_pattern), *_labels(study, point)):
            rows.append({"time_point": number, **row})
    said = [*study.warnings, *(text for point in study.time_points for text in point.warnings)]
    said += [text for row in rows for text in row["warnings"]]
    return {"unit": "mL", "volumes": rows, "warnings": list(dict.fromkeys(said))}


def named(name: str, code: Code | None) -> dict[str, Any]:
    """name, canonical_name and code of one structure; the code of its file comes first."""
    found = code or code_of(name)
    canonical = (code and name_of_code(code)) or (canonical_name(name) if code_of(name) else None)
    return {"name": name, "canonical_name": canonical, "code": None if found is None else vars(found)}


def _contours(point: TimePoint, lesion_pattern: str) -> Iterator[dict[str, Any]]:
    for contours in point.structures:
        volume_ml, warnings = _drawn(contours, point)
        kind = kind_of(contours.name, lesion_pattern)
        yield _row(named(contours.name, None), kind, volume_ml, "contours", warnings)


def _drawn(contours: Contours, point: TimePoint) -> tuple[float | None, tuple[str, ...]]:
    try:
        drawn = draw_contours(contours, point.spect.grid)
    except VoiError as error:
        return None, (str(error),)
    outside = f"{contours.name}: {100 * drawn.outside_fraction:.1f} % of its volume lies outside the SPECT."
    return drawn.volume_ml, (*drawn.warnings, *((outside,) if drawn.outside_fraction > 0.005 else ()))


def _segments(point: TimePoint, lesion_pattern: str) -> Iterator[dict[str, Any]]:
    for segment in point.segments:
        kind = kind_of_segment(segment, lesion_pattern)
        yield _row(named(segment.name, segment.code), kind, _volume_ml(segment), "segment", ())


def _labels(study: Study, point: TimePoint) -> Iterator[dict[str, Any]]:
    if point.labels is None:
        return
    for label, volume_ml in sorted(label_volumes_ml(point.labels).items()):
        name = study.label_names.get(label, f"label {label}")
        yield _row(named(name, None), kind_of(name), volume_ml, f"label {label}", ())


def _volume_ml(segment: Segment) -> float:
    return float(np.count_nonzero(segment.mask)) * segment.grid.voxel_volume_ml


def _row(
    meaning: dict[str, Any], kind: str, volume_ml: float | None, source: str, warnings: tuple[str, ...]
) -> dict[str, Any]:
    return {**meaning, "kind": kind, "volume_ml": volume_ml, "source": source, "warnings": list(warnings)}
