"""Patients on real anatomies; they need the reference data in ../shared/data."""

import numpy as np
import pytest

from RPTDosimetryLib.errors import ConfigurationError, StudyError
from RPTDosimetryLib.learning.data_set import DataSetPlan
from RPTDosimetryLib.learning.real_patients import real_patient


def test_the_phantom_keeps_its_ct_and_gets_new_activity(shared):
    first, second = (real_patient("am", seed, shared / "data") for seed in (1, 2))
    assert np.array_equal(first.hu, second.hu)
    assert not np.array_equal(first.tia_bq_s, second.tia_bq_s)
    assert first.tia_bq_s[first.hu < -950].sum() == 0.0
    assert first.kinds["tumour_liver_30ml"] == "lesion"
    assert first.vois["liver"].sum() * first.grid.voxel_volume_ml == pytest.approx(1694, rel=0.01)


def test_a_folder_without_anatomies_is_named(tmp_path):
    with pytest.raises(StudyError, match="am"):
        real_patient("am", 1, tmp_path)
    with pytest.raises(ConfigurationError, match="no real anatomy"):
        DataSetPlan(real=str(tmp_path)).members()
