import json
from pathlib import Path

import pytest

from RPTDosimetryLib.transport.emission import Emission, line_emission

REFERENCE = Path(__file__).resolve().parents[3] / "../shared/reference"


@pytest.fixture(scope="session")
def egsnrc_kernels():
    """EGSnrc voxel S values by (nuclide, medium)."""
    path = REFERENCE / "vsv_egsnrc.json"
    if not path.is_file():
        pytest.skip("the EGSnrc voxel S values (../shared/reference/vsv_egsnrc.json) are not beside this checkout")
    return {(entry["nuclide"], entry["medium"]): entry for entry in json.loads(path.read_text())["kernels"]}


@pytest.fixture(scope="session")
def published_spheres():
    """Lu-177 sphere S values [Gy/(Bq·s)] by mass [g]."""
    path = REFERENCE / "decay_and_spheres.json"
    if not path.is_file():
        pytest.skip("the sphere S values (../shared/reference/decay_and_spheres.json) are not beside this checkout")
    values = json.loads(path.read_text())["sphere_s_value_gy_per_bq_s"]
    return {float(name.removesuffix("_g")): value for name, value in values.items() if name.endswith("_g")}


@pytest.fixture(scope="session")
def one_line():
    """An emission of one energy, one particle a decay."""

    def emission(energy_kev: float) -> Emission:
        return line_emission([(energy_kev, 1.0)])

    return emission
