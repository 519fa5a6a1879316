"""A PET/CT from DICOM, the PET in SUV by body weight: C·m/(A0·e^(−λt)), whatever way the vendor stored it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.prediction.tracers import HALF_LIFE_S, KNOWN_TRACERS, tracer_of
from RPTDosimetryLib.records import Image
from RPTDosimetryLib.study.dicom_files import CT, PT, DicomFile, decoding, read_headers, require_one_patient
from RPTDosimetryLib.study.dicom_spect import read_pt, why_not_spect
from RPTDosimetryLib.study.dicom_values import number, seconds_between, words
from RPTDosimetryLib.study.read_ct import is_localizer, read_ct_series
from RPTDosimetryLib.study.scan import Scan
from RPTDosimetryLib.study.walk import files_below

#: A PET is taken between these times after injection; others are taken for a wrong clock [min].
EARLIEST_MIN, LATEST_MIN = 5.0, 600.0
#: A header's half-life that differs by more than this from the evaluated one belongs to another nuclide.
HALF_LIFE_TOLERANCE: Final = 0.02
#: Philips' private factors for Units CNTS: stored value to SUV, and to Bq/mL (QIBA FDG-PET profile, 2016, annex G).
_PHILIPS_SUV, _PHILIPS_BQML = (0x7053, 0x1000), (0x7053, 0x1009)

Series = tuple[DicomFile, ...]


@dataclass(frozen=True)
class PetFacts:
    """What a person says of a PET where its files do not; None where nothing is said.

    minutes: from the injection to the start of the scan.
    """

    weight_kg: float | None = None
    injected_bq: float | None = None
    minutes: float | None = None


NOTHING_SAID: Final = PetFacts()
#: What a person says and what a file says are one figure when they differ by no more than this.
_SAME: Final = 0.01


@dataclass(frozen=True)
class PetStudy:
    """PET [SUV by body weight] and CT [HU], each on its own grid, with what SUV was made from."""

    pet: Image
    ct: Image
    tracer: str
    nuclide: str
    weight_kg: float
    injected_bq: float | None
    scan_time_min: float
    patient_id: str
    how: str
    warnings: tuple[str, ...] = ()


def read_pet_study(folder: Path, tracer: str | None = None, said: PetFacts = NOTHING_SAID) -> PetStudy:
    """The one attenuation-corrected PET and the one CT of a folder.

    tracer: its name where the header does not tell it (many write only "Solution"); said: other figures that it does
    not tell; neither is taken against the header. Raises StudyError: no or several PET or CT series, several patients,
    and for a PET without injected activity, its time, weight, unit or decay reference, or of a tracer that is not
    known.
    """
    root, paths = files_below(folder)
    found = read_headers(root, paths)
    pet_files = _one_pet([s for s in found.series if s[0].kind == PT and why_not_spect(s) is None], folder)
    ct_files = [s for s in found.series if s[0].kind == CT and not is_localizer(s)]
    if len(ct_files) != 1:
        raise StudyError(f"{folder} holds {len(ct_files)} CT series: a prediction needs the PET and its one CT.")
    patient = require_one_patient(file for series in (pet_files, ct_files[0]) for file in series)
    with decoding(pet_files):
        scan = read_pt(pet_files, root)
    with decoding(ct_files[0]):
        ct = read_ct_series(ct_files[0], root)
    study = _in_suv(scan, pet_files[0], (ct.image, ct.warnings), tracer, said)
    return replace(study, patient_id=patient)


def suv_factor(weight_kg: float, activity_bq: float, half_life_s: float, elapsed_s: float) -> float:
    """SUV per Bq/mL: 1000·m/(A0·2^(−t/T)) [g/Bq], activity decayed to the time that the image refers to."""
    return 1000.0 * weight_kg / (activity_bq * 2.0 ** (-elapsed_s / half_life_s))


def _in_suv(
    scan: Scan, file: DicomFile, ct: tuple[Image, tuple[str, ...]], tracer: str | None, said: PetFacts
) -> PetStudy:
    header, path = file.header, file.path
    told = scan.administration
    weight_kg = _agreed(number(header, "PatientWeight", path) or None, said.weight_kg, ("weight", "kg"), path)
    injected_bq = _agreed(told.activity_bq or None, said.injected_bq, ("injected activity", "Bq"), path)
    if weight_kg is None or not weight_kg > 0:
        raise StudyError(
            f"{path}: the PET has no patient weight (0010,1030): no SUV without it. Add it to the header, or give it."
        )
    if injected_bq is None or not injected_bq > 0:
        raise StudyError(
            f"{path}: the PET has no injected activity (0018,1074): no SUV without it. Add it to the header, or "
            "give it."
        )
    elapsed_s, notes = _elapsed_s(scan, said, path)
    require_possible_time(elapsed_s, str(path))
    name, nuclide = _tracer(header, told.nuclide, tracer, path)
    half_life_s = _half_life_s(nuclide, told.half_life_s, path)
    voxels, how = _suv(scan, header, (weight_kg, injected_bq, half_life_s, elapsed_s), path)
    return PetStudy(
        pet=scan.image.with_voxels(np.clip(voxels, 0.0, None).astype(np.float32), "SUV"),
        ct=ct[0],
        tracer=name,
        nuclide=nuclide,
        weight_kg=weight_kg,
        injected_bq=injected_bq,
        scan_time_min=elapsed_s / 60.0,
        patient_id="",
        how=how,
        warnings=(*notes, *(w for w in scan.warnings if w), *ct[1]),
    )


def require_possible_time(elapsed_s: float, where: str) -> None:
    """Raises StudyError for a PET that no scanner takes so long, or so soon, after the injection."""
    if not EARLIEST_MIN * 60 <= elapsed_s <= LATEST_MIN * 60:
        raise StudyError(
            f"{where}: the PET began {elapsed_s / 60:.1f} min after injection; {EARLIEST_MIN:g} to {LATEST_MIN:g} min "
            "are possible. Check the times of injection and acquisition."
        )


def _agreed(header: float | None, said: float | None, what: tuple[str, str], path: Path) -> float | None:
    """The header's figure, or what was said where it has none. Raises StudyError where the two differ."""
    if header is None or said is None:
        return said if header is None else header
    if abs(said / header - 1.0) > _SAME:
        name, unit = what
        raise StudyError(
            f"{path} says that the {name} is {header:g} {unit}, not {said:g} {unit}. Correct whichever is wrong."
        )
    return header


