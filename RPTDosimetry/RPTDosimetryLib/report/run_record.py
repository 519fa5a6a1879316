"""A finished run as its folder holds it: the record, and files that are what the record says they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from RPTDosimetryLib import __version__
from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.report.provenance import RECORD_FORMAT, sha256_of

PROVENANCE: Final = "provenance.json"
_NEEDED: Final = ("versions", "settings", "steps", "outputs_sha256", "patient")


@dataclass(frozen=True)
class RunRecord:
    """told: provenance.json as it stands. folder: where its files lie. compared: rows of a comparison, by file name."""

    told: Mapping[str, Any]
    folder: Path

    def step(self, name: str) -> Any:
        """What a step stated of itself; None where the run had no such step."""
        return self.told["steps"].get(name)

    def has(self, name: str) -> bool:
        """Whether the run wrote a file of that name."""
        return name in self.told["outputs_sha256"]

    def file(self, name: str) -> Path:
        """A file of the run that is still what it was. Raises ReportError: not of this run, missing, or changed."""
        path = self.folder / name
        known = self.told["outputs_sha256"].get(name)
        if known is None:
            raise ReportError(f"{self.folder / PROVENANCE} knows no file {name}: repeat the run with this version.")
        if not path.is_file():
            raise ReportError(f"{path} is missing: put it back, or repeat the run (rptdosimetry replay).")
        if sha256_of(path) != known:
            raise ReportError(
                f"{path} is no longer what the run wrote (its SHA-256 has changed): put the original back, or repeat "
                "the run (rptdosimetry replay)."
            )
        return path

    def rows(self, name: str) -> list[dict[str, str]]:
        """The lines of a table of the run, by column."""
        with self.file(name).open(newline="", encoding="utf-8") as handle:
            return list(csv.DictReader(handle))

    @property
    def other_version(self) -> str:
        """A sentence where another version of the program made the run; empty where this one did."""
        then = str(self.told["versions"].get("SlicerRPTDosimetry", "?"))
        if then == __version__:
            return ""
        return f"Computed by version {then}; this document was written by version {__version__}."

    def require_unchanged(self, names: Sequence[str] | None = None) -> None:
        """Check every file of the run, or those named. Raises ReportError for the first that is missing or changed."""
        for name in sorted(self.told["outputs_sha256"]) if names is None else names:
            self.file(name)


def read_run_record(path: Path) -> RunRecord:
    """The record in a results folder, or the file itself.

    Raises ReportError: no such file, not a record, or one of a format that this version does not know.
    """
    file = path / PROVENANCE if path.is_dir() else path
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(
            f"{file} cannot be read ({error.strerror}): give the provenance.json of a run, or its folder."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"{file} is not JSON ({error}): give the provenance.json of a run.") from error
    if not isinstance(told, dict) or not isinstance(told.get("outputs_sha256"), dict):
        raise ReportError(f"{file} is not the record of a run: give its provenance.json.")
    lacking = [key for key in _NEEDED if not isinstance(told.get(key), dict)]
    form = told.get("record_format")
    if lacking or form != RECORD_FORMAT:
        made = told.get("versions", {}).get("SlicerRPTDosimetry", "an unknown version")
        raise ReportError(
            f"{file} was written by version {made} in record format {form or 'without a number'}; this is version "
            f"{__version__}, which reads format {RECORD_FORMAT}. Repeat the run (rptdosimetry replay) and use its "
            "record."
        )
    return RunRecord(told, file.parent)
