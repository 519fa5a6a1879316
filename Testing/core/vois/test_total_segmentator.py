"""The call of TotalSegmentator, by a stand-in that takes its arguments and writes its kind of output."""

import gzip
import json
import os
import struct
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from RPTDosimetryLib.cli.app import app
from RPTDosimetryLib.errors import CancelledError, ConfigurationError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import (
    Administration,
    Alignment,
    Contours,
    Image,
    PatientMap,
    RegisteredStudy,
    Study,
    TimePoint,
)
from RPTDosimetryLib.study.image_files import write_image
from RPTDosimetryLib.vois import total_segmentator
from RPTDosimetryLib.vois.delineate import VoiSettings, delineate
from RPTDosimetryLib.vois.from_file import vois_from_file
from RPTDosimetryLib.vois.label_file import segment_to_file
from RPTDosimetryLib.vois.label_names import label_names_in
from RPTDosimetryLib.vois.total_segmentator import TotalSegmentatorSettings, arguments, segment_ct

#: Takes the arguments that totalsegmentator/bin/TotalSegmentator.py of 2.18 declares, and nothing else.
STAND_IN = """
import argparse, json, os, struct, subprocess, sys, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("-i", dest="input", type=lambda p: Path(p).absolute())
parser.add_argument("-o", dest="output", type=lambda p: Path(p).absolute())
parser.add_argument("-ml", "--ml", action="store_true")
parser.add_argument("-ta", "--task", default="total")
parser.add_argument("-f", "--fast", action="store_true")
parser.add_argument("-rs", "--roi_subset", type=str, nargs="+")
parser.add_argument("-d", "--device", default="gpu")
parser.add_argument("--version", action="version", version=os.environ.get("STAND_IN_VERSION", "2.18.0"))
args = parser.parse_args()
import numpy as np
import SimpleITK as sitk

mode = os.environ.get("STAND_IN_MODE", "")
log = Path(os.environ["STAND_IN_LOG"])
ct = sitk.ReadImage(str(args.input))
hu = sitk.GetArrayFromImage(ct)
log.write_text(json.dumps({"argv": sys.argv[1:], "pid": os.getpid(), "lowest": int(hu.min()), "type": str(hu.dtype)}))
if mode == "hang":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    log.write_text(json.dumps({"child": child.pid}))
    time.sleep(60)
if mode == "fail":
    print("Resampling...")
    print("RuntimeError: CUDA out of memory", file=sys.stderr)
    sys.exit(3)
for part in (1, 2):
    print(f"Predicting part {part} of 2 ...", flush=True)
    for percent in (0, 50, 100):
        print(f"{percent:3d}%|####| 1/2 [00:01<00:01]", end="\\r", file=sys.stderr, flush=True)
if mode == "nothing":
    sys.exit(0)
names = {5: "liver", 3: "kidney_left"}
labels = np.zeros(hu.shape, np.uint8)
labels[hu == 60], labels[hu == 30] = 5, 3
if args.roi_subset:
    names = {k: v for k, v in names.items() if v in args.roi_subset}
    labels *= np.isin(labels, list(names)).astype(np.uint8)
out = sitk.GetImageFromArray(labels)
out.CopyInformation(ct)
if mode == "shifted":
    out.SetOrigin([o + 5.0 for o in ct.GetOrigin()])
sitk.WriteImage(out, str(args.output.parent / "plain.nii"))
content = (args.output.parent / "plain.nii").read_bytes()
row = '<Label Key="{}" Red="1" Green="0" Blue="0" Alpha="1"><![CDATA[{}]]></Label>\\n'
rows = "".join(row.format(*item) for item in names.items())
start = '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension>  <VolumeInformation Index="0">   <LabelTable>\\n'
end = '  </LabelTable>  <VolumeType><![CDATA[Label]]></VolumeType>   </VolumeInformation></CaretExtension>\\n   '
xml = (start + rows + end).encode()
esize = -(-(len(xml) + 8) // 16) * 16
extension = struct.pack("<2i", esize, 0) + xml.ljust(esize - 8, b"\\0")
header = bytearray(content[:348])
struct.pack_into("<f", header, 108, 352.0 + esize)
if mode == "nameless":
    args.output.write_bytes(__import__("gzip").compress(content))
else:
    args.output.write_bytes(__import__("gzip").compress(bytes(header) + b"\\1\\0\\0\\0" + extension + content[352:]))
"""


