"""The window looks as in the pictures of the documentation that somebody looked at; a tolerance for anti-aliasing."""

import numpy as np
import pytest
from golden_views import FONTS, GOLDEN, THUMBNAIL, fonts, make

#: Share of the pixels that may differ by more than a shade: anti-aliased edges, and the seconds that a job took.
DIFFERENT_SHARE = 0.02
SHADE = 40 / 255


@pytest.mark.slow
def test_steps_look_as_their_golden_pictures(scene, tmp_path):
    from matplotlib.image import imread

    if FONTS.read_text(encoding="utf-8").strip() != fonts():
        pytest.skip(f"the pictures were made with other fonts than {fonts()}: run golden_views.py and look")
    names = make(tmp_path / "now")
    assert {path.stem for path in GOLDEN.glob("*.png")} == set(names)
    shares = {}
    for name in names:
        then, now = (imread(folder / f"{name}.png")[..., :3] for folder in (GOLDEN, tmp_path / "now"))
        assert then.shape == now.shape
        shares[name] = float(np.mean((np.abs(then - now) > SHADE).any(axis=-1)))
    assert max(shares.values()) <= DIFFERENT_SHARE, shares


def test_golden_pictures_are_small():
    assert all(path.stat().st_size <= 150_000 for path in GOLDEN.glob("*.png"))
    assert THUMBNAIL.stat().st_size <= 30_000
