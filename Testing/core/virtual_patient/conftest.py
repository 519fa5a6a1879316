"""One virtual patient for the whole folder."""

import pytest

from RPTDosimetryLib.virtual_patient.torso_patient import torso_patient


@pytest.fixture(scope="session")
def torso():
    return torso_patient(3)
