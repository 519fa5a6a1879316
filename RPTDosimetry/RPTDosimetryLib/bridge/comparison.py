"""A comparison of two dose volumes in the scene: which ones, its maps, figures, charts, and the line of the profile."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge import hierarchy
from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.comparison_charts import DIFFERENCES, VIOLINS, VOXELS, charts_of_comparison
from RPTDosimetryLib.bridge.dose_nodes import colour_of
from RPTDosimetryLib.bridge.geometry import grid_of_volume, lps_point
from RPTDosimetryLib.bridge.line_charts import KIND, Axes, Curve, chart_of
from RPTDosimetryLib.bridge.map_colours import diverging, dress, gamma_steps, symmetric_limit
from RPTDosimetryLib.bridge.segmentations import grid_of_segmentation
from RPTDosimetryLib.bridge.volumes import UNIT, image_of, volume_from_image
from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
from RPTDosimetryLib.errors import EvaluationError, GridMismatchError
from RPTDosimetryLib.records import Image, Voi

REFERENCE, EVALUATED = "RPTDosimetry.comparedReference", "RPTDosimetry.comparedEvaluated"
#: Kinds of nodes of role COMPARISON; the first three are maps, in the order of the box that shows them.
DIFFERENCE, RELATIVE, GAMMA = "difference", "relative error", "gamma"
COLOURS, ANSWER, ORGANS, HISTOGRAMS, PROFILES = "colours", "answer", "organs", "histograms", "profiles"
#: Charts in the order of the box of plots: its word, and the kind of the chart.
PLOTS = {"DVH": HISTOGRAMS, VOXELS: VOXELS, DIFFERENCES: DIFFERENCES, VIOLINS: VIOLINS, "profile": PROFILES}
MAPS = (DIFFERENCE, RELATIVE, GAMMA)
_RED, _BLUE = (0.84, 0.19, 0.15), (0.13, 0.40, 0.67)
#: Points of a histogram's curve in a chart; the figures come from the voxels themselves.
_EVERY = 4


def dose_volumes(case: Case) -> list[Any]:
    """Every volume of the scene whose values are Gy: ours, SlicerRT's, and any that states this unit."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if _is_dose(node) and node.GetImageData() is not None]


def _is_dose(node: Any) -> bool:
    role = at.role(node)
    if role:
        return role in (at.DOSE, at.COMPARED_DOSE)
    units = node.GetVoxelValueUnits()
    coded = "" if units is None else str(units.GetCodeValue() or "")
    return coded == "Gy" or node.GetAttribute("DicomRtImport.DoseVolume") == "1"


def chosen_doses(case: Case) -> tuple[Any, Any]:
    """Reference and evaluated volume as chosen; else the first and the next of the scene; None where there is none."""
    settings, offered = case.node_of_settings, dose_volumes(case)
    found = [settings.GetNodeReference(role) for role in (REFERENCE, EVALUATED)]
    free = [node for node in offered if node not in found]
    reference, evaluated = (node if node in offered else (free.pop(0) if free else None) for node in found)
    return reference, evaluated


def choose(case: Case, role: str, node: Any) -> None:
    """Remember a choice of REFERENCE or EVALUATED in the parameter node."""
    case.node_of_settings.SetNodeReferenceID(role, None if node is None else node.GetID())


def dose_image(node: Any) -> Image:
    """The absorbed dose of a volume [Gy]. Raises GridMismatchError under a transform, EvaluationError off the unit."""
    if node.GetParentTransformNode() is not None:
        raise GridMismatchError(
            f"{node.GetName()} lies under a transform: harden it in the module Transforms, or take it away."
        )
    image = image_of(node)
    stated = node.GetAttribute("DicomRtImport.DoseUnitName")
    if stated is not None and stated.upper() not in ("GY", "GRAY"):
        raise EvaluationError(f"{node.GetName()} is in {stated}, not in Gy: it cannot be compared.")
    return Image(image.voxels.astype(np.float32, copy=False), image.grid, "Gy")


def vois_on(case: Case, dose: Any) -> tuple[Voi, ...]:
    """The volumes of interest where they lie on the grid of a dose volume; none otherwise. Raises VoiError."""
    node = case.node(at.VOIS)
    if node is None or dose is None or not grid_of_segmentation(node).same_as(grid_of_volume(dose)):
        return ()
    return vois_of_case(case)


def voi_names(case: Case) -> list[str]:
    """Names of the segments, as they stand."""
    node = case.node(at.VOIS)
    if node is None:
        return []
    segmentation = node.GetSegmentation()
    return [str(segmentation.GetNthSegment(n).GetName()) for n in range(segmentation.GetNumberOfSegments())]


def density_on(case: Case, dose: Any) -> Image | None:
    """The density map where it lies on the grid of a dose volume."""
    node = case.node(at.DENSITY)
    if node is None or not grid_of_volume(node).same_as(grid_of_volume(dose)):
        return None
    return image_of(node)


