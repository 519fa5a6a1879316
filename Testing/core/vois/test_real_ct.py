"""Real CTs: fit for organ networks as they are, refused when spoilt; labels off their CT are refused."""

from pathlib import Path

import pytest

from RPTDosimetryLib.errors import GridMismatchError, VoiError
from RPTDosimetryLib.study.read_ct import read_ct
from RPTDosimetryLib.vois.ct_fitness import require_fit_for_organs
from RPTDosimetryLib.vois.from_file import vois_from_file

DATA = Path(__file__).parents[3] / "../shared/data"


def real(name):
    if not (DATA / name).exists():
        pytest.skip(f"../shared/data/{name} is not beside this checkout")
    return DATA / name


@pytest.mark.parametrize("name", ["example_ct/example_ct.nii.gz", "abdomen_ct/CRLM-CT-1006/image"])
def test_real_cts_are_fit_and_their_spoilt_copies_are_not(name):
    ct = read_ct(real(name))
    assert require_fit_for_organs(ct) == ()
    for spoilt in (ct.voxels + 1024, ct.voxels - 1024, ct.voxels + 100, ct.voxels / 1000):
        with pytest.raises(VoiError, match="values from"):
            require_fit_for_organs(ct.with_voxels(spoilt))


def test_labels_that_lie_elsewhere_than_their_ct_are_refused():
    ct = read_ct(real("example_ct/example_ct.nii.gz"))
    with pytest.raises(GridMismatchError, match=r"example_seg\.nii\.gz.*grids differ"):
        vois_from_file(real("example_ct/example_seg.nii.gz"), ct.grid)