def _elapsed_s(scan: Scan, said: PetFacts, path: Path) -> tuple[float, tuple[str, ...]]:
    """Seconds from the injection to the start of the scan, and how they are known."""
    timed = scan.administration.time is not None or scan.administration.time_of_day is not None
    if said.minutes is not None and not (timed and scan.acquired is not None):
        return said.minutes * 60.0, (f"{said.minutes:g} min from injection to scan were given by hand",)
    injected, notes = _injected(scan, path)
    if scan.acquired is None:
        raise StudyError(
            f"{path}: the PET has no acquisition time (0008,0032): decay cannot be told. Add it to the header, or give "
            "the minutes from injection to scan."
        )
    elapsed_s = seconds_between(injected, scan.acquired)
    if said.minutes is not None and abs(said.minutes - elapsed_s / 60.0) > 1.0:
        raise StudyError(
            f"{path} says that the PET began {elapsed_s / 60:.1f} min after injection, not {said.minutes:g} min. "
            "Correct whichever is wrong."
        )
    return elapsed_s, notes


def _suv(
    scan: Scan, header: Any, given: tuple[float, float, float, float], path: Path
) -> tuple[NDArray[np.floating], str]:
    """SUV and one line on how; given: weight, activity, half-life, elapsed seconds."""
    weight_kg, injected_bq, half_life_s, elapsed_s = given
    voxels, unit = _known_unit(scan, header, path)
    if unit == "SUV":
        return voxels, "stored as SUV by body weight"
    reference = scan.decay_reference
    if reference == "ADMIN":
        factor: float | NDArray[np.float64] = suv_factor(weight_kg, injected_bq, half_life_s, 0.0)
        return voxels * factor, "Bq/mL corrected to the injection (ADMIN)"
    if reference == "START":
        factor = suv_factor(weight_kg, injected_bq, half_life_s, elapsed_s)
        return (
            voxels * factor,
            f"Bq/mL corrected to acquisition start (START), {elapsed_s / 60:.1f} min after injection",
        )
    if reference == "NONE":
        delay_s = np.zeros(voxels.shape[0]) if scan.slice_delay_s is None else scan.slice_delay_s
        factors = [suv_factor(weight_kg, injected_bq, half_life_s, elapsed_s + float(d)) for d in delay_s]
        x = math.log(2.0) / half_life_s * (scan.duration_s or 0.0)
        in_frame = x / -math.expm1(-x) if x > 0 else 1.0
        return voxels * (in_frame * np.asarray(factors))[
            :, None, None
        ], "Bq/mL not decay-corrected (NONE), corrected here"
    raise StudyError(f"{path}: the PET does not say what its decay correction refers to (0054,1102). Add it.")


