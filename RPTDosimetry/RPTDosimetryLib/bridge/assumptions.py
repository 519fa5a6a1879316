"""What the panel assumes of tissues, earlier cycles, uncertainty and protection, as the library's settings and back.

Rows of the tables are JSON of the library's records in the parameter node; a number that is none stays as it was typed
until the settings are asked for, which say what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from slicer.i18n import tr as _

from RPTDosimetryLib.bridge.case import Case
from RPTDosimetryLib.bridge.words import in_panel_words
from RPTDosimetryLib.errors import ConfigurationError, DosimetryError

if TYPE_CHECKING:
    from RPTDosimetryLib.radiobiology.cycles import CyclesSettings
    from RPTDosimetryLib.radiobiology.protection import ProtectionSettings
    from RPTDosimetryLib.radiobiology.tissues import RadiobiologySettings
    from RPTDosimetryLib.report.assessment import Choices
    from RPTDosimetryLib.uncertainty.settings import UncertaintySettings

TISSUES, LIMITS, PREVIOUS, STAFF = "tissues", "limits", "previous", "staff"
TEXT, NUMBER, OPTIONAL, FLAG = "text", "number", "number or empty", "yes or no"
#: Files that tell an earlier cycle's table, not its map.
_OF_RESULTS: Final = (".json", ".csv")


@dataclass(frozen=True)
class Column:
    """A field of a record in a table: its title with unit, what may stand there, and what its tooltip says."""

    key: str
    title: str
    kind: str = TEXT
    tip: str = ""


COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    TISSUES: (
        Column("organ", _("organ"), TEXT, _("Any known spelling, without side; tumour for all lesions")),
        Column("alpha_beta_gy", _("α/β [Gy]"), NUMBER),
        Column("repair_half_life_h", _("repair T½ [h]"), NUMBER, _("Half-time of the repair of sublethal damage")),
        Column("source", _("source"), TEXT, _("Where both are from: needed")),
        Column("geud_a", _("gEUD a"), OPTIONAL, _("Exponent of the generalised EUD; empty for none")),
        Column("geud_source", _("source of a")),
    ),
    LIMITS: (
        Column("organ", _("organ")),
        Column("quantity", _("quantity"), TEXT, _("absorbed dose, or BED")),
        Column("limit_gy", _("limit [Gy]"), NUMBER, _("Over all cycles; shown as arithmetic, never as advice")),
        Column("source", _("source"), TEXT, _("Where it is from: needed")),
        Column("note", _("note")),
    ),
    PREVIOUS: (
        Column("results", _("results"), TEXT, _("Folder of the earlier run, its provenance.json or organ_doses.csv")),
        Column("dose", _("dose map"), TEXT, _("RT Dose or image in Gy, in place of the map of the results or alone")),
        Column("same_anatomy", _("same anatomy"), FLAG, _("The map already lies on the present anatomy")),
        Column("transform", _("transform"), TEXT, _("From points of the present reference into that map (.tfm, .h5)")),
        Column("nuclide", _("nuclide"), TEXT, _("Of a dose map alone, which does not tell it")),
        Column("patient_id", _("patient ID"), TEXT, _("Where the same person was filed under another one")),
    ),
    STAFF: (
        Column("who", _("who")),
        Column("part", _("part of the body")),
        Column("usv_per_gbq", _("µSv/GBq"), NUMBER, _("Of one administration, per administered activity")),
        Column("annual_limit_msv", _("limit a year [mSv]"), NUMBER),
        Column("source", _("source"), TEXT, _("Where the factor is from: needed")),
        Column("limit_source", _("source of the limit")),
    ),
}
#: In words, where something in them is wrong.
_TABLES: Final = {
    TISSUES: _("Assumptions, tissues"),
    LIMITS: _("Assumptions, limits"),
    PREVIOUS: _("Assumptions, earlier cycles"),
    STAFF: _("Assumptions, staff"),
}
_FIELDS: Final = (
    *("organFwhmMm", "lesionFwhmMm", "spectFwhmMm", "calibrationPercent", "densityPercent", "enginePercent"),
    *("sExponent", "releaseUsvPerH", "releaseSource", "staffNuclide"),
)
Row = dict[str, Any]


def own_rows(table: str) -> list[Row]:
    """The library's rows with their sources; no earlier cycle."""
    from RPTDosimetryLib.radiobiology.protection import STAFF as FACTORS
    from RPTDosimetryLib.radiobiology.tissues import LIMITS as BOUNDS
    from RPTDosimetryLib.radiobiology.tissues import TISSUES as KNOWN

    records: Mapping[str, tuple[Any, ...]] = {TISSUES: KNOWN, LIMITS: BOUNDS, STAFF: FACTORS, PREVIOUS: ()}
    return [asdict(record) for record in records[table]]


def rows_of(case: Case, table: str) -> list[Row]:
    """The rows as they stand in the panel: those of its user, else the library's."""
    stored = getattr(case.parameters.assumptions, table)
    return own_rows(table) if not stored else [dict(row) for row in json.loads(stored)]


def put_rows(case: Case, table: str, rows: list[Row]) -> None:
    """Keep rows in the parameter node; the library's own are kept as nothing: a later version brings its own."""
    stored = "" if rows == own_rows(table) else json.dumps(rows, ensure_ascii=False)
    setattr(case.parameters.assumptions, table, stored)


