"""Engine hybrid from the panel: model and card, the guard's verdict, maps of the correction; beside MSV in Compare."""

import json

import numpy as np
import pytest
from scene_files import load_bundle, save_bundle
from small_model import write_small_model
from test_panel import events, header
from test_step_dose import compute, dose_nodes, tick
from upstream import four_time_points, put_upstream

pytest.importorskip("torch", reason='networks need torch: pip install "slicer-rpt-dosimetry[dl]"')
ENGINE = "hybrid"


@pytest.fixture
def ready(panel, tmp_path, monkeypatch):
    """The panel with all that Dose needs, and that accepted; the user has no models yet, and none is shipped."""
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge import volumes_of_interest
    from RPTDosimetryLib.bridge.registered import ACCEPTED, decide, registered_numbers
    from RPTDosimetryLib.learning import model_file

    monkeypatch.setenv("RPTDOSIMETRY_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(model_file, "shipped_models", dict)
    registered, vois = put_upstream(panel.case, four_time_points())
    segments = volumes_of_interest.segment_ids(panel.case.node(at.VOIS))
    volumes_of_interest.accept(panel.case, segments, "B. Physician")
    for number in registered_numbers(panel.case):
        decide(panel.case, number, ACCEPTED)
    panel.steps["kinetics"].run_now(panel.case)
    assert panel.steps["dose"].needs_review(panel.case) == []
    panel.open_step("dose")
    events()
    return panel, registered, vois


@pytest.fixture
def with_model(ready, tmp_path):
    """A model among the user's own, chosen, and its engine ticked."""

    def make(name="small", **card):
        panel, registered, _vois = ready
        folder = write_small_model(tmp_path / "config" / "models" / name, panel, registered, **card)
        panel.parameters.hybrid.model = str(folder)
        tick(panel, ENGINE)
        return panel

    return make


def ui_of(panel):
    return panel.steps["dose"].ui


def cells_of_engine(panel):
    table = ui_of(panel).engines
    row = next(n for n in range(table.rowCount) if table.item(n, 0).text() == ENGINE)
    return [table.item(row, column) for column in range(3)]


def own_dose(panel, registered, vois, engine=ENGINE):
    """The library's dose of the same input, from its own functions."""
    from RPTDosimetryLib.bridge.doses import tia_of_case
    from RPTDosimetryLib.dose.engine import DoseSettings, compute_dose
    from RPTDosimetryLib.dose.hybrid_settings import HybridSettings
    from RPTDosimetryLib.registration.patient_map import patient_map_of

    chosen = DoseSettings(engine=engine, hybrid=HybridSettings(model=panel.parameters.hybrid.model))
    return compute_dose(tia_of_case(panel.case), patient_map_of(registered), "Lu-177", chosen, vois=vois)


def maps(panel):
    from RPTDosimetryLib.bridge import attributes as at

    return {at.text(node, "Map"): node for node in panel.case.nodes(at.ENGINE_MAP)}


# what can be chosen ---------------------------------------------------------------------------------------------------


def test_without_a_model_the_engine_is_greyed_with_the_reason(ready, tmp_path):
    import qt

    panel = ready[0]
    name, _gives, costs = cells_of_engine(panel)
    assert name.flags() == qt.Qt.NoItemFlags
    assert "There is no model 'default'" in name.toolTip()
    assert str(tmp_path / "config" / "models") in name.toolTip(), "where one can be put"
    assert "not available" in costs.text()
    ui = ui_of(panel)
    assert ui.hyButton.visible
    assert ui.hyButton.collapsed
    assert "not available" in ui.hyButton.text
    ui.hyButton.collapsed = False
    events()
    assert "There is no model" in ui.hyReasonLabel.text
    assert not ui.hyCard.visible


def test_without_torch_a_button_installs_it(ready, monkeypatch):
    from RPTDosimetryLib.bridge import dependencies

    panel = ready[0]
    monkeypatch.setattr(dependencies, "FOR_NETWORKS", (("no_such_torch", "torch>=2.6", 800),))
    asked = []
    monkeypatch.setattr(dependencies.slicer.util, "pip_install", asked.append)
    panel.refresh()
    ui = ui_of(panel)
    ui.hyButton.collapsed = False
    events()
    assert "needs the Python packages torch" in ui.hyReasonLabel.text
    assert "800 MB" in ui.hyInstallButton.text
    assert ui.hyInstallButton.visible
    assert not panel.install_button.visible, "nobody else needs it"
    assert asked == []
    ui.hyInstallButton.click()
    assert asked == [["torch>=2.6"]]


def test_packages_for_networks_are_those_of_the_extra(scene):
    import tomllib
    from pathlib import Path

    from RPTDosimetryLib.bridge.dependencies import FOR_NETWORKS

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert [requirement for _, requirement, _ in FOR_NETWORKS] == project["project"]["optional-dependencies"]["dl"]


def test_the_extension_pytorch_installs_torch_where_it_is_there(scene, monkeypatch):
    import sys
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from RPTDosimetryLib.bridge import dependencies
    from RPTDosimetryLib.errors import ConfigurationError

    asked, answers = [], [None, object()]

    class Logic:
        def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
            asked.append((askConfirmation, torchVersionRequirement))
            return answers.pop(0)

    module = ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic, module.__spec__ = Logic, ModuleSpec("PyTorchUtils", None)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    found = dependencies.find_spec
    monkeypatch.setattr(dependencies, "find_spec", lambda name: None if name == "torch" else found(name))
    installed = []
    monkeypatch.setattr(dependencies, "install", installed.append)
    with pytest.raises(ConfigurationError, match="press Install again"):
        dependencies.install_for_networks()
    assert installed == []
    dependencies.install_for_networks()
    assert asked == [(True, ">=2.6")] * 2
    assert installed == [dependencies.FOR_NETWORKS]


def test_the_form_offers_the_users_models_and_shows_the_card(with_model):
    panel = with_model()
    ui = ui_of(panel)
    assert ui.hyButton.visible
    assert not ui.hyButton.collapsed
    assert ui.hyModelBox.currentText == "small (yours)"
    assert not ui.hyReasonLabel.visible
    told = ui.hyCard.toPlainText()
    sha256 = json.loads((_folder(panel) / "card.json").read_text(encoding="utf-8"))["members"][0]["sha256"]
    for part in ("Model card: small", "one made-up patient", "Not for patients", "Apache-2.0", "4.50", sha256):
        assert part in told
    assert "not asked yet" in ui.hyGuardLabel.text
    assert "with the 1 patients" in ui.hyGuardLabel.text
    assert ui.runButton.enabled, ui.missingLabel.text


def test_a_folder_can_be_chosen_and_what_is_none_is_a_sentence(with_model, tmp_path):
    import shutil

    panel = with_model()
    ui = ui_of(panel)
    elsewhere = shutil.copytree(_folder(panel), tmp_path / "elsewhere")
    ui.hyFolderEdit.currentPath = str(elsewhere)
    events()
    assert panel.parameters.hybrid.model == str(elsewhere)
    assert ui.hyModelBox.currentText == "elsewhere (folder)"
    assert ui.runButton.enabled
    ui.hyFolderEdit.currentPath = str(tmp_path)
    events()
    assert not ui.runButton.enabled
    assert "There is no model" in ui.missingLabel.text
    assert not ui.hyCard.visible
    ui.hyModelBox.setCurrentIndex(0)
    ui.hyModelBox.activated.emit(0)
    events()
    assert ui.hyFolderEdit.currentPath == ""
    assert ui.runButton.enabled


def test_what_cannot_go_together_is_said_before_the_run(with_model, monkeypatch):
    from RPTDosimetryLib.bridge import monte_carlo_choices

    panel = with_model()
    ui = ui_of(panel)
    ui.unscaledBox.checked = True
    events()
    assert "untick Kernels without the density rule" in ui.missingLabel.text
    ui.unscaledBox.checked = False
    monkeypatch.setattr(monte_carlo_choices, "no_cuda", lambda: "No NVIDIA driver answers.")
    panel.parameters.hybrid.device = "cuda"
    events()
    assert "Networks cannot run on a GPU here. No NVIDIA driver answers." in ui.missingLabel.text
    panel.parameters.hybrid.device = "cpu"
    events()
    assert not ui.hyDeviceBox.enabled
    assert "No NVIDIA driver" in ui.hyDeviceBox.toolTip
    assert ui.missingLabel.text == ""


def test_sentences_of_the_library_are_in_words_of_the_panel():
    from RPTDosimetryLib.bridge.words import in_panel_words
    from RPTDosimetryLib.errors import LearningError
    from RPTDosimetryLib.learning import torch_here

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_here.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(LearningError) as no_torch:
            torch_here.require_torch()
    assert in_panel_words(str(no_torch.value)).endswith("Press Install under Hybrid in step Dose.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_here.require_torch().cuda, "is_available", lambda: False)
        with pytest.raises(LearningError) as no_gpu:
            torch_here.device_of("cuda")
    assert in_panel_words(str(no_gpu.value)).endswith("choose the Device cpu under Hybrid.")


# a run ----------------------------------------------------------------------------------------------------------------


def test_the_dose_and_its_maps_are_the_librarys_bit_for_bit_and_saved(with_model, ready, tmp_path):
    import slicer

    from RPTDosimetryLib.bridge.doses import doses_of_case

    panel = with_model()
    _panel, registered, vois = ready
    compute(panel, ENGINE)
    assert "should not" not in panel.said
    own = own_dose(panel, registered, vois)
    assert own.parameters["fell_back"] is False, own.warnings

    def check():
        (back,) = doses_of_case(panel.case)
        np.testing.assert_array_equal(back.image.voxels, own.image.voxels)
        assert (back.method, back.warnings) == (own.method, own.warnings)
        assert back.parameters == json.loads(json.dumps(dict(own.parameters), default=str))
        assert back.region_errors_gy == {}
        assert set(back.extra_maps) == set(own.extra_maps)
        for name, image in own.extra_maps.items():
            np.testing.assert_array_equal(back.extra_maps[name].voxels, image.voxels)
            assert back.extra_maps[name].unit == image.unit
            assert back.extra_maps[name].grid.same_as(image.grid)

    check()
    correction = own.extra_maps["correction_gy"].voxels
    assert np.unique(correction).size > 100, "or the test tells nothing"
    names = {name: node.GetName() for name, node in maps(panel).items()}
    assert names["correction_gy"] == "Correction of dose hybrid [Gy]"
    assert names["member_sd_gy"] == "Spread of networks of dose hybrid [Gy]"
    assert "inside" in ui_of(panel).verdictLabel.text
    assert not ui_of(panel).acceptButton.visible
    assert "done" in header(panel, "dose")
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    check()
    assert "done" in header(panel, "dose")
    display = maps(panel)["correction_gy"].GetDisplayNode()
    assert display.GetColorNode().GetName() == "Correction colours"
    assert display.GetWindowLevelMin() == pytest.approx(-display.GetWindowLevelMax())
    voxels = slicer.util.arrayFromVolume(maps(panel)["correction_gy"])
    np.testing.assert_array_equal(np.isnan(voxels), own.image.voxels == 0, "air is clear")


def test_each_map_can_be_shown_with_its_legend(with_model):
    import slicer

    panel = with_model()
    compute(panel, "msv8", ENGINE)
    ui = ui_of(panel)
    ui.shownBox.setCurrentIndex(ui.shownBox.findText(ENGINE))
    ui.shownBox.activated.emit(ui.shownBox.currentIndex)
    events()

    def legends():
        nodes = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
        return [node.GetTitleText() for node in nodes if node.GetVisibility()]

    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    for label, name, legend in (
        ("correction, hybrid − MSV-8, Gy", "correction_gy", "Hybrid − MSV-8 [Gy]"),
        ("spread of the networks, 1 SD, Gy", "member_sd_gy", "Spread of the networks, 1 SD [Gy]"),
        ("correction by electrons, Gy", "correction_electrons_gy", "Correction by electrons [Gy]"),
    ):
        ui.mapBox.currentIndex = ui.mapBox.findText(label)
        events()
        assert composite.GetForegroundVolumeID() == maps(panel)[name].GetID()
        assert legends() == [legend]
    ui.shownBox.setCurrentIndex(ui.shownBox.findText("msv8"))
    ui.shownBox.activated.emit(ui.shownBox.currentIndex)
    events()
    assert ui.mapBox.currentText == "dose", "msv8 has no such map"
    assert not ui.mapBox.enabled
    assert composite.GetForegroundVolumeID() == dose_nodes(panel)["msv8"].GetID()


def test_the_table_has_msv_and_the_spread_beside_each_mean(with_model, ready):
    panel = with_model()
    compute(panel, ENGINE)
    told = own_dose(panel, *ready[1:]).parameters["volumes"]
    table = ui_of(panel).organTable
    heads = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)]
    assert heads[3:6] == ["mean [Gy]", "MSV-8 [Gy]", "networks ± [Gy]"]
    for row, name in enumerate(("kidney", "liver lesion", "body")):
        assert float(table.item(row, 4).text()) == pytest.approx(told[name]["msv_mean_gy"], rel=1e-3)
        assert float(table.item(row, 5).text()) == pytest.approx(told[name]["member_sd_gy"], rel=1e-3)


