"""The form of step Calibration that keeps a camera in the user's library, or takes one out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge.parameters import NUCLIDES
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.units import BQ_PER_MBQ

_RATES = ("photopeak window", "whole spectrum")


class CameraForm:
    """Widgets of the .ui file that begin with newCamera; nothing of it is in the scene, the library keeps it."""

    def __init__(self, ui: Any, panel: Any, on_kept: Callable[[str], None]) -> None:
        self.ui, self.panel, self._on_kept = ui, panel, on_kept
        ui.newCameraNuclide.addItems([name for name in NUCLIDES if name])
        ui.newCameraRate.addItems(list(_RATES))
        ui.newCameraBox.setVisible(False)
        ui.newCameraButton.connect("toggled(bool)", ui.newCameraBox.setVisible)
        ui.newCameraKeep.connect("clicked(bool)", lambda _checked: panel.guard(self.keep))
        ui.removeCameraButton.connect("clicked(bool)", lambda _checked: panel.guard(self.remove))

    def refresh(self, chosen: str) -> None:
        """Only a chosen camera can be taken out."""
        self.ui.removeCameraButton.enabled = bool(chosen)
        told = _("Take the chosen camera out of the library") if chosen else _("Choose a camera first.")
        self.ui.removeCameraButton.toolTip = told

    def keep(self) -> None:
        """Put what the form says into the library and choose it. Raises CalibrationError that says what cannot be."""
        from RPTDosimetryLib.calibration.camera_library import add_camera

        new = self.camera()
        add_camera(new)
        self._on_kept(new.name)
        self.ui.newCameraButton.checked = False
        self.panel.say(_("Camera {name} is in the library.").format(name=new.name))

    def remove(self) -> None:
        """Take the chosen camera out of the library."""
        from RPTDosimetryLib.calibration.camera_library import remove_camera

        name = self.panel.parameters.calibration.camera
        remove_camera(name)
        self.panel.parameters.calibration.camera = ""
        self.panel.say(_("Camera {name} was taken out of the library.").format(name=name))

    def camera(self) -> Any:
        """The Camera that the form describes."""
        from RPTDosimetryLib.calibration.camera_library import Camera

        ui = self.ui
        needed = {
            _("name"): ui.newCameraName.text,
            _("collimator"): ui.newCameraCollimator.text,
            _("energy window"): ui.newCameraWindow.text,
            _("source"): ui.newCameraSource.text,
        }
        lacking = [what for what, text in needed.items() if not text.strip()]
        lacking += [] if ui.newCameraFactor.value > 0 else [_("factor")]
        if lacking:
            raise CalibrationError(_("The new camera lacks: {what}.").format(what=", ".join(lacking)))
        tau_s = ui.newCameraDeadTime.value / 1e6 or None
        error = ui.newCameraError.value / 100.0 or None
        return Camera(
            name=ui.newCameraName.text.strip(),
            nuclide=ui.newCameraNuclide.currentText,
            factor_cps_per_bq=ui.newCameraFactor.value / BQ_PER_MBQ,
            calibrated=_date(ui.newCameraDate.text),
            collimator=ui.newCameraCollimator.text.strip(),
            window=ui.newCameraWindow.text.strip(),
            source=ui.newCameraSource.text.strip(),
            factor_relative_se=error,
            dead_time_s=tau_s,
            dead_time_acts_on=None if tau_s is None else ui.newCameraRate.currentText,
            recovery_volumes_ml=_numbers(ui.newCameraVolumes.text, _("sphere volumes")),
            recovery_coefficients=_numbers(ui.newCameraCoefficients.text, _("recovery coefficients")),
        )


def described(camera: Any) -> str:
    """A camera in a line or two."""
    told = _("{factor:.4g} cps/MBq for {nuclide}, {collimator}, {window}, calibrated {date}").format(
        factor=camera.factor_cps_per_bq * BQ_PER_MBQ,
        nuclide=camera.nuclide,
        collimator=camera.collimator,
        window=camera.window,
        date=camera.calibrated.isoformat(),
    )
    if camera.dead_time_s is not None:
        told += _("; dead time {us:.3g} µs ({rate})").format(us=camera.dead_time_s * 1e6, rate=camera.dead_time_acts_on)
    curve = camera.recovery_curve()
    if curve is None:
        return told + _("; no recovery curve")
    points = ", ".join(f"{volume:g} mL {curve.coefficient(volume):.2f}" for volume in (1.0, 5.0, 20.0))
    return told + _("; recovery {points}, half at {v50:.2g} mL").format(points=points, v50=curve.v50_ml)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise CalibrationError(
            _('The date of calibration "{text}" is no date: write it like 2024-05-13.').format(text=text)
        ) from error


def _numbers(text: str, what: str) -> tuple[float, ...]:
    """Numbers apart by spaces or semicolons."""
    try:
        return tuple(float(part.strip(",")) for part in text.replace(";", " ").split())
    except ValueError as error:
        raise CalibrationError(
            _('The {what} "{text}" are no numbers: write them like 0.52 1.15 2.57, apart by spaces.').format(
                what=what, text=text
            )
        ) from error
