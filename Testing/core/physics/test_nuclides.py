import json
import math
from pathlib import Path

import numpy as np
import pytest

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics import nuclides
from RPTDosimetryLib.physics.nuclides import canonical_name, evaluations, known_nuclides, nuclide

ALL = [(name, key) for name in known_nuclides() for key in evaluations(name)]
SHARED = Path(__file__).resolve().parents[3] / "../shared"


# Published totals per decay: EJNMMI Phys 2020 (doi 10.1186/s40658-020-00301-2), table 1, and EGSnrc source spectra.
@pytest.mark.parametrize(
    ("name", "quantity", "published_kev", "tolerance"),
    [
        ("Lu-177", "mean_beta_kev", 133.3, 5e-3),
        ("Lu-177", "mean_electron_kev", 147.9, 5e-3),
        ("Lu-177", "mean_electron_kev", 147.98, 5e-3),
        ("Lu-177", "mean_gamma_kev", 31.56, 5e-3),
        ("Lu-177", "mean_photon_kev", 35.10, 5e-3),
        ("Lu-177", "mean_auger_kev", 1.13, 0.02),
        # Newer conversion coefficients than those behind 13.52 keV; see docs/physics/decay-data.md.
        ("Lu-177", "mean_conversion_kev", 13.52, 0.02),
        ("I-131", "mean_electron_kev", 191.88, 5e-3),
        ("I-131", "mean_photon_kev", 382.76, 5e-3),
        ("Y-90", "mean_beta_kev", 932.3, 5e-3),
        ("Y-90", "mean_beta_kev", 933.6, 5e-3),
        ("Y-90", "mean_beta_kev", 926.7, 5e-3),
        ("Tb-161", "mean_beta_kev", 154.3, 5e-3),
        ("Tb-161", "mean_electron_kev", 202.5, 5e-3),
        ("Tb-161", "mean_photon_kev", 36.35, 0.02),
    ],
)
def test_energy_per_decay_is_the_published_one(name, quantity, published_kev, tolerance):
    assert getattr(nuclide(name), quantity) == pytest.approx(published_kev, rel=tolerance)


def test_kernel_reference_spectra_have_the_energy_of_ours():
    path = SHARED / "reference" / "vsv_egsnrc.json"
    if not path.is_file():
        pytest.skip("the reference kernels (../shared/reference) are not beside this checkout")
    for kernel in json.loads(path.read_text())["kernels"]:
        ours = nuclide(kernel["nuclide"]).mean_electron_kev
        assert ours == pytest.approx(kernel["electron_kev_per_decay"], rel=5e-3), kernel["nuclide"]


# Tables of LNHB: intensities per 100 decays of X rays, Auger and conversion electrons, from the same gamma data.
def test_atomic_radiation_of_lu_177_is_that_of_lnhb():
    lu = nuclide("Lu-177", "LNHB-2025")
    lx = sum(number for energy, number in lu.x_ray_lines if energy < 12)
    k_lines = [number for energy, number in lu.x_ray_lines if energy > 12]
    assert k_lines == pytest.approx([0.01555, 0.0272, 0.00898, 0.00240], rel=0.01)
    assert lx == pytest.approx(0.0312, rel=0.015)
    assert sum(number for _, number in lu.conversion_lines) == pytest.approx(0.14733, rel=5e-3)
    assert sum(number for energy, number in lu.auger_lines if energy > 40) == pytest.approx(0.00279, rel=0.03)
    assert sum(number for energy, number in lu.auger_lines if 4 < energy < 12) == pytest.approx(0.0848, rel=0.015)


def test_conversion_lines_of_lu_177_are_at_the_evaluated_energies():
    lines = nuclide("Lu-177", "LNHB-2025").conversion_lines
    k_113 = min(lines, key=lambda line: abs(line[0] - 47.599))
    assert k_113 == pytest.approx((47.599, 0.0503), rel=2e-3)


def test_decay_constant_of_lu_177_is_the_evaluated_one():
    assert nuclide("Lu-177").lambda_phys_per_s == pytest.approx(1.20743e-6, rel=1e-5)
    assert nuclide("Y-90").lambda_phys_per_s == pytest.approx(3.0065e-6, rel=1e-4)
    assert nuclide("I-131").half_life_s == pytest.approx(8.0252 * 86400, rel=1e-6)


