"""Voxel S kernels against EGSnrc; sphere S values from the same point kernels."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from RPTDosimetryLib.transport.kernel_answer import kernel_answer
from RPTDosimetryLib.transport.point_kernel import PointKernel
from RPTDosimetryLib.transport.point_kernel_library import point_kernel
from RPTDosimetryLib.transport.sphere_s_value import sphere_s_value_gy_per_bq_s
from RPTDosimetryLib.transport.voxel_kernels import photon_reach, voxel_s_kernel
from RPTDosimetryLib.units import J_PER_KEV
from RPTDosimetryLib.validation.row import ValidationRow, compared

#: EGSnrc's media in our names.
MATERIALS = {"water_1.00": "water", "lung_0.26": "lung", "cortical_1.92": "cortical_bone"}
#: Self voxel, face neighbour; all others beyond two joint standard errors.
SELF_BAR, FACE_BAR, OTHER_BAR = 0.5, 1.0, 3.0
BALANCE_BAR = 0.1
#: Y-90: at two voxels straggling and bremsstrahlung count; beyond, bremsstrahlung alone (1e-4 of S), shown without bar.
TWO_VOXELS_BAR = 5.0


def kernel_rows(shared: Path) -> list[ValidationRow]:
    """Self voxel, face neighbour, and of other voxels with the same bar the middle one and the worst."""
    content = json.loads((shared / "reference" / "vsv_egsnrc.json").read_text(encoding="utf-8"))
    rows = []
    for entry in content["kernels"]:
        side = entry["voxel_mm"]
        point = point_kernel(entry["nuclide"], MATERIALS[entry["medium"]])
        extent = max(entry["kernel"][-1]["ijk"])
        rows += _rows_of(entry, kernel_answer(point, entry["density_gcc"], (side, side, side), extent), content)
        rows.append(_balance(entry, point))
    return rows


def _balance(entry: Mapping[str, Any], point: PointKernel) -> ValidationRow:
    """Electron energy of all voxels to 30 cm (bremsstrahlung included) against what is emitted."""
    voxel_mm = (entry["voxel_mm"],) * 3
    kernel = voxel_s_kernel(point, entry["density_gcc"], voxel_mm, photon_reach(voxel_mm), (5, 5, 5))
    images = [np.where(np.arange(n) == 0, 1.0, 2.0) for n in kernel.electron.shape]
    kev = float(np.einsum("kji,k,j,i", kernel.electron, *images)) * kernel.voxel_mass_kg / J_PER_KEV
    place = (_case(entry), "electron energy in all voxels to 30 cm", "keV")
    return compared(place, kev, point.electron_emitted_kev, BALANCE_BAR, "energy conservation")


def _rows_of(entry: Mapping[str, Any], answer: Mapping[str, Any], content: Mapping[str, Any]) -> list[ValidationRow]:
    ours = {tuple(voxel["ijk"]): voxel for voxel in answer["kernel"]}
    rows = []
    for reference in entry["kernel"]:
        at = tuple(reference["ijk"])
        mine = ours[at]
        joint = 200.0 * math.hypot(mine["se"] / mine["S"], reference["se"] / reference["S"])
        bar = _bar(entry["nuclide"], at)
        allowance = joint if bar in {OTHER_BAR, TWO_VOXELS_BAR} else 0.0
        place = (_case(entry), f"S {at[0]} {at[1]} {at[2]}", content["unit"])
        rows.append(compared(place, mine["S"], reference["S"], bar, content["source"], allowance))
    kept = rows[:2]
    for bar in (OTHER_BAR, TWO_VOXELS_BAR, None):
        alike = [row for row in rows[2:] if row.bar_percent == bar]
        alike.sort(key=lambda row: abs(row.difference_percent) - row.allowance_percent)
        kept += [alike[len(alike) // 2], alike[-1]] if alike else []
    return kept


def _bar(nuclide: str, at: tuple[int, ...]) -> float | None:
    """The largest difference allowed at a voxel [%]."""
    if at in {(0, 0, 0), (1, 0, 0)}:
        return SELF_BAR if at == (0, 0, 0) else FACE_BAR
    if nuclide != "Y-90":
        return OTHER_BAR
    return {1: OTHER_BAR, 2: TWO_VOXELS_BAR}.get(max(at))


def _case(entry: Mapping[str, Any]) -> str:
    return f"kernel {entry['nuclide']} {entry['medium']} {entry['voxel_mm']:g} mm"


def sphere_rows(shared: Path) -> list[ValidationRow]:
    """Self-dose of uniform spheres of soft tissue; the table's own origin is unknown, so it has no bar below 2 %."""
    content = json.loads((shared / "reference" / "decay_and_spheres.json").read_text(encoding="utf-8"))
    table = dict(content["sphere_s_value_gy_per_bq_s"])
    source = table.pop("source")
    point = point_kernel("Lu-177", "soft_tissue")
    rows = []
    for name, published in table.items():
        mass_g = float(name.removesuffix("_g"))
        ours = sphere_s_value_gy_per_bq_s(point, mass_g, 1.03)
        rows.append(compared(("sphere Lu-177", f"{mass_g:g} g", "Gy/(Bq s)"), ours, published, 2.0, source))
    return rows
