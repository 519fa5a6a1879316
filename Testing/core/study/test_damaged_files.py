"""Files damaged at random: either they still make a study or one clear error, never another exception."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import DosimetryError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.inspect import inspect_table
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.virtual_patient.dicom_writer import write_rtstruct


@pytest.fixture
def study_files(write, spect, hu, patient, visit, grid):
    labels = np.zeros(grid.shape_zyx, dtype=int)
    labels[1:3, 2:4, 2:5] = 1
    write.nm(spect)
    write.ct(hu)
    write.pt(spect.with_voxels(spect.voxels[::-1].copy()), visit(2, 24))
    write_rtstruct(Image(labels, grid, "1"), {1: "liver"}, write.folder / "rs.dcm", patient, visit())
    names = ("nm.dcm", "rs.dcm", "ct/CT0001.dcm", "pt/PT0003.dcm")
    return write.folder, {name: (write.folder / name).read_bytes() for name in names}


@given(
    name=st.sampled_from(["nm.dcm", "rs.dcm", "ct/CT0001.dcm", "pt/PT0003.dcm"]),
    where=st.floats(0, 1),
    change=st.sampled_from(["byte", "cut", "remove", "zero"]),
    value=st.integers(0, 255),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_never_ends_in_another_exception(study_files, name, where, change, value):
    folder, whole = study_files
    content = bytearray(whole[name])
    # the header is the delicate part: at most the first 4 kB
    at = 132 + int(where * (min(len(content), 4096) - 133))
    if change == "byte":
        content[at] = value
    elif change == "cut":
        del content[at:]
    elif change == "remove":
        del content[at : at + 1 + value % 8]
    else:
        content[at : at + 4] = bytes(4)
    (folder / name).write_bytes(content)
    try:
        with contextlib.suppress(DosimetryError):
            inspect_table(read_study(folder))
    finally:
        (folder / name).write_bytes(whole[name])
