"""What ITK's NIfTI reader lets pass: it fills a file that is cut off with zeros and turns NaN into 0 without a word."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from RPTDosimetryLib.errors import ImageFileError

_FLOATS = {16: "f4", 64: "f8"}  # NIfTI datatype codes of real floating-point voxels


def require_whole_nifti(path: Path) -> None:
    """Raise ImageFileError when a NIfTI-1 or -2 file ends before its voxels do, or holds NaN or infinite voxels.

    Layout: nifti1.h and nifti2.h (https://nifti.nimh.nih.gov): sizeof_hdr 348 or 540 at byte 0 tells version and byte
    order; then dim, datatype, bitpix and vox_offset.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
        order, dim, datatype, bits, offset = _layout(content)
        shape = [max(1, n) for n in dim[1 : 1 + dim[0]]]
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error, ValueError) as error:
        raise ImageFileError(f"{path} cannot be read as an image ({error}): it is cut off or damaged.") from error
    needed = offset + int(np.prod(shape)) * bits // 8
    if len(content) < needed:
        raise ImageFileError(f"{path} is cut off: {len(content)} of {needed} bytes are there. Copy it again.")
    if datatype in _FLOATS:
        values = np.frombuffer(content, order + _FLOATS[datatype], int(np.prod(shape)), offset)
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise ImageFileError(f"{path} holds {bad} voxels that are NaN or infinite. Repair the map first.")


def _layout(content: bytes) -> tuple[str, tuple[int, ...], int, int, int]:
    """(byte order, dim, datatype, bits a voxel, first voxel's byte)."""
    for order in "<>":
        (size,) = struct.unpack_from(order + "i", content, 0)
        if size == 348:
            datatype, bits = struct.unpack_from(order + "2h", content, 70)
            (offset,) = struct.unpack_from(order + "f", content, 108)
            return order, struct.unpack_from(order + "8h", content, 40), datatype, bits, int(offset)
        if size == 540:
            datatype, bits = struct.unpack_from(order + "2h", content, 12)
            (offset,) = struct.unpack_from(order + "q", content, 168)
            return order, struct.unpack_from(order + "8q", content, 16), datatype, bits, int(offset)
    raise ValueError("no NIfTI header")
