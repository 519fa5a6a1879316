"""RPT Dosimetry: the scripted module. A shell; everything it does is in RPTDosimetryLib."""

import tempfile
from pathlib import Path

import ctk
import qt
import slicer
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class RPTDosimetry(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "RPT Dosimetry"
        parent.categories = ["Nuclear Medicine"]
        parent.contributors = ["SlicerRPTDosimetry contributors"]
        parent.helpText = (
            "Voxel dosimetry for radiopharmaceutical therapy: from serial SPECT/CT to absorbed dose maps, organ tables "
            "and dose-volume histograms. Research software, not a medical device."
        )
        parent.acknowledgementText = "Sources of all physics data are named in the documentation."


@parameterNodeWrapper
class RPTDosimetryParameterNode:
    """State of the module that is saved with the scene."""

    studyFolder: str = ""
    outputFolder: str = ""


class RPTDosimetryLogic(ScriptedLoadableModuleLogic):
    """Runs the same pipeline as the command line."""

    def getParameterNode(self):
        return RPTDosimetryParameterNode(super().getParameterNode())

    def run(self, studyFolder, outputFolder, progress):
        from RPTDosimetryLib.configuration import RunSettings
        from RPTDosimetryLib.pipeline import run

        return run(Path(studyFolder), RunSettings(), Path(outputFolder), progress)


class RPTDosimetryWidget(ScriptedLoadableModuleWidget):
    """Choose a study folder and an output folder, and run."""

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = RPTDosimetryLogic()
        self._parameters = self.logic.getParameterNode()
        form = qt.QFormLayout()
        self.layout.addLayout(form)
        self._study = self._folderRow(form, "Study folder:", self._parameters.studyFolder)
        self._output = self._folderRow(form, "Results folder:", self._parameters.outputFolder)
        self._run = qt.QPushButton("Compute absorbed dose")
        self._run.toolTip = "Read the study, register, integrate and compute the dose; results go to the results folder"
        self._run.connect("clicked(bool)", self.onRun)
        form.addRow(self._run)
        self._status = qt.QLabel("Research software, not a medical device.")
        self._status.wordWrap = True
        form.addRow(self._status)
        self.layout.addStretch(1)

    def _folderRow(self, form, label, folder):
        button = ctk.ctkPathLineEdit()
        button.filters = ctk.ctkPathLineEdit.Dirs
        button.currentPath = folder
        form.addRow(label, button)
        return button

    def onRun(self, _checked=False):
        self._parameters.studyFolder = self._study.currentPath
        self._parameters.outputFolder = self._output.currentPath
        with slicer.util.tryWithErrorDisplay("The dose could not be computed.", waitCursor=True):
            results = self.logic.run(self._study.currentPath, self._output.currentPath, self.showProgress)
            slicer.util.loadVolume(str(results.dose_map))
            self._status.text = f"Results are in {self._output.currentPath}."

    def showProgress(self, fraction, text):
        self._status.text = f"{fraction:.0%} {text}"
        slicer.app.processEvents()


class RPTDosimetryTest(ScriptedLoadableModuleTest):
    """Self test: the virtual patient's kidney gets the dose that is known."""

    def runTest(self):
        slicer.mrmlScene.Clear()
        self.test_demo_kidney_dose_is_close_to_truth()

    def test_demo_kidney_dose_is_close_to_truth(self):
        from RPTDosimetryLib.demo import run_demo

        with tempfile.TemporaryDirectory() as folder:
            errors = {row.name: row.error_fraction for row in run_demo(Path(folder)).organ_errors}
        self.assertLess(abs(errors["kidney_left"]), 0.25)
