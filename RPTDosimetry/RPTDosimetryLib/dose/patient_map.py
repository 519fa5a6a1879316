"""Density and medium of a patient from a density map or from labels of materials (from a CT: registration)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from RPTDosimetryLib.errors import DoseError
from RPTDosimetryLib.grid import Grid, coverage, resample_mean
from RPTDosimetryLib.physics.hounsfield import SCHNEIDER_2000, HuCurve, density_warnings
from RPTDosimetryLib.physics.media import SCHNEIDER_8, MediaScheme
from RPTDosimetryLib.records import Image, PatientMap

#: Where labels say air and no density is given, and outside a map: only masses of volumes that hold air see it.
AIR_G_PER_CM3: Final = 1.21e-3
#: Denser than any metal in a patient; a map above it is not in g/cm³.
DENSEST_G_PER_CM3: Final = 25.0


def patient_from_density(
    density: Image, onto: Grid, curve: HuCurve = SCHNEIDER_2000, scheme: MediaScheme = SCHNEIDER_8
) -> PatientMap:
    """Given density, as a mean over each voxel of ``onto``; medium by density through the curve's inverse.

    Raises DoseError for densities that are negative, undefined or not in g/cm³, and for a map that misses the grid.
    """
    _require_density(density)
    rho, warnings = _mean_onto(density, onto)
    return PatientMap(
        density=rho,
        medium=scheme.media_from_density(rho.voxels, curve),
        scheme=scheme.name,
        source=f"given density map, media by density through the inverse of HU curve {curve.name}",
        warnings=(*warnings, *density_warnings(rho.voxels, curve)),
    )


def patient_from_labels(labels: Image, scheme: MediaScheme, onto: Grid, density: Image | None = None) -> PatientMap:
    """Media by label, the label that fills most of each voxel of ``onto``; density as given or of the medium.

    Air becomes index 0 whatever its label. Raises DoseError for labels that the scheme does not name, or a map that
    misses the grid.
    """
    renumbered = _with_air_first(scheme)
    medium = _media_onto(labels, scheme, renumbered, onto)
    warnings: tuple[str, ...] = ()
    if density is None:
        reference = np.full(256, AIR_G_PER_CM3, dtype=np.float32)
        for this in renumbered.tissue:
            reference[this.index] = this.reference_density_g_per_cm3
        rho = Image(reference[medium], onto, "g/cm3")
    else:
        _require_density(density)
        rho, warnings = _mean_onto(density, onto)
    return PatientMap(
        density=rho,
        medium=medium,
        scheme=renumbered.name,
        source=f"{'reference density of each medium' if density is None else 'given density map'}, media by label "
        f"({scheme.source})",
        warnings=warnings,
        media=renumbered,
    )


def _media_onto(labels: Image, scheme: MediaScheme, renumbered: MediaScheme, onto: Grid) -> np.ndarray:
    known = {medium.index for medium in scheme.media}
    unknown = [float(label) for label in np.unique(labels.voxels) if label not in known]
    if unknown:
        raise DoseError(
            f"The material map holds the labels {', '.join(f'{label:g}' for label in unknown)}, which {scheme.source} "
            f"does not name (it names {', '.join(str(index) for index in sorted(known))}). Add them or correct it."
        )
    medium = np.zeros(onto.shape_zyx, dtype=np.uint8)
    most = np.full(onto.shape_zyx, 0.5 if labels.grid.same_as(onto) else 1e-6, dtype=np.float32)
    air = [this.index for this in scheme.media if this.is_air]
    if air and not labels.grid.same_as(onto):
        most = np.maximum(most, _share(np.isin(labels.voxels, air), labels.grid, onto))
    for old, new in zip(scheme.tissue, renumbered.tissue, strict=True):
        share = _share(labels.voxels == old.index, labels.grid, onto)
        medium[share > most] = new.index
        most = np.maximum(most, share)
    return medium


def _share(mask: np.ndarray, grid: Grid, onto: Grid) -> np.ndarray:
    return mask.astype(np.float32) if grid.same_as(onto) else resample_mean(mask, grid, onto)


def _mean_onto(density: Image, onto: Grid) -> tuple[Image, tuple[str, ...]]:
    if density.grid.same_as(onto):
        return Image(density.voxels.astype(np.float32, copy=False), onto, "g/cm3"), ()
    outside = float((coverage(density.grid, onto) < 0.5).mean())
    if outside == 1.0:
        raise DoseError("The density map covers no voxel of the TIA map. Check that both belong to one patient.")
    mean = Image(resample_mean(density.voxels, density.grid, onto, fill=AIR_G_PER_CM3), onto, "g/cm3")
    if outside == 0.0:
        return mean, ()
    return mean, (f"The density map does not cover {100 * outside:.1f} % of the TIA map; filled with air, no dose.",)


def _with_air_first(scheme: MediaScheme) -> MediaScheme:
    """Air out of the list (a PatientMap has it at 0) and every tissue at an index above 0."""
    if all(medium.is_air == (medium.index == 0) for medium in scheme.media):
        return scheme
    return replace(scheme, media=tuple(replace(m, index=n) for n, m in enumerate(scheme.tissue, start=1)))


def _require_density(density: Image) -> None:
    if not bool((density.voxels >= 0).all()):
        count = int(np.count_nonzero(~(density.voxels >= 0)))
        raise DoseError(f"The density map holds {count} negative or undefined voxels. Give densities in g/cm3.")
    highest = float(density.voxels.max())
    if highest > DENSEST_G_PER_CM3:
        raise DoseError(f"The density map reaches {highest:g}, which is not in g/cm3. Convert it, or give HU.")
