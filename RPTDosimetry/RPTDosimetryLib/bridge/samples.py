"""The sample case: a virtual patient made on this computer, nothing downloaded; also an entry of Sample Data."""

from __future__ import annotations

from pathlib import Path

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


def register_sample(thumbnail: str) -> None:
    """Add the sample case to module Sample Data; choosing it there opens the panel and presses its button."""
    try:
        from SampleData import SampleDataLogic
    except ImportError:  # a Slicer (or look-alike) without that module
        return
    SampleDataLogic.registerCustomSampleDataSource(
        category=_CATEGORY,
        sampleName=NAME,
        uris=[],
        fileNames=[],
        nodeNames=[],
        thumbnailFileName=thumbnail,
        customDownloader=lambda _source: _load_in_panel(),
    )


def _load_in_panel() -> None:
    """As the panel's button does it: in the background, errors as sentences. Code of now, should it be reloaded."""
    slicer.util.selectModule("RPTDosimetry")
    panel = slicer.util.getModuleWidget("RPTDosimetry").panel
    panel.open_step("study")
    panel.steps["study"].ui.sampleButton.click()
