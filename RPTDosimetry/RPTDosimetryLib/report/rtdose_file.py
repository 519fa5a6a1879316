"""An RT Dose from a dose map that lies in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from RPTDosimetryLib.errors import ReportError
from RPTDosimetryLib.records import DoseMap
from RPTDosimetryLib.report.dicom_identity import DicomIdentity, identity_like
from RPTDosimetryLib.report.provenance import now
from RPTDosimetryLib.report.rtdose import Bits, RtDoseOptions, write_rtdose
from RPTDosimetryLib.study.image_files import header_text
from RPTDosimetryLib.study.read_dose import is_dicom, read_dose
from RPTDosimetryLib.study.rtdose import read_rtdose


def rtdose_from_file(dose: Path, like: Path, out: Path, bits: int = 16) -> dict[str, Any]:
    """Write ``out`` with the identity of ``like`` and the present date; the answer says how exactly.

    The engine is not known from a file: the method line of its header is passed on where it has one, nothing else is
    said. Raises ReportError: not 16 or 32 bits; an RTDOSE of another frame of reference than ``like``.
    """
    image = read_dose(dose)
    identity = identity_like(like)
    method = ""
    if is_dicom(dose):
        _require_same_frame(dose, like, identity)
    else:
        method = header_text(dose, "method")
    if bits not in get_args(Bits):
        raise ReportError(f"An RT Dose stores 16 or 32 bits a voxel, not {bits}.")
    chosen: Bits = 16 if bits == 16 else 32
    options = RtDoseOptions(bits=chosen, created=now().astimezone())
    done = write_rtdose(DoseMap(image, "", method, ""), out, identity, options)
    return {
        "out": out,
        "grid": str(image.grid),
        "maximum_gy": float(image.voxels.max()),
        "bits": bits,
        "dose_grid_scaling_gy": done.dose_grid_scaling_gy,
        "largest_error_gy": done.largest_error_gy,
        "sop_instance_uid": done.sop_instance_uid,
        "study_instance_uid": str(identity.attributes.StudyInstanceUID),
        "frame_of_reference_uid": str(identity.attributes.FrameOfReferenceUID),
        "warnings": done.warnings,
    }


def _require_same_frame(dose: Path, like: Path, identity: DicomIdentity) -> None:
    frame = read_rtdose(dose).frame_of_reference_uid
    if frame is not None and frame != str(identity.attributes.FrameOfReferenceUID):
        raise ReportError(
            f"{dose} lies in another frame of reference than {like}: its voxels would be put elsewhere in the patient. "
            "Give the images that the dose lies on."
        )
