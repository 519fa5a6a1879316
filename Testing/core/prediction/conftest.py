"""The theranostic patient of Testing/conftest.py as a case."""

from __future__ import annotations

import pytest

from RPTDosimetryLib.prediction.pet_case import PetCase, case_of


@pytest.fixture(scope="session")
def case(stored) -> PetCase:
    return case_of(stored)
