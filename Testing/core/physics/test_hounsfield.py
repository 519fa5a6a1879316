import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.hounsfield import (
    SCHNEIDER_2000,
    HuCurve,
    ambiguous_densities,
    density_from_hu,
    density_warnings,
    hu_from_density,
    hu_warnings,
)


def test_density_of_the_torso_is_the_given_one_to_the_last_bit(torso):
    density = density_from_hu(torso["hu"])
    assert density.dtype == np.float32
    assert np.array_equal(density, torso["density_gcc"])


# Schneider 2000: ρ = 1.017 + 0.592e-3·HU (bone), 1.018 + 0.893e-3·HU (−98 to 14), 1.003 + 1.169e-3·HU (23 to 100).
@pytest.mark.parametrize(
    ("hu", "density"),
    [
        (-1000, 1.21e-3),
        (0, 1.018),
        (-50, 1.018 - 0.893e-3 * 50),
        (50, 1.003 + 1.169e-3 * 50),
        (500, 1.017 + 0.592e-3 * 500),
    ],
)
def test_curve_follows_the_published_formulas(hu, density):
    assert density_from_hu(np.array(hu)) == pytest.approx(density, rel=1.5e-3)


def test_beyond_its_ends_the_curve_stays_at_its_end_and_says_so():
    hu = np.array([-3024, -3024, 0, 4000], dtype=np.int16)
    assert density_from_hu(hu).tolist() == pytest.approx([1.21e-3, 1.21e-3, 1.0174, 2.8], rel=1e-3)
    air, metal = hu_warnings(hu)
    assert "2 CT voxels (50.0 %)" in air
    assert "air" in air
    assert "1 CT voxels are above 3000" in metal
    assert hu_warnings(np.array([-1000, 3000])) == ()


@given(hu=st.integers(-1000, 3000).filter(lambda value: not 100 < value < 175))
def test_inverse_gives_back_the_hu_outside_the_doubtful_stretch(hu):
    assert hu_from_density(density_from_hu(np.array([hu])))[0] == hu


@given(density=st.floats(1.21e-3, 2.8))
def test_inverse_gives_a_hu_of_that_density(density):
    back = density_from_hu(hu_from_density(np.array([density], dtype=np.float64)))
    assert back[0] == pytest.approx(density, abs=2e-5)


def test_doubtful_densities_are_the_lower_hu_and_counted():
    assert ambiguous_densities() == ((1.0762, 1.1199),)
    density = np.array([1.0, 1.08, 1.1, 1.13])
    assert hu_from_density(density)[1:3] == pytest.approx([65.4, 82.8], abs=0.1)
    assert hu_from_density(np.array([1.12]))[0] == pytest.approx(175.0, abs=0.5)
    (warning,) = density_warnings(density)
    assert warning.startswith("2 voxels")
    assert density_warnings(np.array([1.0, 1.0762, 1.1199])) == ()


def test_a_rising_curve_is_inverted_exactly():
    curve = HuCurve("scanner", ((-1000.0, 0.001), (0.0, 1.0), (1000.0, 1.6)))
    hu = np.linspace(-1000, 1000, 41)
    assert ambiguous_densities(curve) == ()
    assert hu_from_density(density_from_hu(hu, curve), curve) == pytest.approx(hu, abs=0.02)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (((0.0, 1.0),), "two or more"),
        (((0.0, 1.0), (0.0, 1.1)), "rise in HU"),
        (((0.0, 1.0), (100.0, -1.0)), "0 or less"),
        (((0.0, 1.0), (100.0, float("nan"))), "finite"),
    ],
)
def test_curves_that_cannot_be_are_refused(points, message):
    with pytest.raises(PhysicsDataError, match=message):
        HuCurve("odd", points)


def test_schneider_is_named_and_sourced():
    assert SCHNEIDER_2000.name == "schneider-2000"
    assert "Schneider" in SCHNEIDER_2000.source
