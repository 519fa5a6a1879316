"""Where computed kernels are kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """RPTDOSIMETRY_CACHE if set, else the user's cache folder of this system."""
    chosen = os.environ.get("RPTDOSIMETRY_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "rptdosimetry"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "rptdosimetry"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rptdosimetry"
