"""Writing a file or a folder of results whole or not at all; reading TOML; the user's own folders on each system."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from RPTDosimetryLib.errors import ConfigurationError, ReportError


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file of settings. Raises ConfigurationError: it cannot be read, or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` with the same ending; rename it there on success, remove it on failure.

    Raises ReportError when the disk refuses (full, read-only, no such folder).
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix="-" + path.name, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise ReportError(f"{path} could not be written ({error}). Free some space or choose another place.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def require_folder(path: Path) -> None:
    """Raise ReportError where no folder can be, since a file is there: asked before long work, not after it."""
    for place in (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise ReportError(f"{path} cannot be a folder: {place} is a file. Choose another place.")
            return


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success its files replace those of ``path``, on failure it goes.

    An existing folder keeps its other files. Raises ReportError when the disk refuses.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
        yield temporary
        path.mkdir(exist_ok=True)
        for item in sorted(temporary.rglob("*")):
            target = path / item.relative_to(temporary)
            if item.is_dir():
                target.mkdir(exist_ok=True)
            else:
                os.replace(item, target)
    except OSError as error:
        raise ReportError(f"{path} could not be written ({error}). Free some space or choose another place.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_csv(rows: Iterable[Iterable[object]], path: Path) -> None:
    """Rows as CSV (UTF-8), whole or not at all. Raises ReportError."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)


#: Variable that names another folder; below APPDATA or LOCALAPPDATA on Windows; below ~/Library on macOS; variable and
#: folder of the XDG base directories elsewhere.
_USER_FOLDERS = {
    "configuration": ("RPTDOSIMETRY_CONFIG", "APPDATA", "Roaming", "Application Support", "XDG_CONFIG_HOME", ".config"),
    "cache": ("RPTDOSIMETRY_CACHE", "LOCALAPPDATA", "Local", "Caches", "XDG_CACHE_HOME", ".cache"),
}


def user_folder(kind: Literal["configuration", "cache"]) -> Path:
    """The program's folder of that kind: as RPTDOSIMETRY_CONFIG or RPTDOSIMETRY_CACHE says, else this system's."""
    own, app_data, roaming, library, xdg, hidden = _USER_FOLDERS[kind]
    if os.environ.get(own):
        return Path(os.environ[own])
    if sys.platform == "win32":
        return Path(os.environ.get(app_data, Path.home() / "AppData" / roaming)) / "rptdosimetry"
    if sys.platform == "darwin":
        return Path.home() / "Library" / library / "rptdosimetry"
    return Path(os.environ.get(xdg, Path.home() / hidden)) / "rptdosimetry"
