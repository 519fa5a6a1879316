"""Earlier cycles: their tables, their maps on the present anatomy, and what cannot be added."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from Testing.core.radiobiology.conftest import GRID

from RPTDosimetryLib.errors import ConfigurationError, RadiobiologyError
from RPTDosimetryLib.files import write_csv
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.radiobiology.cycles import (
    CyclesSettings,
    PresentCycle,
    PreviousCycle,
    cumulative_bed_map,
    cumulative_doses,
    cumulative_map,
)
from RPTDosimetryLib.radiobiology.read_cycles import read_cycles
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import write_image


def results(folder, doses, nuclide="Lu-177", beds=(), gray=None, grid=GRID):
    """A folder as an earlier run leaves it, as far as cycles read it."""
    folder.mkdir()
    (folder / "provenance.json").write_text(json.dumps({"steps": {"dose": {"nuclide": nuclide}}}))
    write_csv(
        [["name", "mean_gy", "mean_u_gy"], *([n, d, 0.1 * d] for n, d in doses.items())], folder / "organ_doses.csv"
    )
    if beds:
        head = ["name", "dose_gy", "dose_u_gy", "lea_catcheside", "repair_half_life_h"]
        write_csv([head, *beds], folder / "radiobiology.csv")
    if gray is not None:
        write_image(Image(np.full(grid.shape_zyx, gray, np.float32), grid, "Gy"), folder / "dose_gy.nrrd")
    return folder


def summed(case, *previous):
    cycles = read_cycles(CyclesSettings(previous), case.present)
    return {total.name: total for total in cumulative_doses(case.present, cycles)}, cycles


def test_tables_of_earlier_runs_add_up(case, tmp_path):
    one = results(tmp_path / "1", {"Kidney L": 3.0, "liver": 1.0}, beds=[["Kidney L", 3.0, 0.3, 0.06, 2.8]])
    two = results(tmp_path / "2", {"kidney_left": 4.0, "liver": 1.0}, beds=[["kidney_left", 4.0, 0.4, 0.05, 2.8]])
    found, _ = summed(case, PreviousCycle(one), PreviousCycle(two / "organ_doses.csv"))
    kidney = found["kidney_left"]
    assert kidney.cycles == 3
    assert kidney.dose_gy == pytest.approx(7 + 2.741417)
    # each cycle's own D and G: never the square of the summed dose
    bed = case.effects[0].bed_gy + 3 + 0.06 * 9 / 2.6 + 4 + 0.05 * 16 / 2.6
    assert kidney.bed_gy == pytest.approx(bed)
    assert found["liver"].bed_gy is None
    assert "lesion 1: not (wholly) in" in found["lesion 1"].note


def test_uncertainties_of_cycles_add_as_if_correlated(case, tmp_path):
    from dataclasses import replace

    case.rows = tuple(replace(row, mean_u_gy=0.2) for row in case.rows)
    found, _ = summed(case, PreviousCycle(results(tmp_path / "1", {"liver": 2.0})))
    assert found["liver"].dose_u_gy == pytest.approx(0.2 + 0.2)


def test_a_bed_of_another_repair_time_is_not_added(case, tmp_path):
    one = results(tmp_path / "1", {"kidney_left": 3.0}, beds=[["kidney_left", 3.0, "", 0.06, 1.5]])
    assert summed(case, PreviousCycle(one))[0]["kidney_left"].bed_gy is None


def test_without_earlier_cycles_the_sum_is_this_one(case):
    found, cycles = summed(case)
    assert found["kidney_left"].dose_gy == pytest.approx(2.741417)
    assert found["kidney_left"].bed_gy == case.effects[0].bed_gy
    assert cumulative_map(case.dose.image, cycles) is None


def test_maps_on_the_same_grid_add_voxel_by_voxel(case, tmp_path):
    one = results(tmp_path / "1", {"liver": 5.0}, gray=5.0)
    _, cycles = summed(case, PreviousCycle(one, same_anatomy=True))
    assert cumulative_map(case.dose.image, cycles).voxels == pytest.approx(case.dose.image.voxels + 5.0)


def test_the_map_of_bed_adds_each_cycle_by_its_own_factor(case, tmp_path):
    one = results(tmp_path / "1", {"kidney_left": 5.0}, beds=[["kidney_left", 5.0, 0.5, 0.06, 2.8]], gray=5.0)
    found, cycles = summed(case, PreviousCycle(one, same_anatomy=True))
    both = cumulative_bed_map(case.dose.image, case.present, cycles)
    kidney, liver = (voi.mask for voi in case.vois[:2])
    assert both.voxels[kidney] == pytest.approx(found["kidney_left"].bed_gy, rel=1e-6)
    assert found["kidney_left"].previous_bed_gy == pytest.approx(5 + 0.06 * 25 / 2.6)
    assert np.isnan(both.voxels[liver]).all()  # its earlier kinetics are not known


def test_the_error_of_a_summed_bed_is_that_of_its_cycles(case, tmp_path):
    from dataclasses import replace

    case.rows = tuple(replace(row, mean_u_gy=0.1) for row in case.rows)
    one = results(tmp_path / "1", {"kidney_left": 5.0}, beds=[["kidney_left", 5.0, 0.5, 0.06, 2.8]])
    found, _ = summed(case, PreviousCycle(one))
    expected = case.effects[0].bed_u_gy + 0.5 * (1 + 2 * 0.06 * 5 / 2.6)
    assert found["kidney_left"].bed_u_gy == pytest.approx(expected)


def test_equal_voxels_are_no_proof_of_the_same_anatomy(case, tmp_path):
    """One camera gives every cycle the same grid wherever the patient lies: the tables add, the maps do not."""
    one = results(tmp_path / "1", {"liver": 5.0}, gray=5.0)
    found, cycles = summed(case, PreviousCycle(one))
    assert found["liver"].previous_gy == 5.0
    assert cumulative_map(case.dose.image, cycles) is None
    with pytest.raises(RadiobiologyError, match="equal voxels prove nothing"):
        summed(case, PreviousCycle(dose=one / "dose_gy.nrrd", nuclide="Lu-177"))


def test_a_map_on_another_grid_is_refused_with_what_to_do(case, tmp_path):
    other = Grid((12, 12, 16), (2.4, 2.4, 2.4), (-1.2, -1.2, -1.2))
    path = tmp_path / "dose.nrrd"
    write_image(Image(np.full(other.shape_zyx, 3.0, np.float32), other, "Gy"), path)
    with pytest.raises(RadiobiologyError, match=r"Nothing says where .* give transform .* same_anatomy = true"):
        summed(case, PreviousCycle(dose=path, nuclide="Lu-177"))
    found, cycles = summed(case, PreviousCycle(dose=path, nuclide="Lu-177", same_anatomy=True))
    assert found["spleen"].previous_gy == pytest.approx(3.0)
    assert found["kidney_left"].previous_bed_gy == pytest.approx(3 + case.effects[0].lea_catcheside * 9 / 2.6)
    assert "no kinetics" in cycles[0].warnings[0]


def test_a_folder_whose_map_lies_elsewhere_still_gives_its_table(case, tmp_path):
    other = Grid((12, 12, 16), (2.4, 2.4, 2.4), (-1.2, -1.2, -1.2))
    one = results(tmp_path / "1", {"liver": 5.0}, gray=5.0, grid=other)
    found, cycles = summed(case, PreviousCycle(one))
    assert found["liver"].previous_gy == 5.0
    assert cumulative_map(case.dose.image, cycles) is None
    assert "No cumulative dose map" in cycles[0].warnings[0]


def test_a_transform_brings_the_map_onto_the_present_anatomy(case, tmp_path):
    """The earlier patient lay 9.6 mm (two voxels) further along x; what the map does not show has no dose."""
    gray = np.broadcast_to(np.arange(8, dtype=np.float32), GRID.shape_zyx)
    path, moved = tmp_path / "dose.nrrd", tmp_path / "move.tfm"
    write_image(Image(np.ascontiguousarray(gray), GRID, "Gy"), path)
    sitk.WriteTransform(sitk.TranslationTransform(3, (9.6, 0.0, 0.0)), str(moved))
    found, cycles = summed(case, PreviousCycle(dose=path, transform=moved, nuclide="Lu-177"))
    assert found["kidney_left"].previous_gy == pytest.approx(2.5)  # columns 0 and 1 are 2 and 3 of the map
    assert np.isnan(cycles[0].dose.voxels[:, :, 6:]).all()
    assert "not (wholly)" in found["spleen"].note


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda t: PreviousCycle(results(t / "1", {"liver": 1.0}, nuclide="Y-90")),
            "was Y-90, the present one is Lu-177",
        ),
        (lambda t: PreviousCycle(results(t / "1", {"liver": -1.0})), "-1 Gy"),
        (lambda t: PreviousCycle(t / "nowhere"), "there is no .*nowhere"),
        (lambda t: PreviousCycle(dose=write(t, -2.0), nuclide="Lu-177", same_anatomy=True), "negative doses"),
        (lambda t: PreviousCycle(dose=write(t, 2.0), nuclide="Y-90"), "was Y-90"),
    ],
)
def test_what_cannot_be_added_is_refused(case, tmp_path, spoil, says):
    with pytest.raises(RadiobiologyError, match=says):
        summed(case, spoil(tmp_path))


def test_another_patient_is_refused_unless_the_id_is_given(case, tmp_path):
    from dataclasses import replace

    path = rtdose(case, tmp_path)
    present = replace(case.present, cycle=PresentCycle("Lu-177", GRID, "B-2"))
    given = PreviousCycle(dose=path, nuclide="Lu-177", same_anatomy=True)
    with pytest.raises(RadiobiologyError, match=r'of patient A-1, the present one of B-2.*patient_id = "A-1"'):
        read_cycles(CyclesSettings((given,)), present)
    accepted = read_cycles(CyclesSettings((replace(given, patient_id="A-1"),)), present)
    assert accepted[0].organs["liver"].dose_gy == pytest.approx((140 + 80) / 144, rel=1e-4)


def test_one_frame_of_reference_is_one_anatomy(case, tmp_path):
    from dataclasses import replace

    given = CyclesSettings((PreviousCycle(dose=rtdose(case, tmp_path, "1.2.3"), nuclide="Lu-177"),))
    same = replace(case.present, cycle=PresentCycle("Lu-177", GRID, "A-1", "1.2.3"))
    assert read_cycles(given, same)[0].organs["spleen"].dose_gy == pytest.approx(1.0, rel=1e-4)
    other = replace(case.present, cycle=PresentCycle("Lu-177", GRID, "A-1", "1.2.4"))
    with pytest.raises(RadiobiologyError, match="Nothing says where"):
        read_cycles(given, other)


def rtdose(case, folder, frame="1.2.3"):
    """The dose of the case as an RT Dose of patient A-1."""
    from pydicom.dataset import Dataset

    from RPTDosimetryLib.report.dicom_identity import DicomIdentity
    from RPTDosimetryLib.report.rtdose import write_rtdose

    header = Dataset()
    header.PatientID, header.FrameOfReferenceUID, header.StudyInstanceUID = "A-1", frame, "1.2.5"
    write_rtdose(case.dose, folder / "dose.dcm", DicomIdentity(header))
    return folder / "dose.dcm"


def test_recovered_means_are_added_to_recovered_ones(case, tmp_path):
    from dataclasses import replace

    one = results(tmp_path / "1", {"liver": 2.0})
    write_csv(
        [["name", "mean_gy", "mean_recovered_gy"], ["liver", 2.0, 3.0], ["spleen", 1.0, ""]], one / "organ_doses.csv"
    )
    found = read_cycles(CyclesSettings((PreviousCycle(one),)), replace(case.present, recovered=True))[0].organs
    assert (found["liver"].dose_gy, found["spleen"].dose_gy) == (3.0, 1.0)


def test_a_cycle_counts_once():
    with pytest.raises(ConfigurationError, match="would count twice"):
        CyclesSettings((PreviousCycle(Path("a")), PreviousCycle(Path("a"))))


def write(folder, gray):
    write_image(Image(np.full(GRID.shape_zyx, gray, np.float32), GRID, "Gy"), folder / "dose.nrrd")
    return folder / "dose.nrrd"


@pytest.mark.parametrize(
    "given",
    [{}, {"dose": Path("a.nrrd")}, {"results": Path("a"), "transform": Path("b.tfm"), "same_anatomy": True}],
)
def test_settings_that_say_too_little_or_too_much(given):
    with pytest.raises(ConfigurationError, match=r"cycles\.previous"):
        PreviousCycle(**given)


def test_a_record_that_is_none_is_named(case, tmp_path):
    (tmp_path / "provenance.json").write_text("[1]")
    with pytest.raises(RadiobiologyError, match="not the record of a run"):
        summed(case, PreviousCycle(tmp_path))
    assert math.isfinite(case.effects[0].bed_gy)
