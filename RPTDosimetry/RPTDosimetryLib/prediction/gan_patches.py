"""Random 32³ patches of many patients, cut, mirrored and turned in one gather on the device they are kept on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.prediction.gan_patients import GanPatient, organ_numbers
from RPTDosimetryLib.prediction.gan_settings import PATCH, GanSettings

#: A patch's centre lies up to this many voxels off the organ voxel it was drawn for.
_JITTER: Final = 8


@dataclass(frozen=True)
class Patches:
    """inputs (n, 3, 32, 32, 32): uptake, HU, organ; dose (n, 1, 32, 32, 32) [Gy/GBq]; names: patient, corner."""

    inputs: Any
    dose: Any
    names: tuple[str, ...]


class PatchSource:
    """All voxels of the patients on one device, and patches of them by number: the same number, the same patches."""

    def __init__(
        self, patients: Sequence[GanPatient], organs: Sequence[str], settings: GanSettings, device: Any
    ) -> None:
        """organs: in the order of their numbers. Raises PredictionError: no patient, or not enough memory."""
        import torch

        if not patients:
            raise PredictionError("No patient to take patches from.")
        self._names = [patient.name for patient in patients]
        self._organs: list[list[NDArray[np.int64]]] = []
        self._organ_count = len(organs)
        self._shapes = np.array([np.maximum(patient.hu.shape, PATCH) for patient in patients])
        shape = tuple(int(n) for n in self._shapes.max(axis=0))
        voxels = np.zeros((len(patients), *shape, 4), dtype=np.float32)
        voxels[..., 1] = -1000.0
        for index, patient in enumerate(patients):
            z, y, x = patient.hu.shape
            numbers = organ_numbers(patient.organs, organs, patient.hu.shape)
            layers = [patient.uptake, patient.hu, numbers, patient.dose_gy_per_gbq]
            voxels[index, :z, :y, :x] = np.stack(layers, axis=-1)
            self._organs.append(list(patient.organs.values()))
        try:
            self._voxels = torch.from_numpy(voxels).to(device)
        except torch.OutOfMemoryError as error:
            raise PredictionError(
                f"The patients take {voxels.nbytes / 2**30:.1f} GiB, more than the device has: train on fewer, or cpu."
            ) from error
        self._settings, self._device = settings, device
        self._anywhere = [np.flatnonzero(patient.body) for patient in patients]
        self._own_shapes = [patient.hu.shape for patient in patients]

    def patches(self, seed: Sequence[int], count: int, varied: bool = True) -> Patches:
        """``count`` patches; varied: mirrored, turned, outlines hidden at random, as the settings allow."""
        import torch

        rng = np.random.default_rng(list(seed))
        chosen = rng.integers(len(self._names), size=count)
        corners = np.array([self._corner(rng, index) for index in chosen])
        z, y, x = _indices(rng, corners, varied and self._settings.mirror, varied and self._settings.turn)
        where = [torch.from_numpy(a).to(self._device, non_blocking=True) for a in (_tall(chosen), z, y, x)]
        cut = self._voxels[where[0], where[1], where[2], where[3]].permute(0, 4, 1, 2, 3)
        names = tuple(f"{self._names[i]}, patch at (z, y, x) = {tuple(c.tolist())}" for i, c in zip(chosen, corners))  # noqa: B905
        if varied and self._settings.organ_drop > 0:
            kept = torch.from_numpy(self._outlines_kept(rng, count)).to(self._device)
            shown = torch.gather(kept, 1, cut[:, 2].long().flatten(1)).reshape(cut[:, 2].shape)
            cut = torch.cat([cut[:, :2], (cut[:, 2] * shown)[:, None], cut[:, 3:]], dim=1)
        return Patches(cut[:, :3], cut[:, 3:], names)

    def _outlines_kept(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        """(patches, organs + 1): 1 where an organ's outline is shown."""
        drop = self._settings.organ_drop
        kept = rng.random((count, self._organ_count + 1)) >= drop
        return (kept & (rng.random((count, 1)) >= drop)).astype(np.float32)

    def _corner(self, rng: np.random.Generator, index: int) -> NDArray[np.int64]:
        organs = self._organs[index]
        if organs and rng.random() < self._settings.organ_share:
            among = organs[rng.integers(len(organs))]
        else:
            among = self._anywhere[index]
        centre = np.array(np.unravel_index(among[rng.integers(among.size)], self._own_shapes[index]))
        corner = centre - PATCH // 2 + rng.integers(-_JITTER, _JITTER + 1, size=3)
        return np.clip(corner, 0, self._shapes[index] - PATCH)


def _tall(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return values.reshape(-1, 1, 1, 1)


def _indices(
    rng: np.random.Generator, corners: NDArray[np.int64], mirror: bool, turn: bool
) -> tuple[NDArray[np.int64], ...]:
    """Voxel indices (n, 32|1, 32, 32) of patches, each mirrored along any axis and y, x exchanged, or as it lies.

    Mirrors and the exchange together give every turn by 90° about z.
    """
    count = len(corners)
    flipped = rng.random((count, 3)) < 0.5 if mirror else np.zeros((count, 3), bool)
    turned = rng.random(count) < 0.5 if turn else np.zeros(count, bool)
    if turn and not mirror:  # without mirrors, a turn is the exchange with one mirror
        flipped[:, 1] = turned
    steps = np.arange(PATCH)
    along = np.where(flipped[..., None], steps[::-1], steps)  # (n, 3, 32)
    z = (along[:, 0] + corners[:, :1])[:, :, None, None]
    rows, columns = along[:, 1][:, :, None], along[:, 2][:, None, :]
    exchanged = turned[:, None, None]
    y = np.where(exchanged, along[:, 1][:, None, :], rows) + corners[:, 1][:, None, None]
    x = np.where(exchanged, along[:, 2][:, :, None], columns) + corners[:, 2][:, None, None]
    return z, y[:, None], x[:, None]