def test_cancel_leaves_what_was_there(with_model):
    panel = with_model()
    ui_of(panel).runButton.click()
    assert panel.runner.busy
    panel.cancel_button.click()
    events()
    assert not panel.runner.busy
    assert dose_nodes(panel) == {}
    assert maps(panel) == {}


def test_of_dose_rates_there_is_no_map_and_the_guards_word_on_any_time_point(with_model):
    wide = [0.0, 0.0, 9.0, 9.0]  # the guard knows the activity of the integral only
    names = ("hottest_percent_share", "activity_variation", "air_activity_share", "lung_activity_share")
    panel = with_model(ranges=dict.fromkeys(names, wide))
    panel.parameters.dose.integrate = "dose_rate"
    events()
    assert "no map of the correction" in ui_of(panel).hyGuardLabel.text
    compute(panel, ENGINE)
    assert "inside" in ui_of(panel).verdictLabel.text
    assert "done" in header(panel, "dose")
    assert maps(panel) == {}
    assert ui_of(panel).organTable.horizontalHeaderItem(4).text() == "D98"
    with_model(ranges={**dict.fromkeys(names, wide), "hottest_percent_share": [0.0, 0.0, 0.2, 0.2]})
    events()
    compute(panel, ENGINE)
    assert "of one time point or more" in ui_of(panel).verdictLabel.text
    assert "hottest 1 %" in ui_of(panel).verdictLabel.text
    assert "needs review" in header(panel, "dose")


