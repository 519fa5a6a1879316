"""RadiopharmaceuticalInformationSequence (0054,0016): what was given, how much, when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.study.dicom_values import date_time, number, time_of_day, time_zone
from RPTDosimetryLib.study.nuclide_names import canonical_nuclide
from RPTDosimetryLib.study.scan import HeaderAdministration
from RPTDosimetryLib.units import BQ_PER_MBQ

#: Below 1e6 a number can only be MBq (1e6 Bq is one MBq, no therapy); from 1e6 on only Bq (1e6 MBq is one TBq).
_BQ_FROM = 1e6


def read_administration(header: Any, path: Path) -> HeaderAdministration:
    """The administration as this header tells it; what it leaves out stays None.

    RadionuclideTotalDose (0018,1074) is in Bq for PET (PS3.3 C.8.9.2) and in MBq for NM (PS3.3 C.8.4.10.1.7). Vendors
    write Bq in NM too; the two ranges that a therapy can have do not overlap, so the number itself decides, and a unit
    other than the standard's is said. Raises StudyError when several nuclides were given.
    """
    items = list(header.get("RadiopharmaceuticalInformationSequence", []))
    if not items:
        return HeaderAdministration()
    if len(items) > 1:
        raise StudyError(
            f"{path} names {len(items)} radiopharmaceuticals: dosimetry of several at once is not possible. Export the "
            "image with the one it shows."
        )
    item = items[0]
    activity_bq, warnings = _activity_bq(item, str(header.get("Modality", "")), path)
    moment = date_time(item, "RadiopharmaceuticalStartDateTime", path, time_zone(header, path))
    half_life_s = number(item, "RadionuclideHalfLife", path)
    if half_life_s is not None and half_life_s <= 0:
        half_life_s = None
        warnings = (*warnings, "the header's half-life is not positive and is not used")
    return HeaderAdministration(
        time=moment,
        time_of_day=None if moment else time_of_day(item, "RadiopharmaceuticalStartTime", path),
        activity_bq=activity_bq,
        half_life_s=half_life_s,
        nuclide=_nuclide(item),
        warnings=warnings,
    )


def _activity_bq(item: Any, modality: str, path: Path) -> tuple[float | None, tuple[str, ...]]:
    total = number(item, "RadionuclideTotalDose", path)
    if total is None or total <= 0:
        return None, ()
    is_bq = total >= _BQ_FROM
    if is_bq == (modality == "PT"):
        return (total if is_bq else total * BQ_PER_MBQ), ()
    written, standard = ("Bq", "MBq") if is_bq else ("MBq", "Bq")
    activity_bq = total if is_bq else total * BQ_PER_MBQ
    return activity_bq, (
        f"RadionuclideTotalDose is {total:.10g}: the standard's unit for {modality or 'this modality'} is {standard}, "
        f"but only {written} makes it a therapy, so {activity_bq / BQ_PER_MBQ:.6g} MBq is used; "
        "give administered_activity_mbq if that is wrong",
    )


def _nuclide(item: Any) -> str | None:
    codes = list(item.get("RadionuclideCodeSequence", []))
    texts = [str(code.get("CodeMeaning", "") or "") for code in codes]
    texts += [str(item.get("Radiopharmaceutical", "") or "")]
    texts += [str(c.get("CodeMeaning", "") or "") for c in item.get("RadiopharmaceuticalCodeSequence", [])]
    return next((name for text in texts if (name := canonical_nuclide(text)) is not None), None)