def phantom(shape=(30, 40, 40), spacing=(5.0, 5.0, 4.0), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    """A body of 20 HU with fat around it, a liver of 60 HU and a left kidney of 30 HU, in air."""
    hu = np.full(shape, -1000.0, dtype=np.float32)
    hu[:, 6:34, 5:35] = -100.0
    hu[:, 9:31, 8:32] = 20.0
    hu[10:20, 12:22, 10:20] = 60.0
    hu[12:18, 22:27, 24:29] = 30.0
    return Image(hu, Grid(shape, spacing, (-98.0, -97.5, -60.0), direction), "HU")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A TotalSegmentator on the PATH; returns what it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "TotalSegmentator"
    program.write_text(f"#!{sys.executable}\n{STAND_IN}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log.json"))

    def called(mode=None):
        if mode is not None:
            monkeypatch.setenv("STAND_IN_MODE", mode)
            return None
        return json.loads((tmp_path / "log.json").read_text())

    if sys.platform == "win32":
        pytest.skip("a script with a first line that names its program is no command on Windows")
    return called


def test_labels_come_back_on_the_ct_with_the_names_that_the_program_gave(stand_in):
    ct = phantom()
    told = []
    found = segment_ct(ct, progress=lambda fraction, text: told.append((fraction, text)))
    assert found.names == {5: "liver", 3: "kidney_left"}
    assert found.labels.grid is ct.grid
    assert np.array_equal(found.labels.voxels == 5, ct.voxels == 60)
    assert np.array_equal(found.labels.voxels == 3, ct.voxels == 30)
    assert found.method == "TotalSegmentator 2.18.0, task total, 1.5 mm"
    log = stand_in()
    assert log["argv"][4:] == ["--ml", "--task", "total", "--device", "gpu"]
    assert (log["lowest"], log["type"]) == (-1000, "int16")
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert any("network 2 of 2" in text for _, text in told)


def test_settings_become_arguments_and_the_classes_stand_last(stand_in):
    settings = TotalSegmentatorSettings(("kidney_left", "spleen"), fast=True, device="cpu")
    found = segment_ct(phantom(), settings)
    assert found.names == {3: "kidney_left"}
    assert set(np.unique(found.labels.voxels)) == {0, 3}
    assert found.method.endswith("3 mm")
    assert stand_in()["argv"][4:] == [
        "--ml", "--task", "total", "--device", "cpu", "--fast", "--roi_subset", "kidney_left", "spleen"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "direction",
    [
        (-1, 0, 0, 0, -1, 0, 0, 0, 1),
        (0, 1, 0, 0, 0, -1, -1, 0, 0),
        (1, 0, 0, 0, 0.98, -0.199, 0, 0.199, 0.98),
    ],
)
def test_any_orientation_of_the_ct_survives_the_way_through_nifti(stand_in, direction):
    axes = np.linalg.qr(np.reshape(direction, (3, 3)))[0]
    axes *= np.sign(np.sum(axes * np.reshape(direction, (3, 3)), axis=0))
    ct = phantom(direction=tuple(axes.ravel()))
    found = segment_ct(ct)
    assert np.array_equal(found.labels.voxels == 5, ct.voxels == 60)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("fail", "exit code 3: RuntimeError: CUDA out of memory"),
        ("shifted", "another grid"),
        ("nothing", "without a label image"),
        ("nameless", "does not name its labels"),
    ],
)
def test_what_goes_wrong_is_one_clear_error(stand_in, mode, says):
    stand_in(mode)
    with pytest.raises(VoiError, match=says):
        segment_ct(phantom())


def test_no_organ_found_is_an_error(stand_in):
    with pytest.raises(VoiError, match="found no organ"):
        segment_ct(phantom(), TotalSegmentatorSettings(("spleen",)))


