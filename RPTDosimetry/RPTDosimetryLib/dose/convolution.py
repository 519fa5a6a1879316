"""Linear convolution of a map with mirror-symmetric kernels given by one octant, several kernels per map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

#: Threads of scipy.fft; more bring little on the sizes of SPECT grids.
WORKERS = 2
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class SourceSpectrum:
    """The Fourier transform of a map padded with zeros, so that nothing wraps around up to the reach of a kernel.

    half_spectrum: rfftn, complex64 (z, y, x/2+1) of padded_zyx; shape_zyx is the map's.
    """

    half_spectrum: NDArray[np.complex64]
    padded_zyx: tuple[int, int, int]
    shape_zyx: tuple[int, int, int]


def source_spectrum(source: NDArray[np.float32], octant_zyx: tuple[int, ...]) -> SourceSpectrum:
    """Transform a map (z, y, x) once for all kernels whose octants are at most octant_zyx voxels (index 0..reach).

    Padding n + reach is enough: what wraps around then lands in the padding, which is cropped.
    """
    padded = tuple(
        scipy.fft.next_fast_len(n + min(k, n) - 1, real=True) for n, k in zip(source.shape, octant_zyx, strict=True)
    )
    spectrum = scipy.fft.rfftn(source.astype(np.float32, copy=False), padded, workers=WORKERS)
    nz, ny, nx = source.shape
    return SourceSpectrum(spectrum, (padded[0], padded[1], padded[2]), (nz, ny, nx))


def convolve(source: SourceSpectrum, octant: NDArray[np.floating], box: Box | None = None) -> NDArray[np.float32]:
    """(source ⊗ kernel) over a box of the map: out[x] = Σ_s source[s]·octant[|x − s|], zero outside the map.

    octant: (k, j, i) of index 0..reach; entries beyond the map's size cannot matter and are left out.
    """
    box = box or (slice(None), slice(None), slice(None))
    product = source.half_spectrum * _octant_spectrum(octant, source)
    axis_by_axis = scipy.fft.ifft(product, axis=0, workers=WORKERS, overwrite_x=True)[: source.shape_zyx[0]][box[0]]
    axis_by_axis = scipy.fft.ifft(axis_by_axis, axis=1, workers=WORKERS)[:, : source.shape_zyx[1]][:, box[1]]
    real = scipy.fft.irfft(axis_by_axis, n=source.padded_zyx[2], axis=2, workers=WORKERS)
    return real[:, :, : source.shape_zyx[2]][:, :, box[2]]


def _octant_spectrum(octant: NDArray[np.floating], source: SourceSpectrum) -> NDArray[np.float32]:
    """Transform of the mirrored kernel: real and even, so Σ c_i K_i cos(2π f i/N) axis by axis, f = 0..N/2."""
    spectrum = octant[tuple(slice(n) for n in source.shape_zyx)].astype(np.float64)
    for axis, padded in enumerate(source.padded_zyx):
        spectrum = np.moveaxis(np.tensordot(_cosines(spectrum.shape[axis], padded), spectrum, axes=(1, axis)), 0, axis)
    half = spectrum.astype(np.float32)
    nz, ny, _ = source.padded_zyx
    return half[_folded(nz)][:, _folded(ny)]


def _cosines(terms: int, padded: int) -> NDArray[np.float64]:
    """(N/2+1, terms) cos(2π f i/N), doubled for i > 0 because both mirror images count."""
    frequency, index = np.arange(padded // 2 + 1)[:, None], np.arange(terms)[None, :]
    return np.where(index == 0, 1.0, 2.0) * np.cos(2.0 * np.pi / padded * (frequency * index % padded))


def _folded(padded: int) -> NDArray[np.intp]:
    frequency = np.arange(padded)
    return np.minimum(frequency, padded - frequency)
