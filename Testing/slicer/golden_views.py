"""Small pictures of steps and layouts, to be compared with those in golden/.

Make them anew, look at them, then commit them: python Testing/slicer/golden_views.py
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
SIZE = (1100, 720)


def fonts():
    """What text is drawn with: pictures of other fonts cannot be compared."""
    from PySide6.QtGui import QFont, QFontInfo

    info = QFontInfo(QFont())
    return f"{info.family()} {info.pixelSize()}"


def compared_case(case):
    """Two doses of the small study, compared."""
    from upstream import four_time_points, put_upstream

    put_upstream(case, four_time_points())


def views(window):
    """Name and picture of each, one after the other: (name, action that brings it about)."""
    from test_panel import events

    panel = window.panel
    compared_case(panel.case)
    yield "study", lambda: panel.open_step("study")
    panel.steps["kinetics"].run_now(panel.case)
    yield "kinetics", lambda: panel.open_step("kinetics")
    panel.parameters.dose.engines = "local,msv8"
    panel.steps["dose"].run_now(panel.case)
    yield "dose", lambda: panel.open_step("dose")
    panel.steps["compare"].run_now(panel.case)
    yield "compare", lambda: panel.open_step("compare")
    panel.parameters.report.reviewer = "A. Physicist"
    events()
    yield "report", lambda: panel.open_step("report")


def picture(window, path):
    """The window, reduced to a few colours so that the file stays small."""
    import app
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QImage

    whole = path.with_suffix(".whole.png")
    app.take_screenshot(window, whole)
    plain = Qt.ThresholdDither | Qt.AvoidDither  # dithered surfaces would not be packed
    QImage(str(whole)).convertToFormat(QImage.Format_Indexed8, plain).save(str(path), "PNG", 0)
    whole.unlink()


def make(folder):
    """Every picture into a folder; the fonts beside them."""
    import app
    from test_panel import events

    folder.mkdir(exist_ok=True)
    window = app.make_window()
    window.resize(*SIZE)
    window.show()
    made = []
    for name, bring in views(window):
        bring()
        events()
        picture(window, folder / f"{name}.png")
        made.append(name)
    (folder / "fonts.txt").write_text(fonts() + "\n", encoding="utf-8")
    window.close()
    return made


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:0] = [str(HERE / "lookalike"), str(HERE), str(HERE.parents[1] / "RPTDosimetry")]
    import application

    application.start()
    print("\n".join(make(GOLDEN)))
