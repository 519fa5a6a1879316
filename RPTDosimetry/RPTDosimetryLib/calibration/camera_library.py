"""The cameras of a department: one small JSON file each in the user's configuration folder."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError

from RPTDosimetryLib.calibration.recovery import RecoveryCurve, fit_recovery
from RPTDosimetryLib.errors import CalibrationError
from RPTDosimetryLib.files import user_folder, whole_file

DeadTimeRate = Literal["photopeak window", "whole spectrum"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


@dataclass(frozen=True)
class Camera:
    """A camera calibrated for one nuclide, collimator, energy window and reconstruction.

    factor_cps_per_bq: counts per second of the reconstructed image per Bq; factor_relative_se: its 1 σ as a fraction.
    dead_time_s: paralyzable τ of one detector head, for the rate of dead_time_acts_on. Spheres: measured recovery
    coefficients at their volumes [mL]. calibrated: the date; source: how and by whom. Raises CalibrationError.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    name: str
    nuclide: str
    factor_cps_per_bq: float
    calibrated: date
    collimator: str
    window: str
    source: str
    factor_relative_se: float | None = None
    dead_time_s: float | None = None
    dead_time_acts_on: DeadTimeRate | None = None
    recovery_volumes_ml: tuple[float, ...] = ()
    recovery_coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise CalibrationError(
                f"{self.name!r} cannot be the name of a camera: use up to 64 letters, digits, spaces, dots, hyphens."
            )
        for what, value in (("factor_cps_per_bq", self.factor_cps_per_bq), ("dead_time_s", self.dead_time_s)):
            if value is not None and not 0 < value < float("inf"):
                raise CalibrationError(f"{what} = {value} of camera {self.name}: a positive number is needed.")
        if (self.dead_time_s is None) != (self.dead_time_acts_on is None):
            raise CalibrationError(
                f"Camera {self.name}: dead_time_s and dead_time_acts_on (photopeak window or whole spectrum) belong "
                "together."
            )
        if self.recovery_volumes_ml or self.recovery_coefficients:
            self.recovery_curve()

    def recovery_curve(self) -> RecoveryCurve | None:
        """The curve through its spheres, None where none were measured."""
        if not self.recovery_volumes_ml and not self.recovery_coefficients:
            return None
        source = f"camera {self.name}, {len(self.recovery_volumes_ml)} spheres, {self.calibrated.isoformat()}"
        return fit_recovery(list(self.recovery_volumes_ml), list(self.recovery_coefficients), source)


def camera_names() -> tuple[str, ...]:
    """Names of all cameras, sorted. Raises CalibrationError for a file that is none."""
    return tuple(sorted(_read(path).name for path in _folder().glob("*.json")))


def camera(name: str) -> Camera:
    """The camera of that name (letter case does not matter). Raises CalibrationError that lists those there are."""
    path = _path(name)
    if not path.is_file():
        known = ", ".join(camera_names()) or "none yet"
        raise CalibrationError(
            f"No camera {name!r} in the library {_folder()} (known: {known}). Add it with `rptdosimetry cameras add` "
            "or `rptdosimetry phantom … --save-as`."
        )
    return _read(path)


def add_camera(new: Camera, replace: bool = False) -> Path:
    """Keep a camera; its file. Raises CalibrationError when the name is taken and replace is False."""
    path = _path(new.name)
    if path.exists() and not replace:
        raise CalibrationError(
            f"Camera {new.name!r} is already in the library: choose another name, or replace it on purpose."
        )
    with whole_file(path) as temporary:
        temporary.write_text(camera_text(new) + "\n", encoding="utf-8")
    return path


def remove_camera(name: str) -> None:
    """Forget a camera. Raises CalibrationError when there is none of that name."""
    camera(name)
    _path(name).unlink()


def camera_text(shown: Camera) -> str:
    """The camera as its JSON file holds it."""
    return json.dumps(asdict(shown) | {"calibrated": shown.calibrated.isoformat()}, indent=1, ensure_ascii=False)


def read_camera(path: Path) -> Camera:
    """A camera from a JSON file, checked. Raises CalibrationError."""
    return _read(path)


def _read(path: Path) -> Camera:
    try:
        return TypeAdapter(Camera).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CalibrationError(f"{path} does not describe a camera: {where}: {first['msg']}.") from error
    except OSError as error:
        raise CalibrationError(f"{path} cannot be read ({error.strerror}).") from error


def _folder() -> Path:
    return user_folder("configuration") / "cameras"


def _path(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise CalibrationError(f"{name!r} cannot be the name of a camera: use letters, digits, spaces, dots, hyphens.")
    return _folder() / f"{name.lower().replace(' ', '_')}.json"
