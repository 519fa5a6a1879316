"""What the panel tells registration: the search, or transforms from files in its place."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from RPTDosimetryLib.bridge.case import Case
    from RPTDosimetryLib.registration.settings import RegistrationSettings


def registration_settings(case: Case) -> RegistrationSettings:
    """RegistrationSettings from the panel."""
    from RPTDosimetryLib.registration.settings import RegistrationSettings

    told = case.parameters.registration
    return RegistrationSettings(
        method=told.method,
        through=told.through,
        engine=told.engine,
        transforms=Path(told.transforms.strip()) if told.transforms.strip() else None,
        reference=told.reference or None,
        bspline_spacing_mm=told.knotsMm,
    )


def lacking_files(folder: str) -> list[str]:
    """Why the transforms of a folder cannot be used; empty when there are some."""
    if not Path(folder.strip()).is_dir():
        told = _("There is no folder {folder}: choose another, or empty the field to search.")
        return [told.format(folder=folder)]
    if not files_told(folder)[1:]:
        told = _("{folder} holds no transform_2.tfm or the like, with the number of a time point in its name.")
        return [told.format(folder=folder)]
    return []


def why_no_elastix() -> str:
    """Why elastix cannot be used here; empty when it can."""
    try:
        distribution("itk-elastix")
    except PackageNotFoundError:
        return _(
            "elastix is not installed: type slicer.util.pip_install('itk-elastix') in Slicer's Python console, or let "
            "simpleitk search."
        )
    return ""


def files_told(folder: str) -> list[Any]:
    """The folder and its transform files, with what changes when one is written anew."""
    found = sorted(Path(folder.strip()).glob("transform_*.*"))
    return [folder, *([path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in found)]