def test_version_1_is_refused(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_VERSION", "1.5.7")
    with pytest.raises(VoiError, match=r"TotalSegmentator 1\.5\.7 is installed; version 2"):
        segment_ct(phantom())


def test_not_installed_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(total_segmentator.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VoiError, match=r"pip install TotalSegmentator.*gigabytes"):
        segment_ct(phantom())


def test_the_module_of_this_python_serves_where_there_is_no_command(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(total_segmentator.importlib.util, "find_spec", lambda name: name)
    assert total_segmentator.find_program() == [sys.executable, "-m", "totalsegmentator.bin.TotalSegmentator"]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_cancel_ends_the_program_and_its_children(stand_in, tmp_path):
    stand_in("hang")
    log = tmp_path / "log.json"

    def cancelled():
        return log.exists() and "child" in log.read_text()

    start = time.monotonic()
    with pytest.raises(CancelledError):
        segment_ct(phantom(), cancelled=cancelled)
    assert time.monotonic() - start < 20.0
    if sys.platform == "linux":
        assert not alive(stand_in()["child"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda hu: hu + 1024, "shifted by 1024"),
        (lambda hu: hu - 1024, "not -1000"),
        (lambda hu: hu / 1000, "no air"),
        (lambda hu: hu + 100, "Air reads -900 HU"),
        (lambda hu: np.maximum(hu, -200), "no air"),
        (lambda hu: np.full_like(hu, -1000), "hardly anything between 0 and 100"),
        (lambda hu: np.where(hu > -500, hu - 150, hu), "hardly anything between 0 and 100"),
    ],
)
def test_an_image_that_is_no_ct_in_hu_is_refused_before_the_program_runs(stand_in, tmp_path, change, says):
    ct = phantom()
    changed = ct.with_voxels(np.asarray(change(ct.voxels), dtype=np.float32))
    with pytest.raises(VoiError, match=says):
        segment_ct(changed)
    assert not (tmp_path / "log.json").exists()


def test_an_obese_patient_and_one_full_of_contrast_are_still_patients():
    from RPTDosimetryLib.vois.ct_fitness import require_fit_for_organs

    ct = phantom()
    fat = ct.voxels.copy()
    fat[:, 1:39, 1:39][fat[:, 1:39, 1:39] < -500] = -110.0
    require_fit_for_organs(ct.with_voxels(fat))
    contrast = ct.voxels + np.where(ct.voxels > 25, 120.0, 0.0).astype(np.float32)
    require_fit_for_organs(ct.with_voxels(contrast))


def test_an_oblique_stack_and_a_thin_slab_are_refused():
    c, s = np.cos(np.deg2rad(45)), np.sin(np.deg2rad(45))
    with pytest.raises(VoiError, match="from head to feet"):
        segment_ct(phantom(direction=(1, 0, 0, 0, c, -s, 0, s, c)))
    with pytest.raises(VoiError, match="covers only 200 × 200 × 40 mm"):
        segment_ct(phantom(shape=(10, 40, 40)))


def test_lungs_towards_the_feet_are_said():
    from RPTDosimetryLib.vois.ct_fitness import require_fit_for_organs

    ct = phantom()
    hu = ct.voxels.copy()
    hu[20:29, 10:30, 9:31] = -800.0
    assert not require_fit_for_organs(ct.with_voxels(hu))
    assert any("head and feet" in text for text in require_fit_for_organs(ct.with_voxels(hu[::-1].copy())))


@pytest.mark.parametrize("bad", [{"device": "cuda"}, {"roi_subset": ("liver; rm",)}, {"roi_subset": ("--fast",)}])
def test_settings_that_are_no_words_of_the_program_are_refused(bad):
    with pytest.raises(ConfigurationError, match=r"total_segmentator"):
        TotalSegmentatorSettings(**bad)


def test_label_names_of_a_damaged_table_are_none(tmp_path):
    path = tmp_path / "labels.nii.gz"
    header = bytearray(348)
    struct.pack_into("<i", header, 0, 348)
    for extension in (b"", b"\1\0\0\0", b"\1\0\0\0" + struct.pack("<2i", 32, 0) + b"<LabelTable><Label Key"):
        path.write_bytes(gzip.compress(bytes(header) + extension))
        assert label_names_in(path) == {}
    path.write_bytes(b"no gzip")
    assert label_names_in(path) == {}


def test_the_command_line_is_the_one_of_version_2(tmp_path):
    told = arguments(tmp_path / "ct.nii.gz", tmp_path / "organs.nii.gz", TotalSegmentatorSettings(("liver",)))
    assert told[:4] == ["-i", str(tmp_path / "ct.nii.gz"), "-o", str(tmp_path / "organs.nii.gz")]
    assert told[-2:] == ["--roi_subset", "liver"]


def patient_of(grid):
    density = Image(np.ones(grid.shape_zyx, dtype=np.float32), grid, "g/cm3")
    return PatientMap(density, np.full(grid.shape_zyx, 3, np.uint8), "msv8", "test")


@pytest.fixture
def registered():
    """A CT that was taken 9 mm higher than the reference, with a kidney drawn on it by a person."""
    dose_grid = Grid((32, 42, 42), (4.795, 4.795, 4.795), (-98.0, -98.0, -70.0))
    spect = Image(np.ones(dose_grid.shape_zyx, dtype=np.float32), dose_grid, "Bq/mL")
    box = np.array([[20.0, 10, 0], [50, 10, 0], [50, 40, 0], [20, 40, 0]])
    kidney = Contours("Lt Kidney", tuple(np.add(box, (0, 0, z)) for z in np.arange(-12.0, 12.1, 3.0)))
    points = (TimePoint(spect, 1e4), TimePoint(spect, 9e4, ct=phantom(), structures=(kidney,)))
    shift = np.eye(4)
    shift[2, 3] = 9.0
    alignments = tuple(Alignment(matrix, "rigid", 1.0, 1.0, 1.0, 1.0, 0.0, 0.0) for matrix in (np.eye(4), shift))
    study = Study(Administration("Lu-177", 7.4e9), points)
    return RegisteredStudy(study, 0, dose_grid, (spect, spect), alignments, np.ones(dose_grid.shape_zyx, dtype=bool))


def test_organs_that_the_files_draw_are_not_drawn_again(stand_in, registered):
    settings = VoiSettings(organs="totalsegmentator", body=False)
    kidney, liver = delineate(registered, patient_of(registered.grid), settings)
    assert (kidney.name, kidney.source) == ("Lt Kidney", "contours of time point 2, moved with its SPECT")
    assert (liver.name, liver.code.value) == ("liver", "10200004")
    method = "TotalSegmentator 2.18.0, task total, 1.5 mm"
    assert liver.source == f"{method}, on the CT of time point 2, moved with its SPECT"
    true_ml = np.count_nonzero(phantom().voxels == 60) * 0.1
    assert liver.volume_ml == pytest.approx(true_ml, abs=0.51 * registered.grid.voxel_volume_ml)
    z_mm = registered.grid.origin_mm[2] + np.argwhere(liver.mask)[:, 0].mean() * 4.795
    assert z_mm == pytest.approx(-60.0 + 14.5 * 4.0 - 9.0, abs=1.2)  # sharp ends round to whole slices of 4.8 mm


def test_organs_can_be_chosen_by_name_and_need_a_ct(stand_in, registered):
    patient = patient_of(registered.grid)
    settings = VoiSettings(organs="totalsegmentator", body=False, exclude=("liver",))
    assert [voi.name for voi in delineate(registered, patient, settings)] == ["Lt Kidney"]
    points = tuple(replace(point, ct=None) for point in registered.study.time_points)
    without = replace(registered, study=replace(registered.study, time_points=points))
    with pytest.raises(VoiError, match="needs a CT"):
        delineate(without, patient, settings)


def test_organs_beyond_the_dose_grid_are_left_out_and_said(stand_in, registered):
    grid = replace(registered.grid, shape_zyx=(5, 42, 42), origin_mm=(-98.0, -98.0, -45.0))
    points = tuple(replace(point, structures=()) for point in registered.study.time_points)
    study = replace(registered.study, time_points=points)
    # the grid ends 0.4 mm below the moved kidney, within the moved liver
    cut = replace(registered, study=study, grid=grid, seen=registered.seen[:5])
    (liver,) = delineate(cut, patient_of(grid), VoiSettings(organs="totalsegmentator", body=False))
    assert any("left out: kidney_left" in text for text in liver.warnings)
    assert any("changes its volume" in text for text in liver.warnings)


def test_the_verb_writes_labels_that_keep_their_names(stand_in, tmp_path):
    ct, out = phantom(), tmp_path / "labels.nrrd"
    write_image(ct, tmp_path / "ct.nii.gz")
    answer = CliRunner().invoke(app, ["segment", str(tmp_path / "ct.nii.gz"), "--out", str(out), "--json"])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["method"] == "TotalSegmentator 2.18.0, task total, 1.5 mm"
    kidney, liver = told["organs"]
    assert (kidney["label"], kidney["name"], kidney["canonical_name"]) == (3, "kidney_left", "left kidney")
    assert kidney["code"] == {"value": "64033007", "scheme": "SCT", "meaning": "Kidney", "laterality": "left"}
    assert liver["volume_ml"] == pytest.approx(np.count_nonzero(ct.voxels == 60) * 0.1)
    assert label_names_in(out) == {3: "kidney_left", 5: "liver"}
    assert {voi.name for voi in vois_from_file(out, ct.grid)} == {"kidney_left", "liver"}


def test_the_verb_as_text_takes_single_classes(stand_in, tmp_path):
    write_image(phantom(), tmp_path / "ct.nrrd")
    words = ["segment", str(tmp_path / "ct.nrrd"), "--out", str(tmp_path / "l.nrrd"), "--roi", "liver", "--fast"]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    assert "liver" in answer.stdout
    assert "kidney" not in answer.stdout
    assert stand_in()["argv"][-3:] == ["--fast", "--roi_subset", "liver"]


def test_nothing_is_written_when_the_program_fails(stand_in, tmp_path):
    stand_in("fail")
    write_image(phantom(), tmp_path / "ct.nrrd")
    with pytest.raises(VoiError, match="exit code 3"):
        segment_to_file(tmp_path / "ct.nrrd", tmp_path / "labels.nrrd")
    assert not (tmp_path / "labels.nrrd").exists()
    with pytest.raises(ConfigurationError, match=r"\.nrrd"):
        segment_to_file(tmp_path / "ct.nrrd", tmp_path / "labels.nii.gz")
