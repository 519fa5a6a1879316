"""Whether TotalSegmentator can be used here: the program itself, or Slicer's extension of that name."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import slicer
from slicer.i18n import tr as _

from RPTDosimetryLib.bridge.case import Case


def why_no_total_segmentator(case: Case) -> str:
    """Why its organs cannot be had here; empty when they can."""
    from RPTDosimetryLib.vois.total_segmentator import COMMAND

    if not any(point.ct is not None for point in case.time_points()):
        return _("TotalSegmentator needs a CT, and the study has none: draw the organs, or take them from files.")
    if shutil.which(COMMAND) is not None or find_spec("totalsegmentator") is not None:
        return ""
    if hasattr(slicer.modules, "totalsegmentator"):
        return _(
            "TotalSegmentator's extension is here, its Python packages are not: open the module TotalSegmentator and "
            "press Apply once; its segmentation can also be taken over here."
        )
    return _(
        "TotalSegmentator is not installed: install the extension of that name in the Extensions Manager (several "
        "gigabytes with PyTorch), or take the organs from files."
    )
