"""The window looks as it did when somebody last looked: golden pictures, with a tolerance for anti-aliasing."""

import numpy as np
import pytest
from golden_views import GOLDEN, fonts, make

#: Share of the pixels that may differ by more than a shade: anti-aliased edges, and the seconds that a job took.
DIFFERENT_SHARE = 0.02
SHADE = 40 / 255


@pytest.mark.slow
def test_steps_look_as_their_golden_pictures(scene, tmp_path):
    from matplotlib.image import imread

    known = GOLDEN / "fonts.txt"
    if not known.exists() or known.read_text(encoding="utf-8").strip() != fonts():
        pytest.skip(f"the golden pictures were made with other fonts than {fonts()}: run golden_views.py and look")
    names = make(tmp_path / "now")
    assert {path.stem for path in GOLDEN.glob("*.png")} == set(names)
    shares = {}
    for name in names:
        then, now = (imread(folder / f"{name}.png")[..., :3] for folder in (GOLDEN, tmp_path / "now"))
        assert then.shape == now.shape
        shares[name] = float(np.mean((np.abs(then - now) > SHADE).any(axis=-1)))
    assert max(shares.values()) <= DIFFERENT_SHARE, shares


def test_golden_pictures_are_small():
    assert all(path.stat().st_size <= 60_000 for path in GOLDEN.glob("*.png"))
