"""Time since administration, and what was administered: dates, midnight, time zones, units, contradictions."""

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from RPTDosimetryLib.errors import ConfigurationError, StudyError
from RPTDosimetryLib.records import Administration
from RPTDosimetryLib.study.complete import require_complete
from RPTDosimetryLib.study.given import StudyGiven, TimePointGiven
from RPTDosimetryLib.study.read_study import read_study
from RPTDosimetryLib.virtual_patient.dicom_writer import Visit

ADMINISTERED = datetime(2024, 5, 13, 9, 22)
CEST = timezone(timedelta(hours=2))
CET = timezone(timedelta(hours=1))


def radiopharmaceutical(ds):
    return ds.RadiopharmaceuticalInformationSequence[0]


def test_time_since_administration(write, spect, visit):
    write.nm(spect, visit(hours=27.72528))
    (point,) = read_study(write.folder).time_points
    assert point.time_s == pytest.approx(27.72528 * 3600, abs=1e-3)


def test_time_points_come_in_order_of_acquisition(write, grid, activity, visit):
    for number, hours in ((1, 96.0), (2, 4.0), (3, 24.0)):
        write.nm(activity(grid, number), visit(number, hours), f"a{number}.dcm")
    study = read_study(write.folder)
    assert [p.time_s / 3600 for p in study.time_points] == pytest.approx([4, 24, 96])


@pytest.mark.parametrize(
    ("start", "scan", "expected_h", "day"),
    [
        ((23, 50), datetime(2024, 5, 14, 0, 30), 40 / 60, "2024-05-13 23:50"),
        ((9, 22), datetime(2024, 5, 13, 13, 22), 4.0, "2024-05-13 09:22"),
    ],
)
def test_a_start_time_without_date_is_the_last_one_before_the_first_scan_and_is_told(
    write, spect, activity, grid, start, scan, expected_h, day
):
    given = Administration("Lu-177", 7.4e9, datetime(2024, 5, 13, *start))
    write.nm(spect, Visit(1, scan), administration=given, start_datetime=False)
    write.nm(activity(grid, 2), Visit(2, scan + timedelta(days=3)), "b.dcm", administration=given, start_datetime=False)
    study = read_study(write.folder)
    assert [p.time_s / 3600 for p in study.time_points] == pytest.approx([expected_h, expected_h + 72])
    assert any(f"{day}:00 is taken" in warning for warning in study.warnings)


def test_time_zones_across_the_end_of_summer_time(write, activity, grid):
    """Administration at 10:00 CEST, scan next day at 10:00 CET: 25 h, not 24."""
    given = Administration("Lu-177", 7.4e9, datetime(2024, 10, 26, 10, tzinfo=CEST))
    write.nm(activity(grid), Visit(1, datetime(2024, 10, 26, 14, tzinfo=CEST)), "a.dcm", administration=given)
    write.nm(activity(grid, 2), Visit(2, datetime(2024, 10, 27, 10, tzinfo=CET)), "b.dcm", administration=given)
    study = read_study(write.folder)
    assert [p.time_s / 3600 for p in study.time_points] == pytest.approx([4.0, 25.0])


def test_a_start_time_without_date_is_in_the_scans_time_zone(write, spect):
    given = Administration("Lu-177", 7.4e9, datetime(2024, 5, 13, 9, 22))
    write.nm(spect, Visit(1, datetime(2024, 5, 13, 13, 22, tzinfo=CEST)), administration=given, start_datetime=False)
    assert read_study(write.folder).time_points[0].time_s == pytest.approx(4 * 3600)


def test_a_time_zone_on_one_side_only_is_told(write, spect):
    path = write.nm(spect, Visit(1, datetime(2024, 5, 13, 13, 22, tzinfo=CEST)))
    given = StudyGiven(administration_time="2024-05-13T09:22:00")
    (point,) = read_study(path, given).time_points
    assert point.time_s == pytest.approx(4 * 3600)
    assert any("time zone" in warning for warning in point.warnings)


def test_a_scan_before_the_administration_is_refused(write, spect, visit):
    write.nm(spect, visit(hours=-2))
    with pytest.raises(StudyError, match=r"2\.000 h before the administration"):
        read_study(write.folder)


def test_two_administrations_in_one_folder_are_refused(write, spect, activity, grid, administration, visit):
    later = replace(administration, time=administration.time + timedelta(days=56))
    write.nm(spect, visit(1))
    write.nm(activity(grid, 2), visit(2, 24 * 57), "b.dcm", administration=later)
    with pytest.raises(StudyError, match=r"different administration times.*cycles"):
        read_study(write.folder)


