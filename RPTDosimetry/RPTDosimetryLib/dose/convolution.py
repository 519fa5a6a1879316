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

    source: the map, float32 (z, y, x); half_spectrum: its rfftn, complex64 (z, y, x/2+1) of padded_zyx.
    """

    source: NDArray[np.float32]
    half_spectrum: NDArray[np.complex64]
    padded_zyx: tuple[int, int, int]


def source_spectrum(source: NDArray[np.float32], octant_zyx: tuple[int, ...]) -> SourceSpectrum:
    """Transform a map (z, y, x) once for all kernels whose octants are at most octant_zyx voxels (index 0..reach).

    Padding n + reach is enough: what wraps around then lands in the padding, which is cropped.
    """
    padded = tuple(
        2 * scipy.fft.next_fast_len((n + min(k, n)) // 2, real=True)  # even, for the cosine transform of kernels
        for n, k in zip(source.shape, octant_zyx, strict=True)
    )
    single = source.astype(np.float32, copy=False)
    spectrum = scipy.fft.rfftn(single, padded, workers=WORKERS)
    return SourceSpectrum(single, spectrum, (padded[0], padded[1], padded[2]))


def convolve(source: SourceSpectrum, octant: NDArray[np.floating], box: Box | None = None) -> NDArray[np.float32]:
    """(source ⊗ kernel) over a box of the map: out[x] = Σ_s source[s]·octant[|x − s|], zero outside the map.

    octant: (k, j, i) of index 0..reach; entries beyond the map's size cannot matter and are left out. The voxel's dose
    to itself, some 50 times the rest, is added without the transform: single precision then costs 1e-8 of the highest
    dose instead of 1e-6, which far from a hot lesion would be per cents.
    """
    box = box or (slice(None), slice(None), slice(None))
    nz, ny, nx = source.source.shape
    product = source.half_spectrum * _octant_spectrum(octant, source)
    axis_by_axis = scipy.fft.ifft(product, axis=0, workers=WORKERS, overwrite_x=True)[:nz][box[0]]
    axis_by_axis = scipy.fft.ifft(axis_by_axis, axis=1, workers=WORKERS)[:, :ny][:, box[1]]
    others = scipy.fft.irfft(axis_by_axis, n=source.padded_zyx[2], axis=2, workers=WORKERS)[:, :, :nx][:, :, box[2]]
    return others + np.float32(octant[0, 0, 0]) * source.source[box]


def _octant_spectrum(octant: NDArray[np.floating], source: SourceSpectrum) -> NDArray[np.float32]:
    """Transform of the mirrored kernel without its centre: real and even, so the DCT-I of the octant, f = 0..N/2.

    N > 2·reach, so the octant never touches the last term, which a DCT-I would count once instead of twice.
    """
    padded = np.zeros([n // 2 + 1 for n in source.padded_zyx], dtype=np.float32)
    inside = octant[tuple(slice(n) for n in source.source.shape)]
    padded[tuple(slice(n) for n in inside.shape)] = inside
    padded[0, 0, 0] = 0.0
    half = scipy.fft.dctn(padded, type=1, workers=WORKERS, overwrite_x=True)
    nz, ny, _ = source.padded_zyx
    return half[_folded(nz)][:, _folded(ny)]


def _folded(padded: int) -> NDArray[np.intp]:
    frequency = np.arange(padded)
    return np.minimum(frequency, padded - frequency)
