"""Slice, 3-D and plot views for the desktop window: rendered off screen by MRML's own displayable managers."""

import qt
import slicer
import vtk
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap
from PySide6.QtWidgets import QLabel, QSizePolicy
from vtk.util.numpy_support import vtk_to_numpy

IN_SLICES = (
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)
IN_3D = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)
#: Line styles of plot series for matplotlib; unknown ones are solid.
_LINES = {"none": "", "dash": "--", "dot": ":", "dash-dot": "-.", "dash-dot-dot": "-."}
#: Pixels of a chart's fonts in points of a figure with 100 dots an inch.
_POINTS = 0.72
#: Letters at the left, right, top and bottom of a view by orientation, as radiologists read them.
LETTERS = {"Axial": "RLAP", "Sagittal": "APSI", "Coronal": "RLSI"}


def _registered(factory, names):
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory


class View(QLabel):
    """A picture that is made again soon after what it shows has changed."""

    def __init__(self, title, colour):
        super().__init__()
        self.title, self.colour = title, colour
        self.setMinimumSize(120, 100)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Ignored)
        self.setStyleSheet("background: black")
        self.setAccessibleName(f"View {title}")
        self._observed = []
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self.draw)

    def watch(self, thing, event="ModifiedEvent"):
        self._observed.append((thing, thing.AddObserver(event, lambda *_: self._soon.start())))

    def forget(self):
        self._soon.stop()
        for thing, tag in self._observed:
            thing.RemoveObserver(tag)
        self._observed.clear()

    def resizeEvent(self, event):
        super().resizeEvent(event)
        self._soon.start()


class RenderedView(View):
    """A VTK render window off the screen, copied into the widget."""

    def __init__(self, title, colour):
        super().__init__(title, colour)
        self.renderer, self.window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.AddRenderer(self.renderer)
        self.group = slicer.vtkMRMLDisplayableManagerGroup()

    def show_with(self, factory, node):
        interactor = vtk.vtkGenericRenderWindowInteractor()
        interactor.SetRenderWindow(self.window)
        self._interactor = interactor
        self.group.Initialize(factory, self.renderer)
        self.group.SetMRMLDisplayableNode(node)
        self.watch(self.group, vtk.vtkCommand.UpdateEvent)

    def picture(self):
        self.window.SetSize(max(self.width(), 50), max(self.height(), 50))
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()  # it was rendered just now
        grab.Update()
        columns, rows, _ = grab.GetOutput().GetDimensions()
        pixels = (
            vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1, :, :3].copy()
        )
        return QPixmap.fromImage(QImage(pixels.data, columns, rows, 3 * columns, QImage.Format_RGB888).copy())


class SliceView(RenderedView):
    """One slice through the volumes, with its offset and the letters of the patient's sides."""

    def __init__(self, logic):
        self._logic, node = logic, logic.GetSliceNode()
        super().__init__(node.GetLayoutLabel(), QColor.fromRgbF(*node.GetLayoutColor()))
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        mapper.SetInputConnection(logic.GetImageDataConnection())
        self._mapper, self._actor = mapper, vtk.vtkActor2D()
        self._actor.SetMapper(mapper)
        self.renderer.AddViewProp(self._actor)
        self.show_with(_registered(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), IN_SLICES), node)
        self.watch(logic)
        self.watch(node)
        self.watch(logic.GetSliceCompositeNode())
        self.setFocusPolicy(Qt.StrongFocus)

    def resizeEvent(self, event):
        node, offset_mm = self._logic.GetSliceNode(), self._logic.GetSliceOffset()
        node.SetDimensions(max(self.width(), 50), max(self.height(), 50), 1)
        self._logic.FitSliceToBackground()
        self._logic.SetSliceOffset(offset_mm)  # the slice stays, as in Slicer
        super().resizeEvent(event)

    def wheelEvent(self, event):
        self.scroll_by(1 if event.angleDelta().y() > 0 else -1)

    def keyPressEvent(self, event):
        step = {Qt.Key_Up: 1, Qt.Key_F: 1, Qt.Key_Down: -1, Qt.Key_B: -1}.get(event.key())
        if step:
            self.scroll_by(step)

    def scroll_by(self, slices):
        spacing = self._logic.GetLowestVolumeSliceSpacing()[2] or 1.0
        self._logic.SetSliceOffset(self._logic.GetSliceOffset() + slices * spacing)

    def draw(self):
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        self._actor.SetVisibility(self._logic.GetSliceCompositeNode().GetBackgroundVolumeID() is not None)
        picture = self.picture()
        painter = QPainter(picture)
        painter.fillRect(0, 0, picture.width(), 18, self.colour)
        painter.setPen(Qt.black)
        node = self._logic.GetSliceNode()
        painter.drawText(
            QPoint(6, 14), f"{self.title}   {node.GetOrientation()}   {self._logic.GetSliceOffset():.1f} mm"
        )
        painter.setPen(Qt.white)
        left, right, top, bottom = LETTERS.get(node.GetOrientation(), "    ")
        middle_x, middle_y = picture.width() // 2, picture.height() // 2
        for letter, x, y in (
            (left, 6, middle_y),
            (right, picture.width() - 14, middle_y),
            (top, middle_x, 34),
            (bottom, middle_x, picture.height() - 22),
        ):
            painter.drawText(QPoint(x, y), letter)
        painter.drawText(QPoint(6, picture.height() - 6), self._names())
        painter.end()
        self.setPixmap(picture)

    def _names(self):
        composite = self._logic.GetSliceCompositeNode()
        shown = [
            slicer.mrmlScene.GetNodeByID(i)
            for i in (composite.GetForegroundVolumeID(), composite.GetBackgroundVolumeID())
            if i
        ]
        return " over ".join(node.GetName() for node in shown if node)


