"""The sample case clicked through once: known doses, the pictures of the documentation, and back from a saved scene."""

import types

import numpy as np
import pytest
from golden_views import FONTS, GOLDEN, THUMBNAIL, fonts, open_window, photographed
from scene_files import load_bundle, save_bundle
from test_panel import events, header
from test_self_test import run_self_test

#: Share of the pixels that may differ by more than a shade: anti-aliased edges, and the seconds that a job took.
DIFFERENT_SHARE = 0.02
SHADE = 40 / 255


def shown(panel):
    """What a user reads: the headers, and every cell of every table."""
    told = {}
    for key, step in panel.steps.items():
        panel.open_step(key)
        events()
        told[key] = [header(panel, key)]
        for name, widget in vars(step.ui).items():
            if widget.className() == "QTableWidget":
                cells = [[widget.item(r, c) for c in range(widget.columnCount)] for r in range(widget.rowCount)]
                told[key].append((name, [["" if item is None else item.text() for item in row] for row in cells]))
    return told


@pytest.fixture
def window(scene):
    """The window of the pictures."""
    window = open_window()
    yield window
    window.close()


@pytest.mark.slow
def test_the_clicked_sample_case_gives_the_known_doses_looks_as_its_pictures_and_comes_back(
    window, tmp_path, monkeypatch
):
    """One run of the self test for all three: it takes most of a minute."""
    import slicer

    import RPTDosimetry
    from RPTDosimetryLib.bridge import click_through

    pictures, panel, clicks = tmp_path / "now", window.panel, click_through.click_through

    def with_pictures(_panel, report_folder):
        for name in photographed(window, pictures, clicks):
            if name == "report":
                report_folder.mkdir()
            if name in panel.steps:
                yield name

    monkeypatch.setattr(click_through, "click_through", with_pictures)
    monkeypatch.setattr(slicer.util, "getModuleWidget", lambda _name: types.SimpleNamespace(panel=panel))
    monkeypatch.setattr(slicer.util, "selectModule", lambda _name: None)
    run_self_test(RPTDosimetry, "test_sample_case_clicked_through_gives_the_known_doses")
    assert [key for key in panel.steps if "✓ done" not in header(panel, key)] == ["predict"], panel.said  # optional
    before = shown(panel)
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert shown(panel) == before
    compare_with_golden(pictures)


def compare_with_golden(pictures):
    """Skips where the fonts are others: the pictures cannot be compared then."""
    from matplotlib.image import imread

    if FONTS.read_text(encoding="utf-8").strip() != fonts():
        pytest.skip(f"the pictures were made with other fonts than {fonts()}: run golden_views.py and look")
    made = {path.stem for path in pictures.glob("*.png")}
    assert {path.stem for path in GOLDEN.glob("*.png")} == made
    shares = {}
    for name in made:
        then, now = (imread(folder / f"{name}.png")[..., :3] for folder in (GOLDEN, pictures))
        assert then.shape == now.shape
        shares[name] = float(np.mean((np.abs(then - now) > SHADE).any(axis=-1)))
    assert max(shares.values()) <= DIFFERENT_SHARE, shares


def test_golden_pictures_are_small():
    assert all(path.stat().st_size <= 150_000 for path in GOLDEN.glob("*.png"))
    assert THUMBNAIL.stat().st_size <= 30_000
