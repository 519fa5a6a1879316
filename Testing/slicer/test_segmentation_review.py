"""Step Segmentation: who accepted what, what voids it, and that it is saved."""

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from warm_patient import LESION_RAS, accept_all, column, edit, events, header, previewed, segmentation, table_of


def test_an_edited_contour_loses_its_review_and_what_follows_is_out_of_date(with_vois):
    panel, node = with_vois, segmentation(with_vois.case)
    ui = accept_all(panel)
    step = panel.steps["segmentation"]
    assert "done" in header(panel)
    before = step.outputs_fingerprint(panel.case)
    edit(node, "liver", lambda array: array.__setitem__((slice(0, 2),), 0))
    events(0.5)
    assert "needs review" in header(panel)
    assert column(ui, 8) == {"liver": "not reviewed", "kidney left": "A. Physicist", "body": "A. Physicist"}
    assert "liver is not reviewed." in ui.reviewLabel.text
    assert ui.table.verticalHeaderItem(0).text() == "!"
    assert step.outputs_fingerprint(panel.case) != before


def test_a_review_needs_a_name_and_goes_row_by_row(with_vois):
    ui = with_vois.steps["segmentation"].ui
    assert not ui.acceptButton.enabled
    assert "name of the reviewer" in ui.acceptButton.toolTip
    ui.reviewerEdit.text = "B. Doctor"
    events()
    ui.acceptButton.click()
    assert "Choose a volume in the table first" in with_vois.said
    ui.table.setCurrentCell(1, 0)
    ui.acceptButton.click()
    events()
    assert column(ui, 8) == {"liver": "not reviewed", "kidney left": "B. Doctor", "body": "not reviewed"}
    assert column(ui, 9)["kidney left"]


def test_an_empty_segment_is_said_and_stops_what_follows(with_vois):
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case
    from RPTDosimetryLib.errors import VoiError

    ui = accept_all(with_vois)
    node = segmentation(with_vois.case)
    node.GetSegmentation().AddEmptySegment("new", "Segment_1")
    events(0.5)
    assert "Segment Segment_1 is empty" in ui.reviewLabel.text
    assert "needs review" in header(with_vois)
    assert not ui.acceptAllButton.enabled
    with pytest.raises(VoiError, match="is empty"):
        vois_of_case(with_vois.case)
    ui.table.setCurrentCell(3, 0)
    ui.removeButton.click()
    events(0.5)
    assert "done" in header(with_vois)


def test_a_saved_and_loaded_scene_keeps_volumes_reviews_and_states(with_vois, tmp_path):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge import lesions
    from RPTDosimetryLib.bridge.volumes_of_interest import vois_of_case

    panel, ui = with_vois, with_vois.steps["segmentation"].ui
    lesions.seed_at(panel.case, LESION_RAS)
    panel.steps["segmentation"].add_lesion()
    accept_all(panel)
    ui.percentSlider.value = 30.0
    ui.previewBox.checked = True
    previewed(panel)
    assert panel.case.node(at.PREVIEW) is not None
    before = table_of(ui), header(panel), panel.steps["segmentation"].outputs_fingerprint(panel.case)
    vois = vois_of_case(panel.case)
    save_bundle(tmp_path / "case.mrb")
    ui.previewBox.checked = False
    load_bundle(tmp_path / "case.mrb")
    events(0.2)
    assert (table_of(ui), header(panel), panel.steps["segmentation"].outputs_fingerprint(panel.case)) == before
    for one, other in zip(vois_of_case(panel.case), vois, strict=True):
        assert (one.name, one.kind, one.code, one.source, one.warnings, one.review, one.lesions) == (
            other.name, other.kind, other.code, other.source, other.warnings, other.review, other.lesions
        )  # fmt: skip
        np.testing.assert_array_equal(one.mask, other.mask)
    assert panel.case.node(at.PREVIEW) is None
    assert lesions.place_of(panel.case) is not None
    assert ui.percentSlider.value == 30.0
    assert "done" in header(panel)
