"""Is a dose uneven where its PET is? Voxel-wise correlation in organs, and texture of both, feature by feature.

Texture by mirp, which is tested against the Image Biomarker Standardisation Initiative (Zwanenburg et al. 2020,
Radiology 295:328): GLCM and GLRLM in 3-D, merged over directions, 32 bins from lowest to highest value.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.evaluation.image_metrics import correlation
from RPTDosimetryLib.prediction.pet_case import case_of
from RPTDosimetryLib.prediction.theranostic_dataset import StoredPatient
from RPTDosimetryLib.records import Progress, silent

ORGANS: Final = ("kidneys", "liver", "spleen")
BINS: Final = 32
FAMILIES: Final = {"GLCM": "cm_", "GLRLM": "rlm_"}
#: Xue et al. 2024: voxel-wise r by organ, and mean r of the features of a family.
PUBLISHED_VOXEL_R: Final = {"kidneys": 0.77, "liver": 0.50, "spleen": 0.58}
PUBLISHED_TEXTURE_R: Final = {"GLCM": 0.68, "GLRLM": 0.71}


@dataclass(frozen=True)
class Heterogeneity:
    """voxel_r: by organ, one value a patient; texture_r: by family and feature, over all patients and organs, each
    organ's features standardised before, so that organs of different level do not make the correlation.
    """

    voxel_r: dict[str, tuple[float, ...]]
    texture_r: dict[str, dict[str, float]]

    def mean_voxel_r(self, organ: str) -> float:
        """Mean over patients."""
        return float(np.mean(self.voxel_r[organ]))

    def mean_texture_r(self, family: str) -> float:
        """Mean over the features of a family."""
        return float(np.mean(list(self.texture_r[family].values())))


def heterogeneity(
    patients: Sequence[StoredPatient], organs: Sequence[str] = ORGANS, progress: Progress = silent
) -> Heterogeneity:
    """Correlations of PET and dose in patients. Raises PredictionError: fewer than three patients, mirp not there."""
    if len(patients) < 3:
        raise PredictionError(f"{len(patients)} patients: correlations of features over patients need three at least.")
    voxel_r: dict[str, list[float]] = {organ: [] for organ in organs}
    features: dict[str, list[tuple[dict[str, float], dict[str, float]]]] = {organ: [] for organ in organs}
    for done, patient in enumerate(patients, start=1):
        case = case_of(patient)
        for organ in organs:
            mask = case.organs[organ] & case.tissue
            r = correlation(patient.pet_suv[mask].astype(float), patient.dose_gy[mask].astype(float))
            voxel_r[organ].append(0.0 if r is None else r)
            features[organ].append((texture(patient.pet_suv, mask), texture(patient.dose_gy, mask)))
        progress(done / len(patients), f"Texture of {patient.name}")
    names = features[organs[0]][0][0]
    texture_r = {
        family: {name: _feature_r(features, name) for name in names if name.startswith(start)}
        for family, start in FAMILIES.items()
    }
    return Heterogeneity({organ: tuple(values) for organ, values in voxel_r.items()}, texture_r)


def texture(voxels: NDArray[np.floating], mask: NDArray[np.bool_]) -> dict[str, float]:
    """GLCM and GLRLM features of the voxels in a mask, by mirp's names. Raises PredictionError without mirp."""
    try:
        from mirp import extract_features
    except ImportError as error:
        raise PredictionError("Texture needs mirp: install rptdosimetry[predict].") from error
    box = tuple(slice(max(int(a.min()) - 2, 0), int(a.max()) + 3) for a in np.nonzero(mask))
    before = logging.root.manager.disable
    logging.disable(logging.INFO)  # mirp tells every image that it looks at
    try:
        table = extract_features(
            image=np.asarray(voxels[box], dtype=np.float64),
            mask=mask[box].astype(np.uint8),
            base_discretisation_method="fixed_bin_number",
            base_discretisation_n_bins=BINS,
            base_feature_families=["cm", "rlm"],
            num_cpus=1,
        )[0]
    finally:
        logging.disable(before)
    return {
        str(name).split("_3d_")[0].removesuffix("_d1"): float(table[name].iloc[0])
        for name in table.columns
        if str(name).startswith(tuple(FAMILIES.values()))
    }


def _feature_r(features: dict[str, list[tuple[dict[str, float], dict[str, float]]]], name: str) -> float:
    pairs = []
    for rows in features.values():
        values = np.array([[pet[name], dose[name]] for pet, dose in rows])
        spread = values.std(axis=0)
        pairs.append((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
    joined = np.concatenate(pairs)
    return correlation(joined[:, 0], joined[:, 1]) or 0.0
