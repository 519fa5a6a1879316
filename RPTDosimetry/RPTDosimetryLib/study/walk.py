"""The files below a study folder."""

from __future__ import annotations

from pathlib import Path

from RPTDosimetryLib.errors import StudyError


def files_below(path: Path) -> tuple[Path, list[Path]]:
    """The root and all its files, sorted, hidden ones left out; a single file is its own study.

    Raises StudyError when there is no such folder or it is empty.
    """
    if path.is_file():
        return path.parent, [path]
    if not path.is_dir():
        raise StudyError(f"{path}: no such folder. Check the path of the study.")
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not files:
        raise StudyError(f"{path} is empty: put the SPECT/CT files of one patient there.")
    return path, files