class ThreeDView(RenderedView):
    """Segments and models in space."""

    def __init__(self, node):
        super().__init__("3D", QColor("#8c8cd2"))
        self.renderer.SetBackground(0.75, 0.76, 0.91)
        self.renderer.SetBackground2(0.45, 0.47, 0.78)
        self.renderer.SetGradientBackground(True)
        self.show_with(_registered(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), IN_3D), node)
        self.watch(node)

    def draw(self):
        self.renderer.ResetCamera()
        self.setPixmap(self.picture())


class PlotView(View):
    """The plot chart of the view node, drawn with matplotlib."""

    def __init__(self, node):
        super().__init__("Plot", QColor("#e17012"))
        self._node = node
        self.watch(node)

    def draw(self):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(
            figsize=(max(self.width(), 120) / 100, max(self.height(), 100) / 100), dpi=100, layout="constrained"
        )
        canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
        chart = slicer.mrmlScene.GetNodeByID(self._node.GetPlotChartNodeID() or "")
        if chart is None:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "No curve yet", ha="center", va="center", color="0.4")
        else:
            self._draw_chart(axes, chart)
        canvas.draw()
        columns, rows = canvas.get_width_height()
        self.setPixmap(QPixmap.fromImage(QImage(canvas.buffer_rgba(), columns, rows, QImage.Format_RGBA8888).copy()))

    @staticmethod
    def _draw_chart(axes, chart):
        for index in range(chart.GetNumberOfPlotSeriesNodes()):
            series = chart.GetNthPlotSeriesNode(index)
            table = series.GetTableNode() if series else None
            if table is None:
                continue
            x, y = (
                vtk_to_numpy(table.GetTable().GetColumnByName(name))
                for name in (series.GetXColumnName(), series.GetYColumnName())
            )
            style = _LINES.get(series.GetLineStyleAsString(series.GetLineStyle()), "-")
            marker = "o" if series.GetMarkerStyle() != series.MarkerStyleNone else ""
            size = series.GetMarkerSize() * _POINTS
            look = {"color": series.GetColor(), "label": series.GetName(), "linestyle": style}
            axes.plot(x, y, marker=marker, markersize=size, **look)
        if chart.GetXAxisLogScale():
            axes.set_xscale("log")
        if chart.GetYAxisLogScale():
            axes.set_yscale("log")
        axes.set_xlabel(chart.GetXAxisTitle(), fontsize=chart.GetAxisTitleFontSize() * _POINTS)
        axes.set_ylabel(chart.GetYAxisTitle(), fontsize=chart.GetAxisTitleFontSize() * _POINTS)
        axes.tick_params(labelsize=chart.GetAxisLabelFontSize() * _POINTS)
        axes.set_title(chart.GetTitle() or "", fontsize=chart.GetTitleFontSize() * _POINTS)
        if not chart.GetXAxisRangeAuto():
            axes.set_xlim(*chart.GetXAxisRange())
        if not chart.GetYAxisRangeAuto():
            axes.set_ylim(*chart.GetYAxisRange())
        if chart.GetLegendVisibility() and axes.lines:
            axes.legend(loc="upper right", fontsize=chart.GetLegendFontSize() * _POINTS, framealpha=0.7)
