"""All choices of a run in one TOML file, checked against the settings records of the rooms."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from RPTDosimetryLib.calibration.settings import CalibrationSettings
from RPTDosimetryLib.dose.engine import DoseSettings, engine_names
from RPTDosimetryLib.errors import ConfigurationError
from RPTDosimetryLib.files import read_toml
from RPTDosimetryLib.radiobiology.cycles import CyclesSettings
from RPTDosimetryLib.radiobiology.protection import ProtectionSettings
from RPTDosimetryLib.radiobiology.tissues import RadiobiologySettings
from RPTDosimetryLib.registration.beds import BedSettings
from RPTDosimetryLib.registration.patient_map import DensitySettings
from RPTDosimetryLib.registration.settings import RegistrationSettings
from RPTDosimetryLib.study.given import StudyGiven
from RPTDosimetryLib.tia.registry import model_names
from RPTDosimetryLib.tia.settings import TiaSettings
from RPTDosimetryLib.uncertainty.settings import UncertaintySettings
from RPTDosimetryLib.vois.delineate import VoiSettings


@dataclass(frozen=True)
class RunSettings:
    """One section of run.toml a field; each room documents its own record."""

    study: StudyGiven = field(default_factory=StudyGiven)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    beds: BedSettings = field(default_factory=BedSettings)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    density: DensitySettings = field(default_factory=DensitySettings)
    vois: VoiSettings = field(default_factory=VoiSettings)
    tia: TiaSettings = field(default_factory=TiaSettings)
    dose: DoseSettings = field(default_factory=DoseSettings)
    radiobiology: RadiobiologySettings = field(default_factory=RadiobiologySettings)
    cycles: CyclesSettings = field(default_factory=CyclesSettings)
    uncertainty: UncertaintySettings = field(default_factory=UncertaintySettings)
    protection: ProtectionSettings = field(default_factory=ProtectionSettings)


def default_toml() -> str:
    """The documented file with every choice at its default."""
    return resources.files("RPTDosimetryLib").joinpath("run.toml").read_text(encoding="utf-8")


def read_settings(path: Path | None) -> RunSettings:
    """Settings from a TOML file; what it leaves out has its default.

    Raises ConfigurationError: no such file, not TOML, an unknown key (with the nearest known one), a value of the
    wrong kind or out of range.
    """
    if path is None:
        return RunSettings()
    return settings_from(read_toml(path), str(path))


def settings_from(table: dict[str, Any], where: str) -> RunSettings:
    """Settings from nested tables, as TOML or a provenance record holds them."""
    _refuse_unknown_keys(table, RunSettings, where)
    try:
        settings: RunSettings = TypeAdapter(RunSettings).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}: {key} = {first['input']!r}: {first['msg']}.") from error
    require_names(settings, where)
    return settings


def require_names(settings: RunSettings, where: str) -> None:
    """Engine, models and media exist: known before an image is read."""
    choices = {
        "dose.engine": (settings.dose.engine, engine_names()),
        "tia.model": (settings.tia.model, ("auto", *model_names())),
        "tia.voi_model": (settings.tia.voi_model, ("auto", *model_names())),
    }
    for kind in ("organ", "lesion", "region"):
        choices[f"tia.{kind}_model"] = (settings.tia.model_for(kind), ("auto", *model_names()))
    for key, (name, known) in choices.items():
        if name not in known:
            raise ConfigurationError(f"{where}: {key} = {name!r}: choose one of {', '.join(known)}.")


def _refuse_unknown_keys(table: dict[str, Any], record: Any, where: str) -> None:
    """Unknown keys of a table and of the records inside it, before values are judged."""
    known = get_type_hints(record)
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(known)}."
            raise ConfigurationError(f"{where}: unknown setting {key!r}.{hint}")
        inner = [kind for kind in (known[key], *get_args(known[key])) if dataclasses.is_dataclass(kind)]
        for item in value if isinstance(value, list) else [value]:
            if inner and isinstance(item, dict):
                _refuse_unknown_keys(item, inner[0], f"{where} [{key}]")