def add_dose(case: Case, image: Image, name: str) -> Any:
    """A dose from a file as a volume that can be chosen."""
    node = volume_from_image(image, f"{name} [Gy]", at.DOSE)  # looks like a dose of the case
    at.write(node, at.ROLE, at.COMPARED_DOSE)  # but is none of its results
    at.write(node, UNIT, "Gy")
    _place(case, node)
    return node


def put_comparison(case: Case, made: Any, doses: tuple[Any, Any]) -> list[Any]:
    """Maps, figures and histograms of a Comparison in place of older ones; doses: the reference and evaluated node."""
    for old in case.nodes(at.COMPARISON):
        if at.text(old, KIND) != PROFILES:
            case.remove(old)
    nodes = _maps(made, doses)
    text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "Comparison of doses")
    told = {"figures": made.figures, "gamma": made.gamma_figures, "warnings": made.warnings}
    told["doses"] = [node.GetName() for node in doses]
    text.SetText(json.dumps(_plain(told)))
    at.write(text, KIND, ANSWER)
    nodes.append(text)
    if made.histograms:
        partial = _(", partial voxels") if made.figures["conventions"].get("partial_volume") else ""
        volume = _("Volume{partial} [%]").format(partial=partial)
        axes = Axes(_("DVH: reference solid, evaluated dashed"), _("Absorbed dose [Gy]"), volume, True)
        nodes += chart_of(_histogram_curves(case, made.histograms), axes, at.COMPARISON, HISTOGRAMS)
        nodes.append(_organ_table(made))
    nodes += charts_of_comparison(case, made)
    for node in nodes:
        at.write(node, at.ROLE, at.COMPARISON)
        _place(case, node)
    return nodes


def part(case: Case, kind: str) -> Any:
    """The node of a kind, or None; of charts, the chart."""
    found = [node for node in case.nodes(at.COMPARISON) if at.text(node, KIND) == kind]
    charts = [node for node in found if node.IsA("vtkMRMLPlotChartNode")]
    return (charts or found)[-1] if found else None


def answer(case: Case) -> dict[str, Any]:
    """Figures of the comparison in the scene, empty without one."""
    node = part(case, ANSWER)
    return {} if node is None else dict(json.loads(node.GetText()))


def _maps(made: Any, doses: tuple[Any, Any]) -> list[Any]:
    settings = made.gamma.settings
    local = _("local") if settings.local else _("global")
    gamma_name = f"Gamma {settings.dose_percent:g} % {local}, {settings.dta_mm:g} mm"
    nodes = []
    for kind, image, name in (
        (DIFFERENCE, _where_dose_is(made.difference, doses[0]), _("Dose difference [Gy]")),
        (RELATIVE, made.relative_error, _("Dose error [%]")),
        (GAMMA, made.gamma.gamma_index, gamma_name),
    ):
        node = volume_from_image(image, name, at.COMPARISON)
        if kind == GAMMA:
            top = settings.maximum_gamma
            colours = gamma_steps(f"{name} colours", top)
            low, high = 0.0, top
        else:
            colours = diverging(f"{name} colours")
            high = symmetric_limit(image.voxels)
            low = -high
        dress(node, colours, low, high)
        at.write(node, KIND, kind)
        at.write(colours, KIND, COLOURS)
        nodes += [colours, node]
    return nodes


def _where_dose_is(difference: Image, reference: Any) -> Image:
    """NaN, which is not drawn, where the reference gives no dose and nothing differs: around the patient, in air."""
    gray = slicer.util.arrayFromVolume(reference)
    nothing = (gray == 0) & (difference.voxels == 0)
    return difference.with_voxels(np.where(nothing, np.nan, difference.voxels).astype(np.float32))


def _histogram_curves(case: Case, histograms: Any) -> list[Curve]:
    curves = []
    for pair in histograms:
        for dvh, dashed in zip(pair, (False, True), strict=True):
            name = f"{dvh.name} ({_('evaluated') if dashed else _('reference')})"
            points = (dvh.dose_gy[::_EVERY], 100.0 * dvh.cumulative[::_EVERY])
            curves.append(Curve(name, *points, colour_of(case, dvh.name), dashed))
    return curves


ORGAN_COLUMNS = (
    ("name", "VOI", ""),
    ("reference_mean_gy", "reference [Gy]", ".4g"),
    ("evaluated_mean_gy", "evaluated [Gy]", ".4g"),
    ("error_gy", "difference [Gy]", "+.3g"),
    ("error_percent", "difference [%]", "+.2f"),
    ("d98_error_percent", "D98 [%]", "+.2f"),
    ("d50_error_percent", "D50 [%]", "+.2f"),
    ("d2_error_percent", "D2 [%]", "+.2f"),
    ("mape_percent", "MAPE [%]", ".2f"),
    ("correlation", "r", ".4f"),
    ("slope_origin", "slope", ".3f"),
    ("dvh_r2", "DVH R²", ".4f"),
    ("reference_homogeneity_index", "HI reference", ".3f"),
    ("evaluated_homogeneity_index", "HI evaluated", ".3f"),
    ("pass_rate_percent", "gamma [%]", ".1f"),
)