# the guard ------------------------------------------------------------------------------------------------------------


def test_a_dose_that_fell_back_to_msv_says_so_wherever_it_is_seen(with_model, ready, tmp_path):
    from RPTDosimetryLib.bridge import attributes as at
    from RPTDosimetryLib.bridge.comparison import dose_volumes
    from RPTDosimetryLib.bridge.doses import doses_of_case

    panel = with_model(nuclide="Y-90")
    assert "trained on Y-90: Lu-177 gets MSV-8" in ui_of(panel).hyGuardLabel.text
    compute(panel, ENGINE)
    ui = ui_of(panel)
    node = dose_nodes(panel)[ENGINE]
    assert node.GetName() == "Dose hybrid: MSV-8 in its place [Gy]"
    assert [each.GetName() for each in dose_volumes(panel.case)] == [node.GetName()], "Compare offers it as what it is"
    (back,) = doses_of_case(panel.case)
    np.testing.assert_array_equal(back.image.voxels, own_dose(panel, *ready[1:], engine="msv8").image.voxels)
    assert maps(panel) == {}
    for told in (ui.verdictLabel.text, ui.hyGuardLabel.text, panel._headers["dose"].toolTip):
        assert "NOT CORRECTED: this dose is MSV-8" in told
        assert "trained on Y-90" in told
    assert ui.organTable.horizontalHeaderItem(3).text() == "mean, MSV-8 [Gy]"
    assert "this is MSV-8" in panel.said
    table = panel.case.node(at.ORGAN_DOSES).GetTable()
    assert str(table.GetColumnByName("engine").GetValue(0)) == "hybrid (is MSV-8)"
    assert "needs review" in header(panel, "dose")
    save_bundle(tmp_path / "case.mrb")
    load_bundle(tmp_path / "case.mrb")
    events()
    assert "needs review" in header(panel, "dose")
    assert "NOT CORRECTED" in ui.verdictLabel.text


