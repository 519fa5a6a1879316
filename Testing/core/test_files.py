"""Files and folders appear whole or not at all."""

import errno

import pytest

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.files import whole_file, whole_folder


def test_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "dose.csv"
    with whole_file(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
    assert target.read_text() == "half"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("make", [whole_file, whole_folder])
def test_full_disk_leaves_the_old_result_and_nothing_else(tmp_path, make):
    target = tmp_path / "out"
    with make(target) as first:
        (first / "a" if first.is_dir() else first).write_text("old")
    with pytest.raises(ReportError, match="could not be written"), make(target) as second:  # noqa: PT012
        (second / "a" if second.is_dir() else second).write_text("new")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == [target]
    assert (target / "a" if target.is_dir() else target).read_text() == "old"


def test_any_failure_inside_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="physics"), whole_folder(tmp_path / "out") as folder:  # noqa: PT012
        (folder / "table.csv").write_text("x")
        raise ValueError("physics")
    assert list(tmp_path.iterdir()) == []
