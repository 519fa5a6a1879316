"""Cameras are kept, found, replaced on purpose and removed; broken files are named."""

import dataclasses
from datetime import date

import pytest

from RPTDosimetryLib.calibration.camera_library import (
    Camera,
    add_camera,
    camera,
    camera_names,
    remove_camera,
)
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.files import user_folder

SYMBIA = Camera(
    name="Symbia T",
    nuclide="Lu-177",
    factor_cps_per_bq=9.4e-6,
    calibrated=date(2024, 5, 2),
    collimator="MEGP",
    window="208 keV ± 10 %",
    source="NEMA phantom, OSEM 4i8s",
    factor_relative_se=0.03,
    dead_time_s=4.6e-6,
    dead_time_acts_on="photopeak window",
    recovery_volumes_ml=(0.52, 2.57, 26.5),
    recovery_coefficients=(0.2, 0.45, 0.8),
)


def test_a_camera_comes_back_as_it_was_kept(library):
    path = add_camera(SYMBIA)
    assert path.is_relative_to(library)
    assert camera("symbia t") == SYMBIA
    assert camera_names() == ("Symbia T",)
    assert camera("Symbia T").recovery_curve().coefficient(2.57) == pytest.approx(0.45, abs=0.02)


def test_a_name_is_replaced_only_on_purpose(library):
    add_camera(SYMBIA)
    new = dataclasses.replace(SYMBIA, factor_cps_per_bq=9.9e-6)
    with pytest.raises(CalibrationError, match="already in the library"):
        add_camera(new)
    assert camera("Symbia T").factor_cps_per_bq == 9.4e-6
    add_camera(new, replace=True)
    assert camera("Symbia T").factor_cps_per_bq == 9.9e-6


def test_removed_cameras_are_gone_and_unknown_ones_are_named(library):
    add_camera(SYMBIA)
    remove_camera("Symbia T")
    assert camera_names() == ()
    with pytest.raises(CalibrationError, match=r"No camera 'Symbia T'.*known: none yet"):
        remove_camera("Symbia T")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65])
def test_names_that_are_no_file_names_are_refused(library, name):
    with pytest.raises(CalibrationError, match="cannot be the name"):
        dataclasses.replace(SYMBIA, name=name)
    with pytest.raises(CalibrationError, match="cannot be the name"):
        camera(name)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"factor_cps_per_bq": 0.0}, "positive"),
        ({"dead_time_s": -1e-6}, "positive"),
        ({"dead_time_acts_on": None}, "belong together"),
        ({"recovery_coefficients": (0.2, 0.45)}, "one coefficient for each volume"),
    ],
)
def test_cameras_that_cannot_be_are_refused(changes, says):
    with pytest.raises(CalibrationError, match=says):
        dataclasses.replace(SYMBIA, **changes)


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "Invalid JSON"), ('{"name": "a"}', "nuclide"), ('{"name": "a", "colour": 1}', "colour|nuclide")],
)
def test_a_broken_file_is_named(library, text, says):
    folder = library / "cameras"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(text)
    with pytest.raises(CalibrationError, match=rf"a\.json does not describe a camera: .*({says})"):
        camera("a")


def test_the_library_lies_in_the_configuration_folder_of_the_system(monkeypatch, tmp_path):
    monkeypatch.delenv("RPTDOSIMETRY_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert user_folder("configuration") == tmp_path / "rptdosimetry"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
    assert user_folder("configuration") == tmp_path / "roaming" / "rptdosimetry"
    monkeypatch.setattr("sys.platform", "darwin")
    assert user_folder("configuration").parts[-3:] == ("Library", "Application Support", "rptdosimetry")