def test_different_activities_are_refused_unless_the_user_decides(write, spect, activity, grid, administration, visit):
    other = replace(administration, administered_activity_bq=7.1e9)
    write.nm(spect, visit(1))
    write.nm(activity(grid, 2), visit(2, 24), "b.dcm", administration=other)
    with pytest.raises(StudyError, match="different administered activities"):
        read_study(write.folder)
    study = read_study(write.folder, StudyGiven(administered_activity_mbq=7100))
    assert study.administration.administered_activity_bq == 7.1e9


@pytest.mark.parametrize("in_bq", [False, True])
def test_nm_activity_is_megabecquerel_by_the_standard_and_becquerel_by_some_vendors(write, spect, in_bq):
    write.nm(spect, activity_in_bq=in_bq)
    study = read_study(write.folder)
    assert study.administration.administered_activity_bq == pytest.approx(7.4e9)
    told = any("RadionuclideTotalDose" in warning for warning in study.time_points[0].warnings)
    assert told == in_bq


def test_pt_activity_in_megabecquerel_is_told(write, spect, edit):
    for path in write.pt(spect, decay_correction="START"):
        edit(path, lambda ds: setattr(radiopharmaceutical(ds), "RadionuclideTotalDose", "7400"))
    study = read_study(write.folder)
    assert study.administration.administered_activity_bq == pytest.approx(7.4e9)
    assert any("only MBq makes it a therapy" in warning for warning in study.time_points[0].warnings)


def test_half_life_of_the_header_is_used_and_a_difference_told(write, spect, administration):
    write.nm(spect, administration=replace(administration, half_life_s=580000.0))
    study = read_study(write.folder)
    assert study.administration.half_life_s == 580000.0
    assert any("half-life" in warning and re.search(r"\+(0\.9|1\.0)\d %", warning) for warning in study.warnings)


def test_a_half_life_within_a_tenth_of_a_percent_is_not_told(write, spect):
    write.nm(spect)
    assert not any("half-life" in warning for warning in read_study(write.folder).warnings)


@pytest.mark.parametrize("meaning", ["177 Lutetium", "^177^Lutetium", "Lutetium-177", "Lu-177"])
def test_nuclide_from_the_code_meaning(write, spect, edit, meaning):
    path = write.nm(spect)

    def rename(ds):
        del radiopharmaceutical(ds).Radiopharmaceutical
        code = radiopharmaceutical(ds).RadionuclideCodeSequence[0]
        code.CodeMeaning, code.CodeValue, code.CodingSchemeDesignator = meaning, "C-101ED", "99SDM"

    edit(path, rename)
    assert read_study(write.folder).administration.nuclide == "Lu-177"


def test_nothing_is_invented_when_the_header_says_nothing(write, spect, edit):
    path = write.nm(spect, unit=None, decay_correction=None)

    def empty(ds):
        ds.RadiopharmaceuticalInformationSequence = []
        del ds.AcquisitionDate, ds.AcquisitionTime

    edit(path, empty)
    study = read_study(write.folder)
    (point,) = study.time_points
    assert study.missing == ("nuclide", "administered activity", "administration time")
    assert point.missing == ("acquisition time", "unit", "decay correction")
    assert (point.time_s, study.administration.administered_activity_bq) == (None, None)
    assert point.spect.unit == "unknown"
    with pytest.raises(StudyError) as error:
        require_complete(study)
    for name in (*study.missing, *point.missing):
        assert name in str(error.value)
    assert "study.administered_activity_mbq" in str(error.value)


def test_all_that_is_missing_can_be_given(write, spect, edit):
    path = write.nm(spect, unit=None, decay_correction=None)
    edit(path, lambda ds: setattr(ds, "RadiopharmaceuticalInformationSequence", []))
    given = StudyGiven(
        nuclide="177Lu",
        administered_activity_mbq=7400,
        administration_time="2024-05-13T09:22:00",
        time_points=(TimePointGiven(match=1, time_h=4.0, unit="kBq/mL", decay_correction="START", duration_s=1200),),
    )
    study = read_study(write.folder, given)
    require_complete(study)
    (point,) = study.time_points
    assert study.administration.nuclide == "Lu-177"
    assert (point.time_s, point.duration_s) == (4 * 3600, 1200)
    assert point.spect.voxels == pytest.approx(1000 * spect.voxels, rel=1e-3, abs=1e3)
    told = " ".join((*point.warnings, *study.warnings))
    for word in ("unit kBq/mL", "decay correction START", "4.0 h", "1200 s", "7400 MBq", "nuclide 177Lu"):
        assert f"{word}: given by the user" in told


