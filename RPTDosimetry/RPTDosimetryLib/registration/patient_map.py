"""Density and medium on the dose grid: from the CT, or from the SPECT outline where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.grid import Grid, coverage, resample_mean
from RPTDosimetryLib.physics.hounsfield import AIR_HU, SCHNEIDER_2000, HuCurve, density_from_hu, hu_warnings
from RPTDosimetryLib.physics.media import SCHNEIDER_8, MediaScheme
from RPTDosimetryLib.records import Image, PatientMap, RegisteredStudy
from RPTDosimetryLib.registration.body import body_outline
from RPTDosimetryLib.registration.carry_over import image_on_reference
from RPTDosimetryLib.registration.point_map import PointMap
from RPTDosimetryLib.registration.working_grid import coarser

#: Unit density and 0 HU: what the body counts as where no CT tells.
ASSUMED_DENSITY_G_PER_CM3: Final = 1.0
ASSUMED_HU: Final = 0.0
#: Less activity than this outside the CT is not worth a warning, unless whole slices lie outside.
NEGLIGIBLE_SHARE: Final = 1e-3


@dataclass(frozen=True)
class DensitySettings:
    """How CT numbers become density and media.

    hu_curve: points (HU, g/cm³) of the scanner's own calibration; None for Schneider 2000. outside_ct: "air" (no dose
    there) or "body": inside the SPECT outline soft tissue of unit density. The media are those of the dose engine.
    """

    hu_curve: tuple[tuple[float, float], ...] | None = None
    outside_ct: Literal["air", "body"] = "air"

    @property
    def curve(self) -> HuCurve:
        """The curve in use. Raises PhysicsDataError for points that are no curve."""
        return HuCurve("own calibration", self.hu_curve, "settings") if self.hu_curve is not None else SCHNEIDER_2000


def patient_map_of(
    registered: RegisteredStudy,
    settings: DensitySettings | None = None,
    scheme: MediaScheme = SCHNEIDER_8,
    refine: int = 1,
) -> PatientMap:
    """The patient on the dose grid: by the reference's CT, another time point's moved with its SPECT, or the SPECT.

    scheme: the media that the dose engine has kernels of (dose.engine.scheme_of). refine: above 1 also on so many times
    finer voxels (PatientMap.fine). Raises DoseError for refine without a CT.
    """
    chosen = settings or DensitySettings()
    if refine > 1:
        coarse = patient_map_of(registered, chosen, scheme)
        return replace(coarse, fine=_finer(registered, chosen, scheme, refine))
    if registered.reference.ct is not None:
        return patient_map(registered.reference.ct, registered.grid, chosen, registered.activity, scheme)
    for number, point in enumerate(registered.study.time_points):
        if point.ct is not None and not PointMap.of(registered.alignments[number]).rigid:
            bent = image_on_reference(point.ct, registered.alignments[number], AIR_HU, "linear")
            found = patient_map(bent, registered.grid, chosen, registered.activity)
            return replace(found, source=f"{found.source}, of time point {number + 1}, bent with its alignment")
        if point.ct is not None:
            there = _moved_grid(registered.grid, registered.alignments[number].moving_from_fixed)
            moved = [Image(a.voxels, there, a.unit) for a in registered.activity]
            found = patient_map(point.ct, there, chosen, moved, scheme)
            return PatientMap(
                Image(found.density.voxels, registered.grid, found.density.unit),
                found.medium,
                found.scheme,
                f"{found.source}, of time point {number + 1}, moved with its SPECT",
                found.warnings,
            )
    return patient_map_without_ct(registered.activity, chosen, scheme)


def _finer(registered: RegisteredStudy, settings: DensitySettings, scheme: MediaScheme, refine: int) -> PatientMap:
    """patient_map_of on refine³ voxels in each of the dose grid; activity, for the outline, stays as it is."""
    if all(point.ct is None for point in registered.study.time_points):
        raise DoseError(f"refine = {refine} needs a CT: without one, density is no finer than the SPECT.")
    grid = registered.grid.refined(refine)
    activity = tuple(
        Image(a.voxels.repeat(refine, 0).repeat(refine, 1).repeat(refine, 2), grid, a.unit) for a in registered.activity
    )
    return patient_map_of(replace(registered, grid=grid, activity=activity), settings, scheme)


def patient_map(
    ct: Image,
    onto: Grid,
    settings: DensitySettings | None = None,
    activity: Sequence[Image] = (),
    scheme: MediaScheme = SCHNEIDER_8,
) -> PatientMap:
    """Density [g/cm³] and medium of each voxel of ``onto`` from a CT [HU].

    Density: HU → g/cm³ voxel by voxel on the CT's own grid (padding below -1000 HU is air), then the mean over each
    dose voxel, so that mass is kept. Medium: that of the mean HU of the dose voxel, which suits the mean density (a
    voxel half lung, half muscle has the density of dense lung and is given lung's kernel scaled to it); where the CT
    has the dose grid itself, this is the CT's own medium exactly. Outside the CT: see DensitySettings.outside_ct; the
    share of activity (images on ``onto``) that lies there is said. Raises DoseError when the CT misses the grid.
    """
    chosen = settings or DensitySettings()
    curve = chosen.curve
    hu = np.maximum(ct.voxels, AIR_HU).astype(np.float32, copy=False)
    air = float(density_from_hu(AIR_HU, curve))
    if ct.grid.same_as(onto):
        density, mean_hu, covered = density_from_hu(hu, curve), hu, np.ones(onto.shape_zyx, dtype=np.float32)
    else:
        density = resample_mean(density_from_hu(hu, curve), ct.grid, onto, fill=air)
        # To 0.01 HU, so that rounding in the mean moves no voxel across the edge of a medium.
        mean_hu = np.round(resample_mean(hu, ct.grid, onto, fill=AIR_HU), 2)
        covered = coverage(ct.grid, onto)
    outside = covered < 0.5
    if outside.all():
        raise DoseError(
            "The CT covers no voxel of the dose grid: check that CT and SPECT belong to one patient and frame."
        )
    filled = np.zeros_like(outside)
    if chosen.outside_ct == "body" and outside.any() and activity:
        filled = outside & outline_on(activity)
        density = np.where(filled, np.float32(ASSUMED_DENSITY_G_PER_CM3), density)
        mean_hu = np.where(filled, np.float32(ASSUMED_HU), mean_hu)
    warnings = hu_warnings(ct.voxels, curve) + _outside_warnings(outside, filled, activity, air)
    return PatientMap(
        density=Image(density, onto, "g/cm3"),
        medium=scheme.media_from_hu(mean_hu),
        scheme=scheme.name,
        source=f"CT through HU curve {curve.name}",
        warnings=warnings,
    )


def patient_map_without_ct(
    activity: Sequence[Image], settings: DensitySettings | None = None, scheme: MediaScheme = SCHNEIDER_8
) -> PatientMap:
    """Unit density and soft tissue inside the SPECT's outline of the body (see body_outline), air around it."""
    chosen = settings or DensitySettings()
    curve = chosen.curve
    body = outline_on(activity)
    hu = np.where(body, np.float32(ASSUMED_HU), np.float32(AIR_HU))
    density = np.where(body, np.float32(ASSUMED_DENSITY_G_PER_CM3), density_from_hu(AIR_HU, curve))
    volume_l = float(body.sum()) * activity[0].grid.voxel_volume_ml / 1000.0
    text = "No CT: body outline from the SPECT, unit density (1.00 g/cm3), soft tissue"
    return PatientMap(
        density=Image(density.astype(np.float32), activity[0].grid, "g/cm3"),
        medium=scheme.media_from_hu(hu),
        scheme=scheme.name,
        source=text,
        warnings=(f"{text}; lungs and bones are not told apart. The outline holds {volume_l:.1f} L.",),
    )


def outline_on(activity: Sequence[Image]) -> NDArray[np.bool_]:
    """Body outline (see body_outline) on the images' own grid, drawn at about 4.8 mm."""
    coarse = [coarser(image) for image in activity]
    mask = body_outline(coarse)
    grid, drawn = activity[0].grid, coarse[0].grid
    if drawn is grid:
        return mask
    factors = [round(d / s) for d, s in zip(drawn.spacing_mm, grid.spacing_mm, strict=True)]
    nk, nj, ni = grid.shape_zyx
    fine = mask.repeat(factors[2], 0).repeat(factors[1], 1).repeat(factors[0], 2)
    return np.ascontiguousarray(fine[:nk, :nj, :ni])


def _outside_warnings(
    outside: NDArray[np.bool_], filled: NDArray[np.bool_], activity: Sequence[Image], air_g_per_cm3: float
) -> tuple[str, ...]:
    """Nothing where only empty surroundings lie outside the CT, as in the corners of a wide SPECT."""
    if not outside.any():
        return ()
    share = ""
    if activity:
        totals = [(float(a.voxels[outside].sum(dtype=float)), float(a.voxels.sum(dtype=float))) for a in activity]
        worst = max(part / whole if whole > 0 else 0.0 for part, whole in totals)
        if worst < NEGLIGIBLE_SHARE and not outside.all(axis=(1, 2)).any():
            return ()
        share = f", with up to {100 * worst:.2f} % of a time point's activity"
    fill = f"air ({air_g_per_cm3:.5f} g/cm3, no dose)"
    if filled.any():
        fill = f"soft tissue of unit density inside the SPECT outline ({int(filled.sum())} voxels), {fill} elsewhere"
    return (f"The CT does not cover {100 * float(outside.mean()):.1f} % of the dose grid{share}; filled with {fill}.",)


def _moved_grid(grid: Grid, moving_from_fixed: NDArray[np.float64]) -> Grid:
    """The same voxels where they lie in another time point's space."""
    matrix = np.asarray(moving_from_fixed)
    origin = (matrix @ [*grid.origin_mm, 1.0])[:3]
    direction = matrix[:3, :3] @ np.reshape(grid.direction, (3, 3))
    return Grid(
        grid.shape_zyx,
        grid.spacing_mm,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(direction.ravel()),
    )
