"""Sentences of the library in the panel's words: a setting that a file calls by its key has a label here."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge import attributes as at
from RPTDosimetryLib.bridge.volumes import UNIT

#: What the library says, and what the panel calls it; longer ones first where one holds another.
_WORDS = (
    ("give population_half_life_h for", _("give Population half-life in step Kinetics for")),
    ("population_half_life_h", _("Population half-life in step Kinetics")),
    ("tail_half_life_h", _("Tail half-life in step Kinetics")),
    ("scan_time_h", _("Scan of a single-time-point method in step Kinetics")),
    (" (registration.bspline_spacing_mm)", ""),
    ("registration.bspline_spacing_mm", _("distance of the knots")),
    ('set registration method = "none"', _("choose the method none in step Registration")),
    ('Registration method "none": the', _("Registration by the method none: the")),
    ("registration.transforms = ", _("Transforms from files: ")),
    ("registration.transforms", _("the field From files")),
    ("registration.reference", _("Reference")),
    ('engine = "elastix"', _("The search by elastix")),
    ('set engine = "simpleitk"', _("let simpleitk search")),
    ("([density] outside_ct decides what it counts as)", _("(Outside the CT, in step Segmentation, decides)")),
    ("give administered_activity_mbq in [study]", _("give it in step Study")),
    ("give its time_h in [[study.time_points]]", _("give it in step Study")),
    ("Give time_h or acquired in [[study.time_points]]", _("Give them in step Study")),
    ("set unit in [[study.time_points]]", _("choose the unit in step Study")),
    ("give the input it was made with, or name another file.", _("press Discard in step Dose.")),
    ("decays: it is", _("decays (At most, under Monte Carlo): it is")),
    ("Or choose device cpu.", _("Or choose the Device cpu under Monte Carlo.")),
    ("or say same_anatomy = true in cycles.previous where", _("or tick same anatomy, under Assumptions, where")),
    ("alpha_beta_gy of", _("α/β of")),
    ("repair_half_life_h of", _("repair half-time of")),
    ("cycles.previous wants", _("Earlier cycles, under Assumptions, want")),
    ("cycles.previous", _("Earlier cycles, under Assumptions")),
    ("(organ_fwhm_mm is not given)", _("(Outline of organs is not given, under Assumptions)")),
    ("(lesion_fwhm_mm is not given)", _("(Outline of lesions is not given, under Assumptions)")),
    ("(spect_fwhm_mm is not given)", _("(Resolution of the SPECT is not given, under Assumptions)")),
    ("protection.release_source", _("Rule, under Assumptions")),
    ("release_usv_per_h", _("the release limit")),
    ("Add it to the header, or give it.", _("Add it to the header, or give it under What the files do not tell.")),
    (
        "or give the minutes from injection to scan.",
        _("or give the minutes until the scan under What the files do not tell."),
    ),
    ("ssv_material", _("Kernel of ssv")),
    ('Install the extra: pip install "slicer-rpt-dosimetry[dl]".', _("Press Install under Hybrid in step Dose.")),
    (
        'device = "cuda", but torch finds no CUDA GPU here. Use device = "cpu".',
        _("The torch that is installed finds no CUDA GPU here: choose the Device cpu under Hybrid."),
    ),
)


def in_panel_words(text: str) -> str:
    """The same sentence with labels of the panel in place of keys of a settings file."""
    for said, called in _WORDS:
        text = text.replace(said, called)
    return text


def activity_title(node: Any) -> str:
    """What the legend of a SPECT says."""
    unit = at.text(node, UNIT, "unknown")
    return _("Activity, unit not known") if unit == "unknown" else _("Activity [{unit}]").format(unit=unit)
