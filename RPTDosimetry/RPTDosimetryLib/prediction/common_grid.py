"""PET/CT, therapy CT and organs brought onto the common grid: slices of 128×128 voxels of 4.8 mm."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.grid import Grid, resample_mean
from RPTDosimetryLib.prediction.pet_case import NEEDED_ORGANS, PetCase
from RPTDosimetryLib.prediction.pet_study import PetStudy
from RPTDosimetryLib.prediction.psma_kinetics import AGENT
from RPTDosimetryLib.prediction.theranostic_anatomy import COMMON_COLUMNS, COMMON_SPACING_MM
from RPTDosimetryLib.records import Alignment, Image, TimePoint, Voi
from RPTDosimetryLib.registration.carry_over import image_on_reference
from RPTDosimetryLib.registration.judge import judged, require_trustworthy
from RPTDosimetryLib.registration.pair import ct_body, ct_pair
from RPTDosimetryLib.registration.search import search_rigid
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.study.read_ct import AIR_HU
from RPTDosimetryLib.vois.from_file import vois_from_file
from RPTDosimetryLib.vois.names import canonical_name

#: Words in the names of structures (vois.names) that say which organ of the common labels they belong to; first come.
_PARTS: Final = {
    "kidneys": ("kidney",),
    "liver": ("liver",),
    "spleen": ("spleen",),
    "pancreas": ("pancreas",),
    "marrow": ("marrow",),
    "bone": (
        "bone",
        "vertebra",
        "rib",
        "hip",
        "femur",
        "sacrum",
        "sternum",
        "scapula",
        "clavicula",
        "humerus",
        "skull",
    ),
    "lungs": ("lung",),
    "bowel": ("bowel", "colon", "duodenum", "gut", "intestine"),
    "bladder": ("bladder",),
    "heart": ("heart",),
}
#: A lesion denser than this lies in bone [HU].
BONE_LESION_HU: Final = 150.0


@dataclass(frozen=True)
class Prepared:
    """The case on the common grid, and how the PET/CT was aligned (None: it stayed where it was)."""

    case: PetCase
    alignment: Alignment | None
    notes: tuple[str, ...] = ()


def prepare(
    study: PetStudy, labels: Path | Sequence[Voi], therapy_ct: Image | None = None, agent: str = AGENT
) -> Prepared:
    """Align the PET's CT with the therapy CT where there is one, and bring PET, CT and organs onto the common grid.

    labels: organs on the therapy CT where one is given, otherwise on the PET's CT (label image, SEG, RTSTRUCT; or masks
    in its space, each on its own grid).
    Raises RegistrationError where the CTs find no trustworthy alignment; PredictionError: kidneys or liver missing.
    """
    reference = therapy_ct or study.ct
    alignment = None if therapy_ct is None else align_cts(therapy_ct, study.ct)
    pet = study.pet if alignment is None else image_on_reference(study.pet, alignment)
    grid = common_grid_of(reference, pet)
    hu = resample_mean(np.maximum(reference.voxels, AIR_HU), reference.grid, grid, fill=AIR_HU)
    suv = resample_mean(pet.voxels, pet.grid, grid)
    body = ct_body(Image(hu, grid, "HU"))
    vois = vois_from_file(labels, reference.grid) if isinstance(labels, Path) else tuple(labels)
    organs, notes = organs_on(vois, hu, grid, body)
    case = PetCase(
        study.patient_id or "patient", Image(suv, grid, "SUV"), Image(hu, grid, "HU"), organs, study.weight_kg,
        study.scan_time_min, study.tracer, agent,
    )  # fmt: skip
    return Prepared(case, alignment, notes)


def align_cts(fixed: Image, moving: Image, settings: RegistrationSettings | None = None) -> Alignment:
    """The rigid move of the PET's CT onto the therapy CT, judged as any registration of this library."""
    chosen = settings or RegistrationSettings(through="ct")
    points = [TimePoint(spect=ct, time_s=None, ct=ct) for ct in (fixed, moving)]
    pair = ct_pair(points[0], points[1], 1, 2)
    found = judged(pair, search_rigid(pair, chosen), "rigid")
    require_trustworthy(found, chosen)
    return found


def common_grid_of(ct: Image, pet: Image) -> Grid:
    """128×128 voxels of 4.8 mm about the CT's axis, over the slices that both CT and PET reach.

    Raises PredictionError where they share less than 10 cm.
    """
    spans = [_z_range_mm(image.grid) for image in (ct, pet)]
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    slices = int(np.floor((high - low) / COMMON_SPACING_MM))
    if slices * COMMON_SPACING_MM < 100.0:
        raise PredictionError(
            f"PET and CT share {max(high - low, 0.0):.0f} mm along the patient: at least 100 mm are needed. Check that "
            "they are of one patient and frame."
        )
    side = COMMON_SPACING_MM
    x, y, _ = ct.grid.centre_mm
    half = 0.5 * (COMMON_COLUMNS - 1) * side
    return Grid((slices, COMMON_COLUMNS, COMMON_COLUMNS), (side,) * 3, (x - half, y - half, low + 0.5 * side))


def organs_on(
    vois: tuple[Voi, ...], hu: NDArray[np.float32], grid: Grid, body: NDArray[np.bool_]
) -> tuple[dict[str, NDArray[np.bool_]], tuple[str, ...]]:
    """Masks by common name that do not overlap, smaller ones first served, and what is left out.

    What is body and no organ is rest_of_body. Raises PredictionError where kidneys or liver are missing.
    """
    taken = np.zeros(grid.shape_zyx, dtype=bool)
    organs: dict[str, NDArray[np.bool_]] = {}
    left_out = []
    for voi in sorted(vois, key=lambda voi: voi.volume_ml):
        mask = (resample_mean(voi.mask.astype(np.float32), voi.grid, grid) >= 0.5) & ~taken
        found = hu[mask]
        name = common_name(voi.name, voi.kind, found.size > 0 and float(np.median(found)) > BONE_LESION_HU)
        if name is None or not mask.any():
            left_out.append(voi.name)
            continue
        taken |= mask
        organs[name] = organs[name] | mask if name in organs else mask
    require_organs(set(organs))
    rest = body & ~taken
    if rest.any():
        organs["rest_of_body"] = rest
    notes = (f"counted as rest of the body: {', '.join(left_out)}",) if left_out else ()
    return organs, notes


def require_organs(organs: AbstractSet[str | None]) -> None:
    """Raises PredictionError where the kidneys or the liver are not among the common names."""
    missing = [name for name in NEEDED_ORGANS if name not in organs]
    if missing:
        raise PredictionError(f"The organs lack {' and '.join(missing)}: a prediction needs both. Segment them first.")


def common_name(voi: str, kind: str = "organ", dense: bool = False) -> str | None:
    """Which organ of the common labels a structure is, None for none; dense: as dense as bone, which tells lesions."""
    names = {voi.lower(), canonical_name(voi).lower()}
    if kind == "lesion" or any("lesion" in name for name in names):
        return "lesion_bone" if dense or any("bone" in name for name in names) else "lesion_soft"
    known = (organ for organ, parts in _PARTS.items() if any(part in name for name in names for part in parts))
    return next(known, None)


def _z_range_mm(grid: Grid) -> tuple[float, float]:
    nk, nj, ni = grid.shape_zyx
    corners = np.array([[i, j, k, 1.0] for i in (-0.5, ni - 0.5) for j in (-0.5, nj - 0.5) for k in (-0.5, nk - 0.5)])
    z = (corners @ grid.lps_from_ijk.T)[:, 2]
    return float(z.min()), float(z.max())
