"""Overlaps, lesions in organs, small lesions and reviews: what each rule keeps, and what it says."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import ConfigurationError, GridMismatchError, VoiError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.records import Voi
from RPTDosimetryLib.vois.lesion_rules import VoiRules, settled
from RPTDosimetryLib.vois.lesion_volume import small_lesion_note
from RPTDosimetryLib.vois.lesions_in_organs import with_lesions
from RPTDosimetryLib.vois.overlap import resolve_overlaps
from RPTDosimetryLib.vois.review import accept, mask_sha256, read_reviews, reviews_of_nothing, with_reviews

GRID = Grid((1, 4, 10), (10.0, 10.0, 10.0))  # voxels of 1 mL


def voi(name, columns, kind="organ", rows=slice(None)):
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    mask[0, rows, columns] = True
    return Voi(name, mask, GRID, kind)


@pytest.fixture
def liver_and_lesion():
    """Liver 20 mL; lesion 8 mL of which 4 in the liver; kidney 12 mL sharing 4 mL with the liver; body all."""
    return (
        voi("liver", slice(2, 7)),
        voi("lesion", slice(6, 8), "lesion"),
        voi("kidney", slice(0, 3)),
        voi("body", slice(None), "region"),
    )


random_vois = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from(["organ", "lesion", "region"]), st.floats(0.2, 0.8)),
    min_size=2, max_size=7,
)  # fmt: skip


def drawn(recipe):
    vois = []
    for n, (seed, kind, share) in enumerate(recipe):
        mask = np.random.default_rng(seed).random(GRID.shape_zyx) < share
        mask[0, 0, n] = True
        vois.append(Voi(f"v{n}", mask, GRID, kind))
    return vois


def layers(vois):
    return np.sum([v.mask for v in vois if v.kind != "region"] or [np.zeros(GRID.shape_zyx)], axis=0)


@settings(max_examples=80, deadline=None)
@given(random_vois, st.sampled_from(["lesion_first", "smaller_first", "order"]))
def test_after_a_rule_no_voxel_is_in_two_and_none_is_lost(recipe, rule):
    before = drawn(recipe)
    try:
        after = resolve_overlaps(before, rule)
    except VoiError:  # nothing is left of one: tested below
        return
    assert layers(after).max() <= 1
    assert np.array_equal(layers(after) > 0, layers(before) > 0)
    assert [v.name for v in after] == [v.name for v in before]
    for old, new in zip(before, after, strict=True):
        assert not np.any(new.mask & ~old.mask)
        changed = not np.array_equal(old.mask, new.mask)
        assert changed == any("gives up" in w for w in new.warnings)
        assert not (changed and old.kind == "region")


@settings(max_examples=40, deadline=None)
@given(random_vois, st.sampled_from(["lesion_first", "smaller_first", "order"]))
def test_a_rule_applied_twice_changes_nothing_more(recipe, rule):
    try:
        once = resolve_overlaps(drawn(recipe), rule)
    except VoiError:
        return
    again = resolve_overlaps(once, rule)
    assert all(np.array_equal(a.mask, b.mask) and a.warnings == b.warnings for a, b in zip(once, again, strict=True))


def test_each_rule_gives_the_shared_voxels_to_whom_it_says(liver_and_lesion):
    volumes = {
        rule: [v.volume_ml for v in resolve_overlaps(liver_and_lesion, rule)]
        for rule in ("count_in_both", "lesion_first", "smaller_first", "order")
    }
    assert volumes["count_in_both"] == pytest.approx([20, 8, 12, 40])
    assert volumes["lesion_first"] == pytest.approx([12, 8, 12, 40])
    assert volumes["smaller_first"] == pytest.approx([12, 8, 12, 40])
    assert volumes["order"] == pytest.approx([20, 4, 8, 40])


def test_a_volume_of_which_nothing_is_left_is_an_error_that_names_who_took_it(liver_and_lesion):
    inner = voi("inner", slice(3, 4))
    with pytest.raises(VoiError, match="Nothing is left of inner: it gives up 4 mL to liver"):
        resolve_overlaps((liver_and_lesion[0], inner), "order")


def test_lesion_first_lets_a_large_lesion_win_where_smaller_first_does_not():
    gland, lesion = voi("gland", slice(4, 6)), voi("lesion", slice(0, 5), "lesion")
    assert [v.volume_ml for v in resolve_overlaps((gland, lesion), "lesion_first")] == pytest.approx([4, 20])
    assert [v.volume_ml for v in resolve_overlaps((gland, lesion), "smaller_first")] == pytest.approx([8, 16])


def test_what_is_given_up_is_said_with_volume_name_and_rule(liver_and_lesion):
    liver, lesion, *_ = resolve_overlaps(liver_and_lesion, "lesion_first")
    assert liver.warnings == ("liver gives up 4 mL to lesion, 4 mL to kidney (overlap rule lesion_first).",)
    assert lesion.warnings == ()


def test_counted_in_both_is_said_by_both_but_not_for_the_body(liver_and_lesion):
    liver, lesion, _, body = resolve_overlaps(liver_and_lesion, "count_in_both")
    assert liver.warnings == ("liver overlaps lesion (4 mL), kidney (4 mL): those voxels count in both.",)
    assert lesion.warnings == ("lesion overlaps liver (4 mL): those voxels count in both.",)
    assert body.warnings == ()


def test_an_unknown_rule_or_choice_is_refused(liver_and_lesion):
    with pytest.raises(ConfigurationError, match="choose one of count_in_both"):
        resolve_overlaps(liver_and_lesion, "hottest_first")
    with pytest.raises(ConfigurationError, match="choose one of included"):
        with_lesions(liver_and_lesion, "perhaps")


def test_volumes_on_another_grid_are_refused(liver_and_lesion):
    shifted = Grid(GRID.shape_zyx, GRID.spacing_mm, (1.0, 0.0, 0.0))
    other = Voi("other", liver_and_lesion[1].mask, shifted, "lesion")
    with pytest.raises(GridMismatchError, match="other against liver"):
        resolve_overlaps((*liver_and_lesion, other), "order")
    with pytest.raises(GridMismatchError, match="other against liver"):
        with_lesions((*liver_and_lesion, other), "excluded")


@pytest.mark.parametrize(("choice", "liver_ml"), [("included", 20.0), ("excluded", 16.0)])
def test_an_organ_states_its_choice_its_lesions_and_their_volume(liver_and_lesion, choice, liver_ml):
    liver, lesion, kidney, body = with_lesions(liver_and_lesion, choice)
    assert liver.volume_ml == pytest.approx(liver_ml)
    assert liver.lesions == choice
    assert f"liver {choice[:-1]}s its lesions: lesion (4 of 8 mL)" in liver.warnings[0]
    assert lesion is liver_and_lesion[1]
    assert kidney.lesions is body.lesions is None
    assert kidney.warnings == body.warnings == ()


def test_organ_and_lesions_add_up_when_excluded_and_share_when_included(liver_and_lesion):
    union = liver_and_lesion[0].mask | liver_and_lesion[1].mask
    liver, lesion = with_lesions(liver_and_lesion[:2], "excluded")
    assert np.array_equal(liver.mask ^ lesion.mask, union)
    assert not np.any(liver.mask & lesion.mask)


def test_an_organ_that_is_all_lesion_cannot_be_left_without(liver_and_lesion):
    whole = replace(liver_and_lesion[0], name="met", kind="lesion")
    with pytest.raises(VoiError, match="Nothing is left of liver without its lesions: met"):
        with_lesions((liver_and_lesion[0], whole), "excluded")


@pytest.mark.parametrize("rule", ["lesion_first", "smaller_first", "order"])
def test_lesions_included_in_their_organ_stay_in_it_under_every_rule(liver_and_lesion, rule):
    liver, lesion, kidney = settled(liver_and_lesion[:3], VoiRules("included", rule))
    assert np.count_nonzero(liver.mask & lesion.mask) == 4
    assert lesion.volume_ml == pytest.approx(8.0)
    assert not np.any(liver.mask & kidney.mask)  # organs among themselves are parted
    assert not any("count in both" in w for w in liver.warnings)


def test_two_lesions_are_parted_though_their_organ_includes_both(liver_and_lesion):
    second = voi("lesion 2", slice(5, 7), "lesion", slice(0, 2))
    liver, lesion, two = settled((*liver_and_lesion[:2], second), VoiRules("included", "smaller_first"))
    assert liver.volume_ml == pytest.approx(20.0)
    assert not np.any(lesion.mask & two.mask)
    assert "lesion gives up 2 mL to lesion 2" in lesion.warnings[-1]


def test_lesions_below_two_millilitres_are_marked():
    small, enough = voi("small", slice(0, 1), "lesion", slice(0, 1)), voi("enough", slice(3, 4), "lesion", slice(0, 2))
    assert "small holds 1 mL, below 2 mL: partial volume" in small_lesion_note(small)
    assert small_lesion_note(enough) is None
    assert small_lesion_note(replace(small, kind="organ")) is None
    marked = settled((small, enough), VoiRules())
    assert [len(v.warnings) for v in marked] == [1, 0]


def test_the_small_lesion_is_judged_after_the_overlap_rule():
    small, large = voi("a", slice(0, 1), "lesion", slice(0, 2)), voi("b", slice(0, 3), "lesion", slice(0, 1))
    _, b = settled((small, large), VoiRules(overlaps="smaller_first"))
    assert b.volume_ml == pytest.approx(2.0)
    _, b = settled((large, small), VoiRules(overlaps="order"))
    assert any("below 2 mL" in w for w in b.warnings)


def test_a_review_is_carried_and_lost_with_a_changed_contour(tmp_path, liver_and_lesion):
    file, when = tmp_path / "reviews.json", datetime(2026, 1, 30, 14, 5, tzinfo=UTC)
    liver, lesion, *_ = liver_and_lesion
    assert with_reviews((liver,), file) == (liver,)
    assert accept(liver, " A. Müller ", file, "good", when).review.reviewer == "A. Müller"
    accept(lesion, "B", file)
    again_liver, again_lesion = with_reviews((liver, lesion), file)
    assert again_liver.review.time == when
    assert again_liver.review.comment == "good"
    assert again_lesion.review.reviewer == "B"
    mask = liver.mask.copy()
    mask[0, 0, 4] = False
    (changed,) = with_reviews((replace(liver, mask=mask),), file)
    assert changed.review is None
    assert "liver has changed since A. Müller reviewed it on 2026-01-30" in changed.warnings[0]
    assert reviews_of_nothing((liver,), file) == (
        "reviews.json holds a review of lesion, which is not among the volumes.",
    )
    assert set(read_reviews(file)) == {"liver", "lesion"}


def test_a_review_follows_the_mask_and_its_place(liver_and_lesion):
    liver = liver_and_lesion[0]
    moved = replace(liver, grid=Grid(GRID.shape_zyx, GRID.spacing_mm, (0.0, 0.0, 5.0)))
    same = replace(liver, name="hepar", grid=Grid(GRID.shape_zyx, GRID.spacing_mm, (-0.0, 1e-7, 0.0)))
    assert mask_sha256(moved) != mask_sha256(liver)
    assert mask_sha256(same) == mask_sha256(liver)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "cannot be read as reviews"),
        ("[]", "from names to reviews"),
        ('{"liver": {"reviewer": "A"}}', "review of liver needs reviewer, time, comment, mask_sha256"),
        (json.dumps({"liver": {"reviewer": "A", "time": "soon", "comment": "", "mask_sha256": ""}}), "no ISO 8601"),
    ],
)
def test_a_broken_file_of_reviews_is_refused(tmp_path, liver_and_lesion, text, error):
    (tmp_path / "reviews.json").write_text(text)
    with pytest.raises(VoiError, match=error):
        with_reviews(liver_and_lesion, tmp_path / "reviews.json")


def test_a_review_needs_a_person_and_a_time_zone(tmp_path, liver_and_lesion):
    with pytest.raises(VoiError, match="name of the person"):
        accept(liver_and_lesion[0], "  ", tmp_path / "reviews.json")
    with pytest.raises(VoiError, match="time zone"):
        accept(liver_and_lesion[0], "A", tmp_path / "reviews.json", time=datetime(2026, 1, 30))
    assert not (tmp_path / "reviews.json").exists()


def test_settled_carries_reviews(tmp_path, liver_and_lesion):
    file = tmp_path / "reviews.json"
    for one in settled(liver_and_lesion, VoiRules("excluded")):
        accept(one, "A", file)
    assert all(v.review for v in settled(liver_and_lesion, VoiRules("excluded", reviews=file)))
    liver, lesion, *_ = settled(liver_and_lesion, VoiRules("included", reviews=file))
    assert liver.review is None
    assert lesion.review is not None
