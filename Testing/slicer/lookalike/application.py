"""One application core a process: real MRML scene, logics and slice views of slicer-core, and what Slicer puts around
them (slicer.app, slicer.modules, slicer.mrmlScene) as far as the panel needs it. Not Slicer; a look-alike of it.
"""

import os
import sys
import tempfile
import types
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
MODULE = HERE.parents[2] / "RPTDosimetry" / "RPTDosimetry.py"


class LayoutManager:
    """Slice logics for the slice views that layouts name; a window listens in on_layout to draw them."""

    def __init__(self, scene, app_logic):
        import slicer
        import vtk

        self._scene, self._app_logic = scene, app_logic
        self._logics, self._views, self.on_layout = vtk.vtkCollection(), {}, []
        app_logic.SetSliceLogics(self._logics)
        app_logic.SetViewLogics(vtk.vtkCollection())
        self._layout_logic = slicer.vtkMRMLLayoutLogic()
        self._layout_logic.SetMRMLScene(scene)
        self.refill()

    def refill(self, more=()):
        """Slice logics and nodes for the slice views (again after the scene was closed or loaded)."""
        import slicer

        for tag in ("Red", "Yellow", "Green", *more):
            if tag not in self._views:
                logic = slicer.vtkMRMLSliceLogic()
                logic.SetMRMLApplicationLogic(self._app_logic)
                logic.SetMRMLScene(self._scene)
                self._logics.AddItem(logic)
                self._views[tag] = logic
        for tag in self._views:
            node = self._scene.GetSingletonNode(tag, "vtkMRMLSliceNode")
            if node is None:
                node = self._views[tag].AddSliceNode(tag)
                node.SetOrientation({"Yellow": "Sagittal", "Green": "Coronal"}.get(tag, "Axial"))
            node.SetMappedInLayout(1)
            self._views[tag].SetSliceNode(node)

    def layoutLogic(self):
        return self._layout_logic

    @property
    def layout(self):
        return self._layout_logic.GetLayoutNode().GetViewArrangement()

    def setLayout(self, layout):
        node = self._layout_logic.GetLayoutNode()
        node.SetViewArrangement(layout)
        tree = ElementTree.fromstring(node.GetLayoutDescription(layout))
        self.refill(v.get("singletontag") for v in tree.iter("view") if v.get("class") == "vtkMRMLSliceNode")
        for listener in self.on_layout:
            listener(tree)

    def sliceViewNames(self):
        return tuple(self._views)

    def sliceWidget(self, name):
        logic = self._views[name]
        return types.SimpleNamespace(
            sliceLogic=lambda: logic,
            mrmlSliceNode=logic.GetSliceNode,
            mrmlSliceCompositeNode=logic.GetSliceCompositeNode,
        )

    def mrmlSliceLogics(self):
        return self._logics

    def resetSliceViews(self):
        for logic in self._views.values():
            logic.FitSliceToBackground()

    def resetThreeDViews(self):
        pass


class Application:
    """slicer.app: paths, settings, cursor, layout manager."""

    applicationName = "RPT Dosimetry"
    slicerHome = os.path.dirname(os.path.dirname(sys.executable))

    def __init__(self, qt_application, layout_manager):
        self._qt, self._layouts = qt_application, layout_manager
        self.cachePath = os.environ.get("RPTDOSIMETRY_CACHE") or str(Path.home() / ".cache" / "RPTDosimetry")
        self.temporaryPath = tempfile.gettempdir()
        self.testing = True  # no message boxes; the desktop window says False

    def testingEnabled(self):
        return self.testing

    def layoutManager(self):
        return self._layouts

    def applicationLogic(self):
        return self._kept[0]

    def connect(self, _signal, _slot):
        return True  # the application is started already

    def processEvents(self):
        self._qt.processEvents()

    def dicomDatabase(self):
        return None

    def translate(self, _context, text):
        return text

    def setOverrideCursor(self, cursor):
        self._qt.setOverrideCursor(cursor)

    def restoreOverrideCursor(self):
        self._qt.restoreOverrideCursor()

    def activeWindow(self):
        return self._qt.activeWindow()

    def topLevelWidgets(self):
        return self._qt.topLevelWidgets()

    def settings(self):
        import qt

        return qt.QSettings(str(Path(self.cachePath) / "settings.ini"), qt.QSettings.IniFormat)

    userSettings = settings


def _module(name, **members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made


#: Names of modules as displayable managers ask for them, where they have a second capital.
_MODULE_NAMES = {"volumerendering": "VolumeRendering"}


def _logics(scene, app_logic):
    import slicer

    kinds = {
        "volumes": slicer.vtkSlicerVolumesLogic,
        "segmentations": slicer.vtkSlicerSegmentationsModuleLogic,
        "sequences": slicer.vtkSlicerSequencesLogic,
        "subjecthierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic,
        "colors": slicer.vtkMRMLColorLogic,
        "transforms": slicer.vtkSlicerTransformLogic,
        "plots": slicer.vtkSlicerPlotsLogic,
        "tables": slicer.vtkSlicerTablesLogic,
        "markups": slicer.vtkSlicerMarkupsLogic,
        "volumerendering": slicer.vtkSlicerVolumeRenderingLogic,
    }
    found = {}
    for name, kind in kinds.items():
        logic = kind()
        logic.SetMRMLApplicationLogic(app_logic)
        logic.SetMRMLScene(scene)
        app_logic.SetModuleLogic(_MODULE_NAMES.get(name, name.capitalize()), logic)
        found[name] = logic
    return found


def start():
    """The application core; the same one each time it is asked for."""
    import slicer

    if hasattr(slicer, "app"):
        return slicer.app
    sys.path[:0] = [str(HERE), str(MODULE.parent)]
    from PySide6.QtWidgets import QApplication

    qt_application = QApplication.instance() or QApplication([])
    scene = slicer.vtkMRMLScene()
    app_logic = slicer.vtkMRMLApplicationLogic()
    app_logic.SetMRMLScene(scene)
    slicer.mrmlScene = scene
    logics = _logics(scene, app_logic)
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # in Slicer by its module Colors
    if scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode") is None:
        slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.GetCacheManager().SetRemoteCacheDirectory(tempfile.mkdtemp(prefix="rpt-cache-"))
    remote.AddDataIOToScene() if hasattr(remote, "AddDataIOToScene") else None
    data_io = slicer.vtkDataIOManagerLogic()
    data_io.SetMRMLApplicationLogic(app_logic)
    data_io.SetAndObserveDataIOManager(scene.GetDataIOManager()) if scene.GetDataIOManager() else None
    slicer.app = Application(qt_application, LayoutManager(scene, app_logic))
    slicer.app._kept = (app_logic, logics, remote, data_io)
    slicer.modules = types.SimpleNamespace(
        **{name: types.SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in logics.items()},
        rptdosimetry=types.SimpleNamespace(path=str(MODULE)),
        sampleDataSources={},
    )
    slicer.dicomDatabase = None
    _module("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)
    import parameter_node
    import scripted

    sys.modules["slicer.ScriptedLoadableModule"] = slicer.ScriptedLoadableModule = scripted
    sys.modules["slicer.parameterNodeWrapper"] = slicer.parameterNodeWrapper = parameter_node
    import mrml_widgets

    for kind in mrml_widgets.CLASSES:
        setattr(slicer, kind.__name__, kind)
    return slicer.app
