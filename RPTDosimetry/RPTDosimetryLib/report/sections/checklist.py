"""What the EANM asks of a dosimetry report, item by item, and where this one answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from RPTDosimetryLib.report.document import NOT_GIVEN, Block, Heading, Paragraph, Table
from RPTDosimetryLib.report.run_record import RunRecord
from RPTDosimetryLib.report.sections.uncertainty import combined_se_gy

#: Lassmann et al., EANM Dosimetry Committee guidance: good practice of clinical dosimetry reporting, EJNMMI 38 (2011)
#: 192. Its topics are told here in this program's words: the wording of its checklist (supplement) is not repeated.
LASSMANN: Final = "Lassmann 2011"
#: Stokke et al., EANM guidance: dosimetry for first-in-human studies and early phase clinical trials, EJNMMI 51 (2024)
#: 1268, table 4, column of therapies.
STOKKE: Final = "Stokke 2024, table 4"

Answer = Callable[[RunRecord], str]


@dataclass(frozen=True)
class Item:
    """One thing that is asked for. answer: the section that tells it, or what is not given and why."""

    source: str
    text: str
    answer: Answer


def checklist_blocks(record: RunRecord) -> list[Block]:
    """Each item with the section that answers it, or that it is not given."""
    rows = tuple((item.text, item.answer(record), item.source) for item in ITEMS)
    missing = sum(row[1].startswith(NOT_GIVEN) for row in rows)
    text = (
        f"{len(rows) - missing} of {len(rows)} items are answered in this report. Sources: Lassmann et al. 2011, EANM "
        "Dosimetry Committee guidance on good practice of clinical dosimetry reporting (doi "
        "10.1007/s00259-010-1549-3), its topics in our words; Stokke et al. 2024, EANM guidance on dosimetry for "
        "first-in-human studies and early phase trials (doi 10.1007/s00259-024-06640-x), table 4, therapies, as far as "
        "one patient's report can answer it."
    )
    table = Table(("item", "where it is answered", "asked by"), rows, "", (30, 30, 12), (0, 1, 2))
    return [Heading("EANM reporting checklist"), Paragraph(text, small=True), table]


def _said(section: str) -> Answer:
    return lambda _record: section


def _tag(section: str, *keywords: str) -> Answer:
    """Told where the images state one of these attributes."""

    def answer(record: RunRecord) -> str:
        points: list[dict[str, Any]] = [point.get("acquisition") or {} for point in record.step("time_points")]
        found = any(keyword in point for keyword in keywords for point in points)
        return section if found else f"{NOT_GIVEN}: the images do not state it"

    return answer


def _patient(*keywords: str) -> Answer:
    def answer(record: RunRecord) -> str:
        attributes = record.told["patient"]["attributes"]
        lacking = [keyword.removeprefix("Patient").lower() for keyword in keywords if not attributes.get(keyword)]
        if len(lacking) == len(keywords):
            return f"{NOT_GIVEN}: the images do not state it"
        return "Patient and administration" + (f"; {NOT_GIVEN}: {', '.join(lacking)}" if lacking else "")

    return answer


def _given(key: str) -> Answer:
    return lambda record: "Patient and administration" if record.step("administration")[key] is not None else NOT_GIVEN


def _bed(record: RunRecord) -> str:
    effects = (record.step("assessment") or {}).get("radiobiology") or ()
    found = any(row["bed_gy"] is not None for row in effects)
    return "Radiobiology and limits" if found else f"{NOT_GIVEN}: not computed in this run"


def _recovery(record: RunRecord) -> str:
    corrected = any(row["recovery_coefficient"] for row in record.rows("organ_doses.csv"))
    return (
        "Absorbed dose: means corrected for partial volume"
        if corrected
        else f"{NOT_GIVEN}: no recovery curve was known"
    )


def _dead_time(record: RunRecord) -> str:
    told = " ".join(total["calibration"] for total in record.step("total_activity"))
    return (
        "Calibration"
        if "dead time" in told
        else f"{NOT_GIVEN}: the images came as they are, without a dead-time record"
    )


def _uncertainty(record: RunRecord) -> str:
    if combined_se_gy(record):
        return "Uncertainty; ± in every dose table"
    return f"{NOT_GIVEN}: no budget in this run; error of each fit in Kinetics"


def _rbe(record: RunRecord) -> str:
    if record.step("dose")["nuclide"] == "Tb-161":
        return f"{NOT_GIVEN}: Auger electrons of Tb-161 are not weighted"
    return "not applicable: β emitter"


def _lesions(record: RunRecord) -> str:
    lesions = any(voi["kind"] == "lesion" for voi in record.step("vois"))
    return "Result, Absorbed dose, Kinetics: one line a lesion" if lesions else f"{NOT_GIVEN}: no lesion was drawn"


def _body(record: RunRecord) -> str:
    names = {voi["name"] for voi in record.step("vois")}
    return "Absorbed dose, Kinetics" + ("" if "body" in names else f"; whole body {NOT_GIVEN}")


ITEMS: Final[tuple[Item, ...]] = (
    Item(
        LASSMANN,
        "Patient: sex, age, weight, height",
        _patient("PatientSex", "PatientAge", "PatientWeight", "PatientSize"),
    ),
    Item(
        LASSMANN, "Nuclide and radiopharmaceutical", _tag("Patient and administration; Images", "Radiopharmaceutical")
    ),
    Item(LASSMANN, "Activity administered, corrected to its time", _given("administered_activity_bq")),
    Item(LASSMANN, "Date and time of administration", _given("time")),
    Item(
        LASSMANN,
        "Residual activity in syringe and lines; activity meter used",
        _said(f"{NOT_GIVEN}: not in the images"),
    ),
    Item(LASSMANN, "Pre-medication, co-infusion, voiding", _said(f"{NOT_GIVEN}: not in the images")),
    Item(LASSMANN, "Camera: maker, model", _tag("Images", "Manufacturer", "ManufacturerModelName")),
    Item(LASSMANN, "Collimator", _tag("Images", "CollimatorType", "CollimatorGridName")),
    Item(LASSMANN, "Energy windows", _tag("Images", "EnergyWindowLowerLimit", "EnergyWindowName")),
    Item(LASSMANN, "Time of each acquisition and its duration", _said("Images")),
    Item(LASSMANN, "Matrix and voxel size", _said("Images: grid")),
    Item(LASSMANN, "Reconstruction", _tag("Images", "ReconstructionMethod", "ReconstructionAlgorithm")),
    Item(
        LASSMANN,
        "Attenuation and scatter correction",
        _tag("Images", "CorrectedImage", "AttenuationCorrectionMethod", "ScatterCorrectionMethod"),
    ),
    Item(LASSMANN, "Calibration to activity and how it was measured", _said("Calibration")),
    Item(LASSMANN, "Dead time", _dead_time),
    Item(LASSMANN, "Partial volume: recovery coefficients", _recovery),
    Item(LASSMANN, "Agreement of imaged with administered activity", _said("Calibration: activity by time point")),
    Item(LASSMANN, "Registration of the time points and its quality", _said("Registration")),
    Item(LASSMANN, "Volumes of interest: method, who drew and reviewed", _said("Volumes of interest")),
    Item(LASSMANN, "Masses and where they come from", _said("Absorbed dose: mass, density")),
    Item(LASSMANN, "Activity of each volume at each time", _said("Kinetics: activity at each scan")),
    Item(LASSMANN, "Fit function, its parameters, extrapolation", _said("Kinetics: models chosen")),
    Item(LASSMANN, "Time-integrated activity (coefficient)", _said("Kinetics; Absorbed dose: Ã/A0")),
    Item(
        LASSMANN,
        "Blood and excretion samples, bone marrow model",
        _said(f"{NOT_GIVEN}: images are the only measurements here"),
    ),
    Item(
        LASSMANN,
        "Method of the dose calculation, nuclear data, S values or kernels",
        _said("Absorbed dose: method; Record: tables"),
    ),
    Item(LASSMANN, "Software and its version", _said("Record: versions")),
    Item(LASSMANN, "Absorbed dose of each volume, also per activity", _said("Result; Absorbed dose")),
    Item(LASSMANN, "Uncertainty of the result", _uncertainty),
    Item(LASSMANN, "Assumptions and deviations", _said("Assumptions, warnings and changes")),
    Item(
        STOKKE,
        "Absorbed dose of all source tissues and whole body, with activity at each time, curve parameters, volumes",
        _body,
    ),
    Item(
        STOKKE,
        "Absorbed dose of target tissues of a complete set of organs",
        _said("Result: the volumes drawn; others not given"),
    ),
    Item(STOKKE, "Equivalent and effective dose", _said("not applicable: called non-sensical for therapies")),
    Item(STOKKE, "Tumours and other regions of disease, each with activity, curve, volume", _lesions),
    Item(STOKKE, "Sub-structures of organs, where relevant", _said("Result: where they are drawn")),
    Item(STOKKE, "RBE-weighted dose (optional, α and Auger emitters)", _rbe),
    Item(STOKKE, "Biologically effective dose (encouraged)", _bed),
    Item(
        STOKKE,
        "Voxel dose map with cut-offs such as D90 or D98, where relevant",
        _said("Absorbed dose: overlay, D98, histograms"),
    ),
)