def test_a_patient_at_the_edge_of_training_is_marked_until_the_reviewer_accepts(with_model):
    from RPTDosimetryLib.bridge.doses import doses_of_case

    panel = with_model(ranges={"hottest_percent_share": [0.5, 0.5, 0.6, 0.6]})
    compute(panel, ENGINE)
    ui = ui_of(panel)
    assert "needs review" in header(panel, "dose")
    assert "OUTSIDE training" in ui.verdictLabel.text
    assert "hottest 1 %" in ui.verdictLabel.text
    assert maps(panel), "activity alone does not forbid the networks"
    assert ui.acceptButton.visible
    assert not ui.acceptButton.enabled
    assert "reviewer in step Segmentation" in ui.acceptButton.toolTip
    panel.parameters.segmentation.reviewer = "A. Physicist"
    events()
    ui.acceptButton.click()
    events()
    assert "done" in header(panel, "dose")
    assert "Accepted by A. Physicist" in ui.verdictLabel.text
    assert "OUTSIDE training" in ui.verdictLabel.text, "it stays said"
    assert not ui.acceptButton.visible
    (dose,) = doses_of_case(panel.case)
    assert dose.parameters["guard"]["accepted"]["reviewer"] == "A. Physicist"
    compute(panel, ENGINE)
    assert "needs review" in header(panel, "dose"), "another dose is another question"