def _known_unit(scan: Scan, header: Any, path: Path) -> tuple[NDArray[np.float32], str]:
    """Voxels in Bq/mL or SUV, and which of the two."""
    unit = (scan.unit or "").upper()
    if unit in ("BQML", "BQ/ML"):
        return scan.image.voxels, "Bq/mL"
    if unit in ("GML", "G/ML{SUVBW}", "{SUVBW}G/ML", "G/ML"):
        kind = str(header.get("SUVType", "") or "BW").strip().upper()
        if kind != "BW":
            raise StudyError(f"{path}: SUV by {kind} (0054,1006), not by body weight (BW). Export the PET as Bq/mL.")
        return scan.image.voxels, "SUV"
    if unit == "CNTS":
        for tag, name in ((_PHILIPS_BQML, "Bq/mL"), (_PHILIPS_SUV, "SUV")):
            factor = float(header[tag].value) if tag in header else 0.0
            if factor > 0:
                return scan.image.voxels * np.float32(factor), name
    raise StudyError(f"{path}: the PET's unit is {scan.unit or 'not told'} (0054,1001); BQML or GML is needed.")


def _injected(scan: Scan, path: Path) -> tuple[datetime, tuple[str, ...]]:
    told = scan.administration
    if told.time is not None:
        return told.time, ()
    if told.time_of_day is None or scan.acquired is None:
        raise StudyError(
            f"{path}: the PET has no injection time (0018,1072 or 0018,1078): decay cannot be told. Add it to "
            "the header, or give the minutes from injection to scan."
        )
    moment = datetime.combine(scan.acquired.date(), told.time_of_day, scan.acquired.tzinfo)
    if moment > scan.acquired:
        moment -= timedelta(days=1)
    return moment, ("the injection has a time without a date: the last such time before the scan is taken",)


def _tracer(header: Any, nuclide: str | None, given: str | None, path: Path) -> tuple[str, str]:
    """(tracer, nuclide), the user's word where the header tells no name; never against the header."""
    items = header.get("RadiopharmaceuticalInformationSequence") or [{}]
    item = items[0]
    texts = [str(item.get("Radiopharmaceutical", "") or "")]
    texts += [str(code.get("CodeMeaning", "") or "") for code in item.get("RadiopharmaceuticalCodeSequence", [])]
    if nuclide is None:
        raise StudyError(f"{path}: the PET does not say which radionuclide it shows (0054,0300). Add it to the header.")
    if nuclide not in HALF_LIFE_S:
        raise StudyError(f"{path} shows {nuclide}: PET with {', '.join(HALF_LIFE_S)} can be predicted from.")
    told = next((name for text in texts if (name := tracer_of(nuclide, text)) is not None), None)
    if given is not None and told is not None and given != told:
        raise StudyError(f"{path} says that its tracer is {told}, not {given}. Correct whichever is wrong.")
    tracer = told or given
    if tracer is None:
        heard = ", ".join(text for text in texts if text) or "nothing"
        raise StudyError(
            f"{path} tells no known tracer of {nuclide} (it says: {heard}). Give it: one of {', '.join(KNOWN_TRACERS)}."
        )
    if tracer not in KNOWN_TRACERS or tracer_of(nuclide, tracer) != tracer:
        raise StudyError(f"{path}: {tracer} is no known tracer of {nuclide}. Known: {', '.join(KNOWN_TRACERS)}.")
    return tracer, nuclide


def _half_life_s(nuclide: str, told_s: float | None, path: Path) -> float:
    known = HALF_LIFE_S[nuclide]
    if told_s is not None and abs(told_s / known - 1.0) > HALF_LIFE_TOLERANCE:
        raise StudyError(
            f"{path}: a half-life of {told_s:g} s where {nuclide} has {known:.0f} s: one of the two is wrong."
        )
    return told_s if told_s is not None else known


def _one_pet(series: list[Series], folder: Path) -> Series:
    """The attenuation-corrected one, where a folder also holds the uncorrected images."""
    corrected = [s for s in series if "ATTN" in words(s[0].header, "CorrectedImage")]
    if len(corrected) != 1:
        raise StudyError(
            f"{folder} holds {len(corrected)} attenuation-corrected PET series (and {len(series) - len(corrected)} "
            "other PET series): give a folder with exactly one, and its CT."
        )
    return corrected[0]
