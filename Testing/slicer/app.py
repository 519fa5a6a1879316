"""The panel in a desktop window without Slicer: the same module beside slice, 3-D and plot views (make app).

A look-alike of Slicer's window for those who have no Slicer yet: Segment Editor, DICOM browser and the other modules
are missing. python Testing/slicer/app.py [--sample] [--screenshot PNG]
"""

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "lookalike"), str(HERE), str(HERE.parents[1] / "RPTDosimetry")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="load the sample case at once")
    parser.add_argument("--screenshot", type=Path, help="write a picture of the window (PNG) and end")
    chosen = parser.parse_args()
    if chosen.screenshot or not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name == "nt" or sys.platform == "darwin"
    ):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import application

    app = application.start()
    app.testing = False
    window = make_window()
    window.show()
    if chosen.sample:
        window.panel.steps["study"].ui.sampleButton.click()
        if chosen.screenshot:
            window.panel.runner.wait()
    if chosen.screenshot:
        take_screenshot(window, chosen.screenshot)
        window.close()
        return 0
    return app._qt.exec()


def make_window():
    """The window, its panel opened; window.panel is the Panel."""
    import slicer
    from desktop_views import PlotView, SliceView, ThreeDView
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QMainWindow, QScrollArea, QSplitter

    import RPTDosimetry

    class Window(QMainWindow):
        def __init__(self):
            super().__init__()
            self.setObjectName("qSlicerMainWindow")
            self.setWindowTitle("RPT Dosimetry (look-alike of 3D Slicer) - research software, not a medical device")
            self.resize(1500, 950)
            self.module = RPTDosimetry.RPTDosimetryWidget()
            self.panel = self.module.panel
            self.scroll = scroll = QScrollArea()
            scroll.setWidgetResizable(True)
            scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
            scroll.setWidget(self.module.parent)
            scroll.setMinimumWidth(470)
            self.sides = QSplitter(Qt.Horizontal)
            self.sides.addWidget(scroll)
            self.setCentralWidget(self.sides)
            self.views = []
            self._shown = None
            manager = slicer.app.layoutManager()
            manager.on_layout.append(self.arrange)
            from RPTDosimetryLib.bridge import views

            self.module.enter()
            manager.setLayout(views.OVERLAY)

        def scroll_to_open_step(self):
            """The open step below the top of the panel, as far as the panel reaches."""
            header = next(h for h in self.panel._headers.values() if not h.collapsed)
            fits = self.scroll.verticalScrollBar().maximum() == 0
            self.scroll.verticalScrollBar().setValue(0 if fits else header.y - 60)

        def arrange(self, tree):
            for view in self.views:
                view.forget()
            self.views = []
            made = self._made(tree)
            if self.sides.count() > 1:
                old = self.sides.widget(1)
                old.setParent(None)
                old.deleteLater()
            self.sides.addWidget(made)
            self.sides.setSizes([480, 1020])
            self.sides.setStretchFactor(1, 1)

        def _made(self, element):
            """Nested splitters and views from the XML of a layout."""
            if element.tag == "view":
                view = self._view(element.get("class"), element.get("singletontag"))
                self.views.append(view)
                return view
            splitter = QSplitter(Qt.Vertical if element.get("type") == "vertical" else Qt.Horizontal)
            for item in element.findall("item"):
                splitter.addWidget(self._made(item[0]))
            splitter.setSizes([1000] * splitter.count())
            return splitter

        def _view(self, kind, tag):
            manager = slicer.app.layoutManager()
            if kind == "vtkMRMLSliceNode":
                return SliceView(manager.sliceWidget(tag).sliceLogic())
            node = slicer.mrmlScene.GetSingletonNode(tag, kind)
            return PlotView(node) if kind == "vtkMRMLPlotViewNode" else ThreeDView(node)

        def closeEvent(self, event):
            slicer.app.layoutManager().on_layout.remove(self.arrange)
            for view in self.views:
                view.forget()
            self.module.cleanup()
            super().closeEvent(event)

    return Window()


def take_screenshot(window, path):
    """A picture of a window or of the panel alone (PNG), when nothing is left to draw."""
    import slicer

    for _ in range(6):
        slicer.app.processEvents()
        time.sleep(0.02)
    for view in getattr(window, "views", ()):
        view.draw()
    window.grab().save(str(path))


if __name__ == "__main__":
    sys.exit(main())
