"""Photons in air at 1 m, against published coefficients and constants."""

import numpy as np
import pytest

from RPTDosimetryLib.physics.air_kerma import (
    AMBIENT_KEV,
    AMBIENT_PSV_CM2,
    air_energy_transfer_cm2_per_g,
    ambient_sv_cm2,
    electron_share,
    photon_field_constant,
)
from RPTDosimetryLib.physics.nuclides import nuclide

#: μ_en/ρ of dry air [cm²/g]: Hubbell and Seltzer, NISTIR 5632.
NIST_KEV = np.array([20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 600, 800, 1000.0])
NIST = np.array(
    [0.5389, 0.1537, 0.06833, 0.04098, 0.03041, 0.02407, 0.02325, 0.02496, 0.02672, 0.02872, 0.02949, 0.02966, 0.02953,
     0.02882, 0.02789]
)  # fmt: skip
UGY_PER_GBQ_H = 1e9 * 3600 * 1e6


def test_energy_transfer_in_air_agrees_with_nist():
    assert air_energy_transfer_cm2_per_g(NIST_KEV) == pytest.approx(NIST, rel=0.015)


def test_share_of_the_compton_electron_at_low_energy_is_that_of_one_collision():
    """⟨T⟩/E → k for k ≪ 1 (k = E/511 keV): the mean of 1 − cos θ is 1."""
    assert electron_share(np.array([0.511])) == pytest.approx([1e-3], rel=5e-3)


def test_iodine_131_has_the_constant_of_the_handbooks():
    """2.2 R·cm²/(mCi·h), US NRC Regulatory Guide 8.39, table A.1; 1 R is 8.76 mGy of air kerma."""
    published = 2.2 * 8.76e-3 * 1e-4 / 3.7e7 * 1e6 * 1e9
    ours = photon_field_constant(nuclide("I-131")).air_kerma_gy_m2_per_bq_s * UGY_PER_GBQ_H
    assert ours == pytest.approx(published, rel=0.01)


def test_lutetium_177_by_hand():
    """208.4 keV (11.0 %), 112.9 keV (6.4 %) and 55 keV X rays, NIST coefficients between their table values."""
    lines = [kv for kv in nuclide("Lu-177").photon_lines if kv[0] >= 20]
    kerma = sum(
        kev * 1.602176634e-16 * number * float(np.exp(np.interp(np.log(kev), np.log(NIST_KEV), np.log(NIST)))) * 1e3
        for kev, number in lines
    ) / (4 * np.pi * 1e4)
    found = photon_field_constant(nuclide("Lu-177"))
    assert found.air_kerma_gy_m2_per_bq_s == pytest.approx(kerma, rel=0.01)
    assert 4.1 < found.air_kerma_gy_m2_per_bq_s * UGY_PER_GBQ_H < 4.4
    assert found.ambient_sv_m2_per_bq_s / found.air_kerma_gy_m2_per_bq_s == pytest.approx(1.45, abs=0.15)


def test_the_dose_rate_lies_above_what_is_measured_at_patients():
    """Bellamy et al. 2022 (Radiat Prot Dosim 198:1476): 3.7 µSv/(h·GBq) at 1 m of 230 patients, at most 0.07/7.2."""
    ours = photon_field_constant(nuclide("Lu-177")).ambient_sv_m2_per_bq_s * UGY_PER_GBQ_H
    assert 3.7 < ours < 2 * 3.7


def test_ambient_dose_follows_its_table():
    assert ambient_sv_cm2(np.array(AMBIENT_KEV, dtype=float)) * 1e12 == pytest.approx(AMBIENT_PSV_CM2)


def test_a_pure_beta_emitter_has_next_to_none():
    assert photon_field_constant(nuclide("Y-90")).ambient_sv_m2_per_bq_s * UGY_PER_GBQ_H < 0.01
