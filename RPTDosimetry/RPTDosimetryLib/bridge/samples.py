"""The sample case: a virtual patient made on this computer, nothing downloaded; also an entry of Sample Data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from RPTDosimetryLib.background import SAMPLE_SEED, Request

NAME = "RPT Dosimetry: virtual [177Lu]Lu-DOTATATE patient"
_CATEGORY = "RPT Dosimetry"


def sample_folder() -> Path:
    """Where the study of the sample case is kept: below Slicer's cache, by version."""
    from RPTDosimetryLib import __version__

    return Path(str(slicer.app.cachePath)) / "RPTDosimetry" / f"sample_case_{__version__}_{SAMPLE_SEED}"


def sample_request() -> Request:
    """What the background process is asked for."""
    return Request("sample_study", (sample_folder(), SAMPLE_SEED))


def register_sample(load: Callable[[], Any]) -> None:
    """Add the sample case to module Sample Data; choosing it there calls ``load``."""
    try:
        import SampleData
    except ImportError:  # a Slicer (or look-alike) without that module
        return
    sources = getattr(slicer.modules, "sampleDataSources", None)
    if sources is None:
        sources = slicer.modules.sampleDataSources = {}
    source = SampleData.SampleDataSource(
        sampleName=NAME,
        uris=[],
        fileNames=[],
        nodeNames=[],
        loadFiles=[],
        checksums=[],
        customDownloader=lambda _source: load(),
    )
    known = sources.setdefault(_CATEGORY, [])
    known[:] = [other for other in known if other.sampleName != NAME] + [source]