# Q of the mass evaluation, keV: β end points and nuclear transitions together release it.
@pytest.mark.parametrize(
    ("name", "evaluation", "q_kev", "tolerance"),
    [
        ("Lu-177", "ENSDF-1993", 497.8, 5e-4),
        ("Lu-177", "LNHB-2025", 496.8, 5e-4),
        # 1.1 % of decays stop at the 163.9 keV isomer, which is left out: 1.8 keV.
        ("I-131", "ENSDF-2006", 970.8 - 1.8, 1.5e-3),
        ("I-131", "LNHB-2013", 970.8 - 1.8, 1.5e-3),
        ("Tb-161", "ENSDF-2011", 593.0, 3e-3),
    ],
)
def test_a_decay_releases_its_q_value(name, evaluation, q_kev, tolerance):
    what = nuclide(name, evaluation)
    end_points = sum(branch.end_point_kev * branch.intensity for branch in what.betas)
    nuclear = what.mean_photon_kev + what.mean_conversion_kev + what.mean_auger_kev
    assert end_points + nuclear == pytest.approx(q_kev, rel=tolerance)


@pytest.mark.parametrize(("name", "key"), ALL)
def test_spectrum_integrates_to_one_beta_and_ends_at_the_end_point(name, key):
    what = nuclide(name, key)
    spectrum = what.beta_spectrum
    assert spectrum.total_yield == pytest.approx(1.0, rel=1e-9)
    assert spectrum.end_point_kev == max(branch.end_point_kev for branch in what.betas)
    assert (spectrum.density_per_kev >= 0).all()
    assert (np.diff(spectrum.quantiles_kev) > 0).all()


@pytest.mark.parametrize(("name", "key"), ALL)
def test_sampling_the_quantiles_keeps_the_mean_and_the_moments(name, key):
    spectrum = nuclide(name, key).beta_spectrum
    q = spectrum.quantiles_kev
    position = np.random.default_rng(7).random(4_000_000) * (len(q) - 1)
    index = position.astype(int)
    sampled = q[index] + (position - index) * (q[index + 1] - q[index])
    linear = (q[1:] + q[:-1]).mean() / 2
    assert linear == pytest.approx(spectrum.mean_kev, rel=5e-5)
    assert sampled.mean() == pytest.approx(spectrum.mean_kev, rel=5e-4 + 4 * sampled.std() / sampled.mean() / 2000)
    second = np.trapezoid(spectrum.energy_kev**2 * spectrum.density_per_kev, spectrum.energy_kev)
    assert (sampled**2).mean() == pytest.approx(second, rel=3e-3)


@pytest.mark.parametrize(("name", "key"), ALL)
def test_lines_are_positive_and_sorted(name, key):
    for lines in (nuclide(name, key).electron_lines, nuclide(name, key).photon_lines):
        energies = [energy for energy, _ in lines]
        assert energies == sorted(energies)
        assert all(energy > 0 and 0 <= number < 4 for energy, number in lines)


@pytest.mark.parametrize(
    "spelling",
    ["Lu-177", "177Lu", "Lu177", "lu-177", "LU 177", "^177^Lutetium", "177Lutetium", "Lutetium-177", "[177Lu]"],
)
def test_common_spellings_are_understood(spelling):
    assert nuclide(spelling).name == "Lu-177"


@pytest.mark.parametrize("wrong", ["", "177", "Lu", "Lu-1777", "Lu-177m", "Lu-177 DOTATATE 2", "Unobtainium-1"])
def test_unknown_nuclides_are_refused_with_the_known_ones(wrong):
    with pytest.raises(PhysicsDataError, match=r"I-131, Lu-177.*Y-90"):
        nuclide(wrong)


def test_unknown_evaluation_is_refused_with_the_known_ones():
    with pytest.raises(PhysicsDataError, match="LNHB-2025"):
        nuclide("Lu-177", evaluation="ICRP-107")


def test_metastable_states_keep_their_m():
    assert canonical_name("99mTc") == canonical_name("Tc-99m") == "Tc-99m"


def test_every_data_file_names_its_sources():
    for path in nuclides.DATA.glob("decay_*.json"):
        for entry in json.loads(path.read_text(encoding="utf-8"))["evaluations"].values():
            assert all(len(text) > 20 for text in entry["sources"].values()), path.name
            assert entry["sources"], path.name


def test_first_named_evaluation_is_the_default():
    assert nuclide("Lu-177").evaluation == evaluations("Lu-177")[0]
    assert math.isclose(nuclide("Lu-177").half_life_s, 6.6443 * 86400)
