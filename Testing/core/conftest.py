"""CUDA without a device: numba's simulator in a process of its own, and code for devices that are elsewhere."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest


@pytest.fixture(scope="session")
def in_simulator(tmp_path_factory):
    """in_simulator(script) → what the script wrote to the npz file it was given; numba chooses when it loads."""
    import RPTDosimetryLib

    def written_by(script):
        path = tmp_path_factory.mktemp("simulator") / "written.npz"
        library = str(Path(RPTDosimetryLib.__file__).parents[1])
        environment = os.environ | {
            "NUMBA_ENABLE_CUDASIM": "1",
            "NUMBA_DISABLE_JIT": "1",
            "PYTHONPATH": os.pathsep.join([library, os.environ.get("PYTHONPATH", "")]),
        }
        done = subprocess.run(
            [sys.executable, script, path], env=environment, check=False, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(path) as stored:
            return dict(stored)

    return written_by


@pytest.fixture
def ptx_of():
    """ptx_of(kernel, *arguments, capability) → its code for a device that need not be here."""
    cuda = pytest.importorskip("numba.cuda", reason="this numba has no CUDA target")
    from numba import types
    from numba.cuda.cudadrv import nvvm

    try:
        nvvm.NVVM()
    except Exception as error:
        pytest.skip(f"libNVVM of the CUDA toolkit is not here (set CUDA_HOME): {error}")

    def compiled(kernel, *arguments, capability=(8, 0)):
        from numba import typeof

        def stand_in():
            return SimpleNamespace(compute_capability=capability)

        with (
            mock.patch("numba.cuda.compiler.get_current_device", stand_in),
            mock.patch("numba.cuda.dispatcher.get_current_device", stand_in),
        ):
            return cuda.compile_ptx(kernel, types.void(*map(typeof, arguments)), cc=capability)[0]

    return compiled
