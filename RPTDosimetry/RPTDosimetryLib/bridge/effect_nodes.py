"""Biological effect in the scene: maps of BED and EQD2, sums over all cycles, and the tables that go with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.charts import table_of_columns
from RPTDosimetryLib.bridge.dose_colours import dose_colours
from RPTDosimetryLib.bridge.line_charts import KIND
from RPTDosimetryLib.bridge.map_colours import dress
from RPTDosimetryLib.bridge.volumes import DOSE_SEEN_FROM, volume_from_image

if TYPE_CHECKING:
    from RPTDosimetryLib.report.effects import DoseEffects

#: Kinds of maps (report.assessment_tables.MAPS): name of the volume before its engine, title of its legend.
NAMES: Final = {
    "bed": (_("BED"), _("BED [Gy]")),
    "eqd2": (_("EQD2"), _("EQD2 [Gy]")),
    "cumulative_dose": (_("Dose of all cycles"), _("Dose, all cycles [Gy]")),
    "cumulative_bed": (_("BED of all cycles"), _("BED, all cycles [Gy]")),
}
#: Quantities that are no absorbed dose though their unit is Gy: code, scheme, meaning.
_QUANTITIES: Final = {
    "bed": ("127005", "99RPT", "Biologically effective dose"),
    "eqd2": ("127006", "99RPT", "Equieffective dose in fractions of 2 Gy"),
    "cumulative_bed": ("127005", "99RPT", "Biologically effective dose"),
}
_TOLD, _TABLE = "told", "table"


def put_effects(case: Case, found: tuple[DoseEffects, ...]) -> list[Any]:
    """Maps and tables of each engine, in place of all older ones; returns the nodes."""
    from RPTDosimetryLib.report.assessment_tables import MAPS
    from RPTDosimetryLib.report.provenance import as_json

    for old in case.nodes(at.EFFECT):
        case.remove(old)
    nodes = []
    for one in found:
        for kind, image in one.maps.items():
            node = volume_from_image(image, f"{NAMES[kind][0]} {one.engine} [Gy]", at.EFFECT)
            _state_quantity(node, kind)
            _dress(node, kind)
            at.write_all(node, Kind=kind, Engine=one.engine, Method=MAPS[kind][1])
            nodes.append(node)
        text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", f"Biological effect {one.engine}")
        kept = {"rows": one.rows, "told": one.told, "warnings": one.warnings}
        text.SetText(json.dumps(as_json(kept)))
        table = table_of_columns(_columns(one), f"Biological effect {one.engine}", at.EFFECT)
        for node, kind in ((text, _TOLD), (table, _TABLE)):
            at.write_all(node, Role=at.EFFECT, Kind=kind, Engine=one.engine)
        nodes += [text, table]
    folder = hierarchy.result_item(
        hierarchy.study_item(at.text(case.node_of_settings, "PatientId")), _("Biological effect")
    )
    for node in nodes:
        if not node.IsA("vtkMRMLTextNode"):
            hierarchy.place(node, folder)
    return nodes


def effect_map(case: Case, engine: str, kind: str) -> Any:
    """The volume of one of NAMES, or None."""
    return _node(case, engine, kind)


def effect_engines(case: Case) -> list[str]:
    """Engines whose doses have been weighted, in the order of the scene."""
    return [at.text(node, "Engine") for node in case.nodes(at.EFFECT) if at.text(node, KIND) == _TOLD]


def effects_told(case: Case, engine: str) -> dict[str, Any]:
    """rows, told and warnings of DoseEffects as JSON has them; empty where there are none."""
    node = _node(case, engine, _TOLD)
    return {} if node is None else dict(json.loads(node.GetText()))


def _node(case: Case, engine: str, kind: str) -> Any:
    found = [node for node in case.nodes(at.EFFECT) if at.text(node, KIND) == kind]
    return next((node for node in found if at.text(node, "Engine") == engine), None)


def _columns(one: DoseEffects) -> dict[str, Any]:
    """Columns of text or numbers for a table node; NaN where there is no number."""
    columns: dict[str, Any] = {}
    for name in one.rows[0] if one.rows else ():
        values = [row[name] for row in one.rows]
        if any(isinstance(value, str) for value in values):
            columns[name] = ["" if value is None else str(value) for value in values]
        else:
            columns[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return columns


def _state_quantity(node: Any, kind: str) -> None:
    coded = _QUANTITIES.get(kind)
    if coded is not None:
        entry = slicer.vtkCodedEntry()
        entry.SetValueSchemeMeaning(*coded)
        node.SetVoxelValueQuantity(entry)


def _dress(node: Any, kind: str) -> None:
    values = slicer.util.arrayFromVolume(node)
    known = values[np.isfinite(values)]
    top = float(known.max()) if known.size else 0.0
    dress(node, dose_colours(), 0.0, top if top > 0 else 1.0)
    if kind == "cumulative_dose" and top > 0:  # known everywhere, next to nothing in most of it: the CT stays readable
        node.GetDisplayNode().SetThreshold(DOSE_SEEN_FROM * top, top * (1 + 1e-6))
