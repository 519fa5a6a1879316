import json

import numpy as np
import pytest

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.physics.media import (
    SCHNEIDER_8,
    MediaScheme,
    Medium,
    media_scheme,
    scheme_from_json,
)

WATER = {"H": 0.112, "O": 0.888}


def test_media_of_the_torso_are_the_given_ones(torso):
    assert np.array_equal(SCHNEIDER_8.media_from_hu(torso["hu"]), torso["material"])


def test_media_by_density_differ_only_where_the_curve_is_doubtful(torso):
    density = torso["density_gcc"]
    media = SCHNEIDER_8.media_from_density(density)
    differs = media != torso["material"]
    assert set(torso["material"][differs]) == {4}
    assert set(media[differs]) == {3}
    assert (density[differs] > 1.0762).all()
    assert (density[differs] < 1.1199).all()


def test_file_of_the_torso_is_the_built_in_scheme(torso):
    scheme = scheme_from_json(torso["json"])
    assert np.array_equal(scheme.media_from_hu(torso["hu"]), torso["material"])
    for ours, theirs in zip(SCHNEIDER_8.media, scheme.media, strict=True):
        assert ours.reference_density_g_per_cm3 == pytest.approx(theirs.reference_density_g_per_cm3, rel=1e-6)
        assert dict(ours.material.mass_fractions) == pytest.approx(dict(theirs.material.mass_fractions), abs=1.1e-6)


@pytest.mark.parametrize(
    ("hu", "index"),
    [(-3024, 0), (-1000, 0), (-951, 0), (-950, 1), (-121, 1), (-120, 2), (-23, 3), (119.9, 3), (120, 4), (249, 4),
     (250, 5), (450, 6), (750, 7), (1149, 7), (1150, 8), (3000, 8), (9000, 8)],
)  # fmt: skip
def test_edges_belong_to_the_medium_above(hu, index):
    assert SCHNEIDER_8.media_from_hu(np.array([hu]))[0] == index


def test_air_is_no_tissue():
    assert SCHNEIDER_8.tissue[0].name == "lung"
    assert SCHNEIDER_8.medium(0).is_air
    assert len(SCHNEIDER_8.tissue) == 8


def test_reference_densities_are_within_their_media():
    for medium in SCHNEIDER_8.tissue:
        assert SCHNEIDER_8.media_from_density(medium.reference_density_g_per_cm3) == medium.index or medium.index == 4
    # 1.12 g/cm3 of bone1 lies just above the doubtful stretch, 1.1199.
    assert SCHNEIDER_8.media_from_density(1.12) == 4


def test_unknown_schemes_and_media_are_refused():
    assert media_scheme("msv8") is SCHNEIDER_8
    with pytest.raises(PhysicsDataError, match="msv8"):
        media_scheme("msv9")
    with pytest.raises(PhysicsDataError, match="8 bone5"):
        SCHNEIDER_8.medium(9)


def test_a_gap_between_hu_ranges_is_refused():
    water = material("water")
    with pytest.raises(PhysicsDataError, match="gap"):
        MediaScheme("odd", (Medium(0, "a", water, 1.0, (-1000, 0)), Medium(1, "b", water, 1.0, (10, 100))))


def entry(**changes):
    return {"index": 1, "name": "soup", "mass_fractions": WATER, "density_g_per_cm3": 1.0, **changes}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"materials": [entry(mass_fractions={"H": 0.5, "O": 0.3})]}, r"soup.*add up to 0\.8"),
        ({"materials": [entry(mass_fractions={"Qq": 1.0})]}, r"soup.*Qq"),
        ({"materials": [entry(mass_fractions="water")]}, "give mass_fractions"),
        ({"materials": [entry(density_g_per_cm3=None)]}, "the density is None"),
        ({"materials": [entry(density_g_per_cm3=-1)]}, "the density is -1"),
        ({"materials": [entry(index="one")]}, "index is 'one'"),
        ({"materials": [entry(), entry()]}, "its own index"),
        ({"materials": [entry(hu_range=[5])]}, r"hu_range is \[5\]"),
        ({"materials": [entry(hu_range=[5, 1])]}, "HU ranges"),
        ({"materials": []}, 'no list "materials"'),
        ({}, 'no list "materials"'),
    ],
)
def test_files_of_media_are_checked_and_named(tmp_path, content, message):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(PhysicsDataError, match=message) as caught:
        scheme_from_json(path)
    assert "mine.json" in str(caught.value)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("{")
    with pytest.raises(PhysicsDataError, match="not a readable JSON"):
        scheme_from_json(path)
    with pytest.raises(PhysicsDataError, match="not a readable JSON"):
        scheme_from_json(tmp_path / "absent.json")


def test_media_without_hu_range_need_labels(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"materials": [entry()]}))
    with pytest.raises(PhysicsDataError, match="label map"):
        scheme_from_json(path).media_from_hu(np.array([0]))