def organ_rows(told: dict[str, Any]) -> list[list[str]]:
    """The table of organs as text, in ORGAN_COLUMNS; a figure that does not exist (or did not when the scene was saved)
    is a dash.
    """
    passed = {row["name"]: row["pass_rate_percent"] for row in told["gamma"]["volumes"]}
    rows = []
    for row in told["figures"]["volumes"]:
        values = {**row["metrics"], **row, "pass_rate_percent": passed.get(row["name"])}
        rows.append([_cell(values.get(key), style) for key, _title, style in ORGAN_COLUMNS])
    return rows


def _cell(value: Any, style: str) -> str:
    return "–" if value is None else format(value, style)


def _organ_table(made: Any) -> Any:
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", _("Organ doses compared"))
    rows = organ_rows({"figures": made.figures, "gamma": made.gamma_figures})
    for number, (_key, title, _style) in enumerate(ORGAN_COLUMNS):
        column = vtk.vtkStringArray()
        column.SetName(title)
        for row in rows:
            column.InsertNextValue(row[number])
        node.AddColumn(column)
    at.write(node, KIND, ORGANS)
    return node


def _plain(told: dict[str, Any]) -> Any:
    from RPTDosimetryLib.report.provenance import as_json

    return as_json(told)


def _place(case: Case, node: Any) -> None:
    if not node.IsA("vtkMRMLDisplayableNode"):
        return
    study = hierarchy.study_item(at.text(case.node_of_settings, "PatientId"))
    hierarchy.place(node, hierarchy.result_item(study, _("Comparison")))


# the profile ----------------------------------------------------------------------------------------------------------


def profile_line(case: Case) -> Any:
    """The line of the profile, or None."""
    return case.node(at.PROFILE)


def new_profile_line(case: Case) -> Any:
    """A line without points in place of an older one."""
    for old in case.nodes(at.PROFILE):
        case.remove(old)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", _("Dose profile"))
    at.write(node, at.ROLE, at.PROFILE)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display is not None:
        display.SetSelectedColor(1.0, 1.0, 0.2)
    _place(case, node)
    return node


def ends_of(line: Any) -> Any:
    """Both ends in LPS [mm], as rows; None until both are placed."""
    if line is None or line.GetNumberOfDefinedControlPoints() < 2:
        return None
    ras = np.array([line.GetNthControlPointPositionWorld(n) for n in (0, 1)], dtype=np.float64)
    return lps_point(ras)


def put_profile(case: Case) -> Any:
    """The chart of both doses along the line, anew. Raises EvaluationError: no line, no two doses, one point twice."""
    from RPTDosimetryLib.evaluation.line_profile import line_profile

    ends, doses = ends_of(profile_line(case)), chosen_doses(case)
    if ends is None:
        raise EvaluationError("The line of the profile has no two points yet: place both in a slice view.")
    if None in doses:
        raise EvaluationError("Choose a reference and an evaluated dose first.")
    curves = []
    for node, colour, dashed in zip(doses, (_BLUE, _RED), (False, True), strict=True):
        distance_mm, gray = line_profile(dose_image(node), tuple(ends[0]), tuple(ends[1]))
        curves.append(Curve(node.GetName(), distance_mm, gray, colour, dashed))
    shown = _where_both_are(curves)
    for old in case.nodes(at.COMPARISON):
        if at.text(old, KIND) == PROFILES:
            case.remove(old)
    axes = Axes(_("Dose profile"), _("Distance [mm]"), _("Absorbed dose [Gy]"))
    return chart_of(shown, axes, at.COMPARISON, PROFILES)[-1]


def _where_both_are(curves: list[Curve]) -> list[Curve]:
    """Both at the finer one's points, where both doses are known. Raises EvaluationError where that is nowhere."""
    finest = max(curves, key=lambda curve: curve.x.size).x
    values = [np.interp(finest, curve.x, curve.y) for curve in curves]
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        raise EvaluationError("The line of the profile lies outside the doses: place it where both are.")
    return [replace(curve, x=finest[known], y=gray[known]) for curve, gray in zip(curves, values, strict=True)]


def profile_state(case: Case) -> str:
    """Changes with the line and the doses: whether the chart is still theirs."""
    ends = ends_of(profile_line(case))
    told = [] if ends is None else np.round(ends, 3).tolist()
    return json.dumps([told, case.content(chosen_doses(case))])


def place_line(node: Any) -> None:
    """Let the next two clicks in a view place the ends of the line."""
    logic = slicer.modules.markups.logic()
    logic.SetActiveList(node)
    logic.StartPlaceMode(False)
