"""The record holds hashes that another program confirms, and only JSON."""

import dataclasses
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from RPTDosimetryLib.configuration import RunSettings, settings_from
from RPTDosimetryLib.report.provenance import (
    LIBRARY,
    Origin,
    as_json,
    json_text,
    provenance_record,
    sha256_of,
    sha256_of_files,
    versions,
)


def test_hashes_agree_with_an_independent_program(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "scan.dcm").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1: SHA-256 of "abc"
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of_files([tmp_path / "a" / "scan.dcm"], tmp_path) == {"a/scan.dcm": known}


def test_every_kind_of_value_becomes_json():
    @dataclasses.dataclass
    class Settings:
        path: Path
        array: np.ndarray
        when: datetime

    value = {
        "settings": Settings(Path("/x"), np.array([1.5, math.nan]), datetime(2024, 5, 13, 9, 30)),
        1: (np.float32(0.5), np.int64(3), np.bool_(True), math.inf, None),
    }
    assert json.loads(json_text(value)) == {
        "settings": {"path": "/x", "array": [1.5, None], "when": "2024-05-13 09:30:00"},
        "1": [0.5, 3, True, None, None],
    }


def test_record_states_versions_and_disclaimer():
    record = as_json(provenance_record({"f": "0"}, {}, {}, {}, ["w"]))
    assert record["versions"]["numpy"] == np.__version__
    assert "Research software" in record["disclaimer"]
    assert record["warnings"] == ["w"]
    assert versions()["python"].count(".") == 2


def test_record_names_every_shipped_table_and_kernel():
    tables = provenance_record({}, {}, {}, {}, [])["tables_sha256"]
    assert {"physics/data/decay_Lu-177.json", "transport/data/Lu-177_soft_tissue.npz"} <= set(tables)
    assert all(sha256_of(LIBRARY / name) == digest for name, digest in list(tables.items())[:3])
    assert set(tables) == {p.relative_to(LIBRARY).as_posix() for p in LIBRARY.glob("*/data/**/*") if p.is_file()}


def test_settings_come_back_from_the_record():
    settings = RunSettings()
    record = json.loads(json_text(provenance_record({}, settings, {}, {}, [])))
    assert settings_from(record["settings"], "record") == settings
    assert set(record["settings_sha256"]) == set(record["settings"])


def test_origin_and_files_that_settings_name_are_recorded(tmp_path):
    (tmp_path / "curve.json").write_bytes(b"abc")

    @dataclasses.dataclass
    class Section:
        file: Path
        gone: Path
        word: str = "abc"

    settings = {"section": [Section(tmp_path / "curve.json", tmp_path / "gone.json")]}
    origin = Origin(tmp_path, datetime(2024, 5, 13, 9, 30, tzinfo=UTC))
    record = provenance_record({}, settings, {}, {}, [], origin)
    assert list(record["settings_files_sha256"]) == [str(tmp_path / "curve.json")]
    assert record["study"] == str(tmp_path)
    assert record["written"] == "2024-05-13T09:30:00+00:00"
