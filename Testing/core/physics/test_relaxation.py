import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.relaxation import (
    AtomicData,
    Transition,
    auger_lines,
    conversion_lines,
    x_ray_lines,
)

HAFNIUM = AtomicData(
    binding_kev={"K": 65.35, "L": 10.27, "M": 2.09, "N": 0.26},
    omega_k=0.95,
    omega_l=0.269,
    n_kl=0.828,
    kx_lines=((54.6, 1.555), (55.8, 2.72), (63.3, 0.898), (65.1, 0.24)),
    lx_kev=8.93,
    auger_klx=0.54,
    auger_kxy=0.074,
)

coefficient = st.floats(0.0, 10.0)


@given(energy=st.floats(70.0, 1000.0), intensity=st.floats(1e-6, 1.0), alpha=st.tuples(*[coefficient] * 4))
def test_electrons_and_x_rays_carry_the_converted_energy(energy, intensity, alpha):
    transition = (Transition(energy, intensity, alpha),)
    lines = conversion_lines(transition, HAFNIUM) + x_ray_lines(transition, HAFNIUM) + auger_lines(transition, HAFNIUM)
    emitted = sum(kev * number for kev, number in lines)
    assert emitted == pytest.approx(intensity * sum(alpha) * energy, rel=1e-9, abs=1e-12)
    assert all(number >= 0 for _, number in lines)


def test_a_transition_below_the_k_edge_cannot_convert_there():
    with pytest.raises(PhysicsDataError, match="shell K"):
        conversion_lines((Transition(60.0, 0.1, (1.0, 0.1, 0.0, 0.0)),), HAFNIUM)
