"""The twenty media of msv20: Schneider's scale in finer bins."""

import numpy as np
import pytest

from RPTDosimetryLib.physics.hounsfield import SCHNEIDER_2000, density_from_hu
from RPTDosimetryLib.physics.media import SCHNEIDER_8, SCHNEIDER_20, media_scheme

#: Where the tissues of Schneider's scale end; above it are fillings and metal.
LAST_TISSUE_HU = 1600.0
# Schneider et al. 2000, as in GATE's Schneider2000MaterialsTable: per cent of H, C, O and Ca from a CT number on.
PUBLISHED = {
    -950: (10.3, 10.5, 74.9, 0.0), -120: (11.6, 68.1, 19.8, 0.0), -82: (11.3, 56.7, 30.8, 0.0),
    -52: (11.0, 45.8, 41.1, 0.0), -22: (10.8, 35.6, 50.9, 0.0), 8: (10.6, 28.4, 57.8, 0.0), 19: (10.3, 13.4, 72.3, 0.0),
    80: (9.4, 20.7, 62.2, 0.0), 120: (9.5, 45.5, 35.5, 4.5), 200: (8.9, 42.3, 36.3, 6.4), 300: (8.2, 39.1, 37.2, 8.3),
    400: (7.6, 36.1, 38.0, 10.1), 500: (7.1, 33.5, 38.7, 11.7), 600: (6.6, 31.0, 39.4, 13.2),
    700: (6.1, 28.7, 40.0, 14.6), 800: (5.6, 26.5, 40.5, 15.9), 900: (5.2, 24.6, 41.1, 17.0),
    1000: (4.9, 22.7, 41.6, 18.1), 1100: (4.5, 21.0, 42.0, 19.2), 1200: (4.2, 19.4, 42.5, 20.1),
    1300: (3.9, 17.9, 42.9, 21.0), 1400: (3.6, 16.5, 43.2, 21.9), 1500: (3.4, 15.5, 43.5, 22.5),
}  # fmt: skip


def medium_at(hu):
    return SCHNEIDER_20.medium(int(SCHNEIDER_20.media_from_hu(np.array([hu]))[0]))


def test_there_are_twenty_tissues_and_air():
    assert len(SCHNEIDER_20.tissue) == 20
    assert SCHNEIDER_20.medium(0).is_air
    assert media_scheme("msv20") is SCHNEIDER_20


@pytest.mark.parametrize("hu", PUBLISHED)
def test_compositions_are_those_of_the_scale(hu):
    """To 0.1 % as published; where bins are joined, within the step between them."""
    fractions = medium_at(hu).material.mass_fractions
    step = 2.0 if hu >= 500 else 0.05
    for symbol, published in zip(("H", "C", "O", "Ca"), PUBLISHED[hu], strict=True):
        assert 100 * fractions.get(symbol, 0.0) == pytest.approx(published, abs=step + (2.5 if hu >= 1400 else 0.0))


def test_reference_density_is_the_mean_of_the_curve_over_the_bin():
    for medium in SCHNEIDER_20.tissue:
        low, high = medium.hu_range
        hu = np.linspace(low, min(high, LAST_TISSUE_HU), 100_001)
        mean = float(np.trapezoid(density_from_hu(hu, SCHNEIDER_2000).astype(float), hu) / (hu[-1] - hu[0]))
        assert medium.reference_density_g_per_cm3 == pytest.approx(mean, abs=2e-4), medium.name


def test_density_rises_from_medium_to_medium():
    densities = [medium.reference_density_g_per_cm3 for medium in SCHNEIDER_20.tissue]
    assert densities == sorted(densities)


def test_no_density_of_a_tissue_is_further_from_its_kernel_than_with_eight_media():
    """The density rule bridges at most a factor of two in lung (with eight media five), 5 % in soft tissue."""
    hu = np.arange(-949.5, LAST_TISSUE_HU)
    density = density_from_hu(hu).astype(float)

    def bridged(scheme):
        reference = np.array([medium.reference_density_g_per_cm3 for medium in scheme.media])
        ratio = density / reference[scheme.media_from_hu(hu)]
        return np.maximum(ratio, 1 / ratio)

    eight, twenty = bridged(SCHNEIDER_8), bridged(SCHNEIDER_20)
    lung, soft, bone = hu < -120, (hu >= -120) & (hu < 120), hu >= 120
    assert eight[lung].max() > 4.5
    assert twenty[lung].max() < 2.0
    assert twenty[soft].max() < 1.05
    assert twenty[bone].max() < 1.09
    assert all(twenty[part].mean() < eight[part].mean() for part in (lung, soft, bone))


@pytest.mark.parametrize(
    ("hu", "name"),
    [(-3024, "air"), (-951, "air"), (-950, "lung1"), (-850, "lung2"), (-120.01, "lung5"), (-120, "adipose1"),
     (18.9, "adipose5"), (19, "soft"), (79, "soft"), (80, "connective"), (120, "bone01"), (499, "bone04"),
     (500, "bone05_06"), (1199, "bone09_11"), (1200, "bone12_15"), (9000, "bone12_15")],
)  # fmt: skip
def test_edges_belong_to_the_medium_above(hu, name):
    assert medium_at(hu).name == name