# together with other engines ------------------------------------------------------------------------------------------


def test_another_model_puts_only_the_hybrid_dose_out_of_date(with_model, tmp_path):
    panel = with_model()
    compute(panel, "msv8", ENGINE)
    kept, small = dose_nodes(panel)["msv8"].GetID(), panel.parameters.hybrid.model
    with_model("other", spread=0.1)
    events()
    assert "out of date" in header(panel, "dose")
    panel.parameters.hybrid.model = small
    events()
    assert "out of date" not in header(panel, "dose")
    panel.parameters.hybrid.whenOutside = type(panel.parameters.hybrid.whenOutside).use
    events()
    assert "out of date" in header(panel, "dose")
    compute(panel, ENGINE)
    assert "out of date" not in header(panel, "dose")
    assert dose_nodes(panel)["msv8"].GetID() == kept
    panel.parameters.hybrid.model = str(tmp_path / "config" / "models" / "other")
    events()
    compute(panel, "local")
    assert sorted(dose_nodes(panel)) == ["local", "msv8"], "a dose of another model goes"
    assert maps(panel) == {}


def test_a_scene_on_a_computer_without_the_model_keeps_its_doses(with_model):
    import shutil

    panel = with_model()
    compute(panel, "msv8", ENGINE)
    shutil.rmtree(_folder(panel))
    tick(panel, "msv8")
    assert "done" in header(panel, "dose")
    assert sorted(dose_nodes(panel)) == [ENGINE, "msv8"]


def test_weights_that_were_replaced_put_the_dose_out_of_date(with_model):
    panel = with_model()
    compute(panel, ENGINE)
    assert "done" in header(panel, "dose")
    with_model(spread=0.05)
    panel.refresh()
    assert "out of date" in header(panel, "dose")


def test_compare_takes_hybrid_beside_msv(with_model):
    from RPTDosimetryLib.bridge import comparison

    panel = with_model()
    compute(panel, "msv8", ENGINE)
    panel.open_step("compare")
    events()
    ui = panel.steps["compare"].ui
    offered = [ui.referenceBox.itemText(n) for n in range(ui.referenceBox.count)]
    assert sorted(offered) == ["Dose hybrid [Gy]", "Dose msv8 [Gy]"], "doses, not the maps of the correction"
    doses = dose_nodes(panel)
    comparison.choose(panel.case, comparison.REFERENCE, doses["msv8"])
    comparison.choose(panel.case, comparison.EVALUATED, doses[ENGINE])
    panel.steps["compare"].run_now(panel.case)
    told = comparison.answer(panel.case)
    assert told["doses"] == ["Dose msv8 [Gy]", "Dose hybrid [Gy]"]
    import slicer

    difference = slicer.util.arrayFromVolume(comparison.part(panel.case, comparison.DIFFERENCE))
    correction = slicer.util.arrayFromVolume(maps(panel)["correction_gy"])
    dose = slicer.util.arrayFromVolume(doses[ENGINE])
    counted = np.isfinite(difference) & np.isfinite(correction)
    assert difference[counted] == pytest.approx(correction[counted], rel=1e-3, abs=1e-4 * float(dose.max()))


def test_the_report_keeps_card_verdict_and_maps(with_model, tmp_path):
    from RPTDosimetryLib.bridge.report_order import order_of
    from RPTDosimetryLib.report.exports import write_report

    panel = with_model()
    compute(panel, ENGINE)
    order = order_of(panel.case, panel.steps["kinetics"].choice(panel.case), None)
    write_report(order, tmp_path / "report")
    told = json.loads((tmp_path / "report" / "provenance.json").read_text(encoding="utf-8"))["steps"]["dose"]
    assert told["parameters"]["model"]["name"] == "small"
    assert len(told["parameters"]["model"]["sha256"]) == 2
    assert told["parameters"]["guard"]["verdict"] == "inside"
    for name in maps(panel):
        assert (tmp_path / "report" / f"dose_{name}.nrrd").is_file()
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "model small, SHA-256" in page
    assert "guard: inside" in page


def _folder(panel):
    from pathlib import Path

    return Path(panel.parameters.hybrid.model)
