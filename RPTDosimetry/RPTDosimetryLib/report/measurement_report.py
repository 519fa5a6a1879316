"""Volume, mass, absorbed dose and Ã of each volume as a structured report (TID 1500, PS3.16), coded and in UCUM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset

from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.records import Code, Voi
from RPTDosimetryLib.report.dicom_object import LO, MAKER, MODEL, Exported, fitted, restate
from RPTDosimetryLib.report.seg import TISSUE, WrittenSeg

#: Concept (value, scheme, meaning), UCUM unit, derivation, by column of the organ table. Absorbed Dose is in DICOM's
#: CID 7469; DICOM has no concept for Ã, so it has one of this program's own scheme.
_MEAN, _MOST, _LEAST = ("373098007", "Mean"), ("56851009", "Maximum"), ("255605001", "Minimum")
_DOSE: Final = ("128513", "DCM", "Absorbed Dose")
SCHEME: Final = "99RPTDOSIMETRY"
MEASUREMENTS: Final[Mapping[str, tuple[tuple[str, str, str], str, tuple[str, str] | None]]] = {
    "volume_ml": (("118565006", "SCT", "Volume"), "mL", None),
    "mass_g": (("4147007", "SCT", "Mass"), "g", None),
    "mean_gy": (_DOSE, "Gy", _MEAN),
    "maximum_gy": (_DOSE, "Gy", _MOST),
    "minimum_gy": (_DOSE, "Gy", _LEAST),
    "tia_bq_s": (("TIA", SCHEME, "Time-integrated activity"), "Bq.s", None),
}
_NM_PROCEDURE: Final = "NMUnspecifiedBodyRegion"
_SIDES: Final = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}


def write_measurement_report(
    vois: Sequence[Voi],
    rows: Mapping[str, Mapping[str, float | None]],
    seg: WrittenSeg,
    path: Path,
    exported: Exported,
    reviewer: str = "",
) -> None:
    """One group a volume, in the order of the SEG's segments, to which each refers; rows: figures by VOI and column.

    A figure that does not exist is left out. reviewer: who answers for it (person observer). Raises ReportError.
    """
    from highdicom import sr

    groups = [
        _group(voi, number, rows[voi.name], seg, exported)
        for number, voi in enumerate(vois, start=1)
        if voi.name in rows
    ]
    report = sr.MeasurementReport(
        observation_context=_observers(exported, reviewer),
        procedure_reported=_procedure(),
        imaging_measurements=groups,
    )
    document = sr.Comprehensive3DSR(
        evidence=[seg.dataset],
        content=report,
        series_instance_uid=exported.uid("SR", "series"),
        series_number=5,
        sop_instance_uid=exported.uid("SR", "instance"),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        manufacturer_model_name=MODEL,
        series_description="Absorbed dose by volume",
    )
    _name(document, exported)
    with whole_file(path) as temporary:
        document.save_as(temporary)


def _group(voi: Voi, number: int, row: Mapping[str, float | None], seg: WrittenSeg, exported: Exported) -> Any:
    from highdicom import sr

    name, uid = seg.tracking[number - 1]
    series = exported.identity.series_instance_uid or exported.uid("source series")
    code = voi.code or TISSUE
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=uid, identifier=name),
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=seg.dataset.SOPClassUID,
            sop_instance_uid=seg.dataset.SOPInstanceUID,
            segment_number=number,
            source_series=sr.SourceSeriesForSegmentation(series),
        ),
        finding_type=_coded(code),
        finding_sites=None if voi.code is None or voi.kind == "lesion" else [_site(code)],
        measurements=[_measurement(column, value) for column in MEASUREMENTS if (value := row.get(column)) is not None],
    )


def _measurement(column: str, value: float) -> Any:
    from highdicom import sr

    (code, scheme, meaning), unit, derivation = MEASUREMENTS[column]
    return sr.Measurement(
        name=sr.CodedConcept(code, scheme, meaning),
        value=value,
        unit=sr.CodedConcept(unit, "UCUM", unit),
        derivation=None if derivation is None else sr.CodedConcept(derivation[0], "SCT", derivation[1]),
    )


def _site(code: Code) -> Any:
    from highdicom import sr

    side = None if code.laterality is None else _SIDES[code.laterality]
    return sr.FindingSite(_coded(code), None if side is None else sr.CodedConcept(side[0], "SCT", side[1]))


def _coded(code: Code) -> Any:
    from highdicom import sr

    return sr.CodedConcept(code.value, code.scheme, fitted(code.meaning))


def _observers(exported: Exported, reviewer: str) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=exported.uid("device"), name=MAKER, manufacturer_name=MAKER, model_name=MODEL
        ),
    )
    if not reviewer:
        return sr.ObservationContext(observer_device_context=device)
    person = sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name=fitted(reviewer, LO)),
    )
    return sr.ObservationContext(observer_person_context=person, observer_device_context=device)


def _procedure() -> Any:
    from pydicom.sr.codedict import codes

    return getattr(codes.cid100, _NM_PROCEDURE)


def _name(document: Any, exported: Exported) -> None:
    restate(document, exported)
    for name in ("FrameOfReferenceUID", "PositionReferenceIndicator"):
        document.pop(name, None)
    scheme = Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeName = SCHEME, "SlicerRPTDosimetry"
    scheme.CodingSchemeResponsibleOrganization = MAKER
    document.CodingSchemeIdentificationSequence = [scheme]