def test_with_every_time_given_the_administration_time_is_not_missing(write, spect, edit):
    path = write.nm(spect)
    edit(path, lambda ds: setattr(ds, "RadiopharmaceuticalInformationSequence", []))
    given = StudyGiven(nuclide="Lu-177", administered_activity_mbq=7400, time_points=(TimePointGiven(1, time_h=4.0),))
    assert read_study(write.folder, given).missing == ()


@pytest.mark.parametrize("match", ["visit1", "visit1/nm.dcm", "NM.DCM", "nm", "SPECT quantitative"])
def test_time_points_are_matched_by_any_of_their_names(write, spect, match):
    write.nm(spect, name="visit1/nm.dcm")
    given = StudyGiven(time_points=(TimePointGiven(match=match, time_h=5.0),))
    (point,) = read_study(write.folder, given).time_points
    assert point.time_s == 5 * 3600
    assert any("clock times say 4.0000 h" in warning for warning in point.warnings)


@pytest.mark.parametrize("match", [2, "visit9"])
def test_an_entry_that_fits_no_time_point_is_refused(write, spect, match):
    write.nm(spect)
    with pytest.raises(ConfigurationError, match=r"fits 0 of the time points found: 1 nm\.dcm"):
        read_study(write.folder, StudyGiven(time_points=(TimePointGiven(match=match, time_h=5.0),)))


def test_an_entry_that_fits_several_time_points_is_refused(write, spect, activity, grid, visit):
    write.nm(spect, visit(1), "a/nm.dcm")
    write.nm(activity(grid, 2), visit(2, 24), "b/nm.dcm")
    with pytest.raises(ConfigurationError, match="fits 2"):
        read_study(write.folder, StudyGiven(time_points=(TimePointGiven(match="nm.dcm", time_h=5.0),)))


@pytest.mark.parametrize(
    ("record", "values"),
    [
        (StudyGiven, {"administered_activity_mbq": -1.0}),
        (StudyGiven, {"administration_time": "yesterday"}),
        (StudyGiven, {"unit": "mBq/mL"}),
        (StudyGiven, {"decay_correction": "YES"}),
        (StudyGiven, {"half_life_s": 0.0}),
        (StudyGiven, {"time_points": (TimePointGiven(1), TimePointGiven(1))}),
        (TimePointGiven, {"match": 0}),
        (TimePointGiven, {"match": 1, "time_h": -1.0}),
        (TimePointGiven, {"match": 1, "duration_s": float("nan")}),
        (TimePointGiven, {"match": 1, "acquired": "13.05.2024"}),
    ],
)
def test_values_that_cannot_be_are_refused(record, values):
    with pytest.raises(ConfigurationError):
        record(**values)


def test_unknown_nuclide_is_refused(write, spect, administration):
    write.nm(spect, administration=replace(administration, nuclide="Tc-99m"))
    with pytest.raises(StudyError, match="Tc-99m"):
        read_study(write.folder)
    with pytest.raises(StudyError, match="Xx-1"):
        read_study(write.folder, StudyGiven(nuclide="Xx-1"))


def test_nm_duration_is_the_sum_of_its_views(write, spect, visit):
    write.nm(spect, visit(duration_s=1500.0))
    assert read_study(write.folder).time_points[0].duration_s == pytest.approx(1500)


def test_a_date_that_is_none_is_refused(write, spect, edit):
    path = write.nm(spect)
    edit(path, lambda ds: setattr(ds, "AcquisitionTime", "256199"))
    with pytest.raises(StudyError, match="AcquisitionTime"):
        read_study(write.folder)


def test_a_mistyped_key_of_the_configuration_is_refused():
    """The configuration file is checked with pydantic against these records, lists of time points included."""
    check = TypeAdapter(StudyGiven).validate_python
    given = check({"administration_time": ADMINISTERED, "time_points": [{"match": "nm", "time_h": 4}]})
    assert given.time_points[0] == TimePointGiven("nm", time_h=4.0)
    assert given.administration_time == ADMINISTERED
    for table in ({"nuclid": "Lu-177"}, {"time_points": [{"match": 1, "hours": 4}]}):
        with pytest.raises(ValidationError):
            check(table)
