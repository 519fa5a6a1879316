"""One dose map from a file: RTDOSE or a plain image."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from RPTDosimetryLib.errors import ImageFileError, StudyError
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.image_files import ENDINGS, is_image_file, read_image
from RPTDosimetryLib.study.rtdose import read_rtdose

#: DICOM PS3.10: 128 bytes of preamble, then the mark.
_PREAMBLE_BYTES: Final = 128
_MARK: Final = b"DICM"


def read_dose(path: Path) -> Image:
    """Absorbed dose [Gy] from a DICOM RT Dose file, known by its content, or from an image file whose values are Gy.

    Raises ImageFileError or StudyError: no such file, neither kind, unreadable, not in Gy, or an RTDOSE whose DoseType
    is not PHYSICAL (an EFFECTIVE one is not an absorbed dose, an ERROR one is a difference).
    """
    if is_dicom(path):
        dose = read_rtdose(path)
        if dose.dose_type != "PHYSICAL":
            raise StudyError(
                f"{path}: its DoseType is {dose.dose_type}, not PHYSICAL: it is not an absorbed dose. Export the "
                "physical dose."
            )
        return dose.image
    if path.is_file() and not is_image_file(path):
        raise ImageFileError(f"{path} is neither DICOM nor an image file this program reads ({', '.join(ENDINGS)}).")
    return read_image(path, "Gy")


def is_dicom(path: Path) -> bool:
    """True where the file carries DICOM's mark, whatever its name."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(_PREAMBLE_BYTES + len(_MARK))[_PREAMBLE_BYTES:] == _MARK
    except OSError as error:
        raise ImageFileError(f"{path} cannot be opened ({error.strerror}): check the permissions.") from error
