"""Compute the point kernels that ship with the package: ``python -m RPTDosimetryLib.transport.generate_kernels``.

Kernels already there and made from today's data are left alone, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from RPTDosimetryLib.errors import PhysicsDataError
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.physics.nuclides import nuclide
from RPTDosimetryLib.transport.point_kernel import PointKernelSettings, simulate_point_kernel
from RPTDosimetryLib.transport.point_kernel_file import read_point_kernel, write_point_kernel
from RPTDosimetryLib.transport.point_kernel_library import content_hash, shipped_path

#: Media of msv8, water and the one kernel of ssv.
MSV8: Final = (
    "water", "soft_tissue", "schneider_lung", "schneider_adipose", "schneider_soft", "schneider_bone1",
    "schneider_bone2", "schneider_bone3", "schneider_bone4", "schneider_bone5",
)  # fmt: skip
#: What msv20 needs beside them.
MSV20: Final = (
    "schneider_adipose_gland1", "schneider_adipose_gland3", "schneider_adipose_gland4", "schneider_adipose_gland5",
    "schneider_connective", "schneider_marrow_bone01", "schneider_marrow_bone02", "schneider_marrow_bone04",
    "schneider_marrow_bone05_06", "schneider_marrow_bone07_08", "schneider_marrow_bone10",
)  # fmt: skip
#: Tissues by their own names, for the verb kernels.
NAMED: Final = ("lung", "adipose", "spongiosa", "cortical_bone")
#: Materials of the shipped kernels by nuclide; others are computed when they are asked for.
SHIPPED_SETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "Lu-177": (*MSV8, *NAMED, *MSV20),
    "Tb-161": (*MSV8, *MSV20),
    "I-131": (*MSV8, *NAMED, *MSV20),
    "Y-90": (*MSV8, *NAMED),
})  # fmt: skip


def main() -> None:
    """Generate what is missing or out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nuclides", nargs="+", default=tuple(SHIPPED_SETS))
    parser.add_argument("--materials", nargs="+", help="left out: those that ship with the nuclide")
    parser.add_argument("--electron-histories", type=float, default=3e6)
    parser.add_argument("--photon-histories", type=float, default=2e6)
    parser.add_argument("--batches", type=int, default=10)
    arguments = parser.parse_args()
    settings = PointKernelSettings(
        int(arguments.electron_histories), int(arguments.photon_histories), arguments.batches
    )
    for name in arguments.nuclides:
        for where in arguments.materials or SHIPPED_SETS.get(name, MSV8):
            generate(name, where, settings)


def generate(nuclide_name: str, material_name: str, settings: PointKernelSettings) -> None:
    """One kernel, unless the package has it from the same data with at least as many histories."""
    decaying, where = nuclide(nuclide_name), material(material_name)
    path, key = shipped_path(decaying, where), content_hash(decaying, where)
    if path.is_file():
        try:
            found = read_point_kernel(path, key).provenance["settings"]
            if found["electron_histories"] >= settings.electron_histories:
                return
        except PhysicsDataError as error:
            print(error)
    start = time.perf_counter()
    write_point_kernel(simulate_point_kernel(decaying, where, settings), key, path)
    print(f"{decaying.name} in {where.name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