def new_row(table: str) -> Row:
    """A row in which nothing is said yet."""
    return {column.key: False if column.kind == FLAG else None for column in COLUMNS[table]}


def earlier_cycle(path: str, nuclide: str) -> Row:
    """The row of an earlier cycle: a folder or table of results, or a dose map of the nuclide."""
    results = Path(path).is_dir() or Path(path).suffix.lower() in _OF_RESULTS
    given = {"results": path} if results else {"dose": path, "nuclide": nuclide}
    return new_row(PREVIOUS) | given


def told(case: Case) -> list[Any]:
    """Everything that changes what is made of the doses, as JSON keeps it."""
    chosen = case.parameters.assumptions
    return [chosen.doseTaken.name, *(getattr(chosen, name) for name in _FIELDS), *(rows_of(case, t) for t in COLUMNS)]


def problems(case: Case) -> list[str]:
    """A sentence where the settings cannot be; empty when they can."""
    try:
        settings_of(case)
    except DosimetryError as error:
        return [in_panel_words(str(error))]
    return []


def settings_of(
    case: Case,
) -> tuple[RadiobiologySettings, CyclesSettings, UncertaintySettings, ProtectionSettings]:
    """The library's settings of the panel. Raises ConfigurationError."""
    from RPTDosimetryLib.radiobiology.cycles import CyclesSettings, PreviousCycle
    from RPTDosimetryLib.radiobiology.protection import ProtectionSettings, StaffFactor
    from RPTDosimetryLib.radiobiology.tissues import Limit, RadiobiologySettings, Tissue
    from RPTDosimetryLib.uncertainty.settings import UncertaintySettings

    chosen = case.parameters.assumptions
    limits = _records(case, LIMITS, _limit(Limit))
    radiobiology = RadiobiologySettings(chosen.doseTaken.name, _records(case, TISSUES, Tissue), limits)
    cycles = CyclesSettings(_records(case, PREVIOUS, PreviousCycle))
    uncertainty = UncertaintySettings(
        organ_fwhm_mm=chosen.organFwhmMm or None,
        lesion_fwhm_mm=chosen.lesionFwhmMm or None,
        spect_fwhm_mm=chosen.spectFwhmMm or None,
        calibration=_fraction(chosen.calibrationPercent),
        density=_fraction(chosen.densityPercent),
        engine=_fraction(chosen.enginePercent),
        s_exponent=chosen.sExponent,
    )
    staff = _records(case, STAFF, StaffFactor)
    release = (chosen.releaseUsvPerH or None, chosen.releaseSource)
    return radiobiology, cycles, uncertainty, ProtectionSettings(*release, chosen.staffNuclide, staff)


def choices_of(case: Case) -> Choices:
    """The Choices of the panel, with recovery and the factor's uncertainty as the activity was calibrated.

    Raises ConfigurationError, and StudyError before step Calibration was run.
    """
    from RPTDosimetryLib.bridge.quantified import calibration_of
    from RPTDosimetryLib.report.assessment import Choices

    radiobiology, cycles, uncertainty, protection = settings_of(case)
    used = calibration_of(case)
    factor_u = used.factor_relative_se if used.factor_cps_per_bq is not None else None
    return Choices(radiobiology, cycles, uncertainty, protection, used.recovery_curve(), factor_u)


def _fraction(percent: float) -> float | None:
    """Of a percentage as typed; the rounding of binary numbers is taken away."""
    return round(percent / 100.0, 12) if percent else None


def _limit(kind: Callable[..., Any]) -> Callable[..., Any]:
    def made(**fields: Any) -> Any:
        if fields["quantity"] not in ("absorbed dose", "BED"):
            text = _("the quantity {quantity} is not known: write absorbed dose, or BED.")
            raise ConfigurationError(text.format(quantity=fields["quantity"] or "–"))
        return kind(**fields)

    return made


def _records(case: Case, table: str, kind: Callable[..., Any]) -> tuple[Any, ...]:
    """The rows of a table as records. Raises ConfigurationError that names table and row."""
    made = []
    for number, row in enumerate(rows_of(case, table), start=1):
        try:
            made.append(kind(**{column.key: _value(column, row.get(column.key)) for column in COLUMNS[table]}))
        except ConfigurationError as error:
            text = _("{table}, row {number}: {error}")
            raise ConfigurationError(text.format(table=_TABLES[table], number=number, error=error)) from error
    return tuple(made)


def _value(column: Column, stands: Any) -> Any:
    """A cell as its record wants it. Raises ConfigurationError."""
    if column.kind == FLAG:
        return bool(stands)
    text = "" if stands is None else str(stands).strip()
    if column.kind == TEXT:
        if column.key in ("results", "dose", "transform"):
            return Path(text) if text else None
        return text or (None if column.key in ("nuclide", "patient_id") else "")
    if not text and column.kind == OPTIONAL:
        return None
    try:
        return float(text)
    except ValueError as error:
        said = _("{title} is {text}: a number with a point is needed.")
        raise ConfigurationError(said.format(title=column.title, text=f'"{text}"' if text else _("empty"))) from error
