"""RPT Dosimetry: the scripted module. A shell; everything it does is in RPTDosimetryLib."""

import sys
import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from RPTDosimetryLib.bridge.parameters import (
    AdministrationParameters,
    AssumptionParameters,
    CalibrationParameters,
    CompareParameters,
    DoseParameters,
    HybridParameters,
    KineticsParameters,
    MonteCarloParameters,
    RegistrationParameters,
    ReportParameters,
    SegmentationParameters,
    StudyParameters,
)
from RPTDosimetryLib.bridge.prediction_parameters import PredictParameters


class RPTDosimetry(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("RPT Dosimetry")
        parent.categories = ["Nuclear Medicine"]
        parent.dependencies = ["Segmentations", "SegmentEditor", "Sequences", "SubjectHierarchy", "Volumes"]
        parent.contributors = ["SlicerRPTDosimetry contributors"]
        parent.helpText = _(
            "Voxel dosimetry for radiopharmaceutical therapy: from serial SPECT/CT to absorbed dose maps, organ tables "
            "and dose-volume histograms. Press Load sample case and follow the steps from top to bottom. "
            "Research software, not a medical device."
        )
        parent.acknowledgementText = _(
            "Built on 3D Slicer, ITK, VTK, pydicom, highdicom, NumPy, SciPy and Numba. Sources and terms of all "
            "physics data are named beside the data and in the documentation."
        )
        slicer.app.connect("startupCompleted()", self.registerSample)

    def registerSample(self):
        from RPTDosimetryLib.bridge.samples import register_sample

        register_sample(self.resourcePath("Icons/SampleCase.png"))


@parameterNodeWrapper
class RPTDosimetryParameterNode:
    """Settings of all steps, saved with the scene: one pack a step, from bridge/parameters.py."""

    administration: AdministrationParameters
    study: StudyParameters
    calibration: CalibrationParameters
    registration: RegistrationParameters
    segmentation: SegmentationParameters
    kinetics: KineticsParameters
    dose: DoseParameters
    monteCarlo: MonteCarloParameters
    hybrid: HybridParameters
    compare: CompareParameters
    assumptions: AssumptionParameters
    report: ReportParameters
    predict: PredictParameters


class RPTDosimetryLogic(ScriptedLoadableModuleLogic):
    """Every step for scripts: each call waits for its end. Owns no physics; see docs/manual/panel.md."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._case = None

    def getParameterNode(self):
        return RPTDosimetryParameterNode(super().getParameterNode())

    def case(self):
        """The scene as a case (bridge/case.py)."""
        from RPTDosimetryLib.bridge.case import Case

        if self._case is None:
            self._case = Case(self.getParameterNode())
        return self._case

    def forgetCase(self):
        self._case = None

    def step(self, key):
        """One step of the panel by its key, such as "study"; its run_now(logic.case()) runs it and waits."""
        from RPTDosimetryLib.bridge.steps import make_steps

        return make_steps()[key]

    def loadSampleCase(self):
        """Put the virtual patient into the scene; returns the nodes of its time points."""
        from RPTDosimetryLib.background import perform
        from RPTDosimetryLib.bridge.samples import sample_request

        return self.addStudy(perform(sample_request()))

    def addTimePointsFromFolder(self, folder):
        """Read a study folder (DICOM, or study.json beside images) into the scene."""
        from RPTDosimetryLib.study.read_study import read_study

        return self.addStudy(read_study(Path(folder)))

    def addStudy(self, study):
        """Put a Study of the library into the scene."""
        from RPTDosimetryLib.bridge.time_points import add_study

        add_study(self.case(), study)
        return self.case().time_points()

    def addTimePointFromVolumes(self, spect, ct=None):
        """Take volumes of the scene as a time point."""
        from RPTDosimetryLib.bridge.time_points import add_volumes

        add_volumes(self.case(), spect, ct)
        return self.case().time_points()


class RPTDosimetryWidget(ScriptedLoadableModuleWidget):
    """Shows the panel (bridge/panel.py)."""

    panel = None  # until setup has made it

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from RPTDosimetryLib.bridge.panel import Panel

        self.logic = RPTDosimetryLogic()
        self.panel = Panel(self.logic, self.resourcePath)
        self.layout.addWidget(self.panel.widget)
        if getattr(self.parent, "isEntered", False):  # reloaded while it is open: Slicer calls no enter()
            self.enter()

    def enter(self):
        if self.panel is not None:
            self.panel.enter()

    def exit(self):
        if self.panel is not None:
            self.panel.leave()

    def cleanup(self):
        if self.panel is not None:
            self.panel.close()

    def onReload(self):
        """Reload the library as well: Slicer reloads this file only."""
        self.cleanup()
        for name in [name for name in sys.modules if name.split(".")[0] == "RPTDosimetryLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class RPTDosimetryTest(ScriptedLoadableModuleTest):
    """Self test: the sample case, by scripts and by the panel's own buttons, and its doses against the known truth.

    Button "Reload and Test", or slicer.testing.runUnitTest([folder of this file], "RPTDosimetry").
    """

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def test_sample_case_is_complete(self):
        logic = RPTDosimetryLogic()
        self.assertEqual(len(logic.loadSampleCase()), 4)
        self.assertEqual(logic.step("study").missing(logic.case()), [])

    def test_sample_case_clicked_through_gives_the_known_doses(self):
        from RPTDosimetryLib.bridge.click_through import click_through, errors_against_truth

        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule("RPTDosimetry")
        panel = slicer.util.getModuleWidget("RPTDosimetry").panel
        panel.enter()
        with tempfile.TemporaryDirectory() as folder:
            for step in click_through(panel, Path(folder) / "report"):
                self.delayDisplay(f"{panel.steps[step].title}: {panel.said}")
            self.assertTrue((Path(folder) / "report").is_dir())
        found = errors_against_truth(panel.case)
        self.assertEqual(set(found), {"local", "msv8"})
        largest = {"liver": 0.12, "kidney_left": 0.25, "kidney_right": 0.25, "spleen": 0.25}  # SPECT blurs small organs
        for engine, errors in found.items():
            for organ, most in largest.items():
                self.assertLess(abs(errors[organ]), most, f"{organ} by {engine}")
