"""Pictures of every step and layout with the sample case, for the documentation and to be compared with.

Make them anew, look at them, then commit them: make pictures (python Testing/slicer/golden_views.py)
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "docs" / "pictures" / "panel"
THUMBNAIL = HERE.parents[1] / "RPTDosimetry" / "Resources" / "Icons" / "SampleCase.png"  # for module Sample Data
FONTS = HERE / "golden_fonts.txt"
SIZE = (1366, 768)  # a small screen


def fonts():
    """What text is drawn with: pictures of other fonts cannot be compared."""
    from PySide6.QtGui import QFont, QFontInfo

    info = QFontInfo(QFont())
    return f"{info.family()} {info.pixelSize()}"


def views(window, clicks):
    """Name of each picture, one after the other, when the window shows it. clicks: a run of click_through."""
    import slicer

    panel = window.panel
    for step in clicks:
        if step == "dose":
            panel.steps["dose"].ui.isodoseBox.click()
            panel.steps["dose"].ui.projectionBox.click()
        yield step
        if step == "dose":
            panel.steps["dose"].ui.isodoseBox.click()  # its lines would lie over other maps as well
            slicer.app.processEvents()
        if step == "registration":
            panel.parameters.registration.look = "checkerboard"
            panel.steps["registration"]._show_chosen()
            yield "checkerboard"
    panel.open_step("study")
    panel.steps["study"].ui.sideButton.click()
    yield "time_points"


def picture(window, path):
    """The window, reduced to 192 colours so that the file stays small."""
    import app
    from PIL import Image

    app.take_screenshot(window, path)
    with Image.open(path) as whole:
        few = whole.convert("RGB").quantize(192, dither=Image.Dither.NONE)  # dithered surfaces would not be packed
    few.save(path, optimize=True)


def thumbnail(study_picture):
    """The coronal view of the sample case."""
    from PIL import Image

    with Image.open(study_picture) as whole:
        view = whole.convert("RGB").crop((986, 32, 1306, 352)).resize((160, 160), Image.Resampling.LANCZOS)
    view.quantize(128, dither=Image.Dither.NONE).save(THUMBNAIL, optimize=True)


def open_window():
    """The window of the pictures, with an empty scene."""
    import app

    window = app.make_window()
    window.resize(*SIZE)
    window.show()
    return window


def photographed(window, folder, click_through):
    """Every picture into a folder; yields the name of each when it is made. The report that it writes is removed."""
    import slicer

    folder.mkdir(exist_ok=True, parents=True)
    report = Path(tempfile.gettempdir()) / "RPT report"  # it is in the picture
    shutil.rmtree(report, ignore_errors=True)
    for name in views(window, click_through(window.panel, report)):
        slicer.app.processEvents()
        window.scroll_to_open_step()
        picture(window, folder / f"{name}.png")
        yield name
    shutil.rmtree(report, ignore_errors=True)


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:0] = [str(HERE / "lookalike"), str(HERE), str(HERE.parents[1] / "RPTDosimetry")]
    import application

    application.start()
    from RPTDosimetryLib.bridge.click_through import click_through

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    window = open_window()
    print("\n".join(photographed(window, folder, click_through)))
    window.close()
    if folder == GOLDEN:
        FONTS.write_text(fonts() + "\n", encoding="utf-8")
        thumbnail(GOLDEN / "study.png")
