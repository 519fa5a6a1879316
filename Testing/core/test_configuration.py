"""One TOML holds every choice; its documented form is the default; mistakes are named."""

import dataclasses
import re
import tomllib
from typing import get_args, get_type_hints

import pytest

from RPTDosimetryLib.configuration import RunSettings, default_toml, read_settings, settings_from
from RPTDosimetryLib.errors import ConfigurationError


def test_documented_file_is_the_default():
    assert settings_from(tomllib.loads(default_toml()), "run.toml") == RunSettings()


def test_every_setting_is_in_the_documented_file():
    text = default_toml()
    for section in dataclasses.fields(RunSettings):
        part = re.split(rf"\n\[(?!{section.name}\.)", text.split(f"\n[{section.name}]")[1])[0]  # with its sub-tables
        kinds = get_type_hints(section.default_factory)
        for setting in dataclasses.fields(section.default_factory):
            known = rf"^(# )?({setting.name} = |\[+{section.name}\.{setting.name}\]+)"
            assert re.search(known, part, re.MULTILINE), f"{section.name}.{setting.name} is not documented"
            for inner in (kinds[setting.name], *get_args(kinds[setting.name])):
                for key in dataclasses.fields(inner) if dataclasses.is_dataclass(inner) else ():
                    assert re.search(rf"\b{key.name} = ", part), f"{setting.name}.{key.name} is not documented"


def test_optional_lines_are_valid_when_uncommented():
    table = tomllib.loads(re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", default_toml(), flags=re.MULTILINE))
    settings = settings_from(table, "run.toml")
    assert settings.study.time_points[0].time_h == 4.1
    assert settings.density.hu_curve[1] == (0.0, 1.018)
    assert settings.vois.lesions[0].seed_mm == (-62.0, 14.5, 120.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[dose]\nengin = 'ssv'", "unknown setting 'engin'. Did you mean engine?"),
        ("[doze]\nengine = 'ssv'", "Did you mean dose?"),
        ("[tia]\nmodel = 3", "tia.model = 3"),
        ("[tia]\nweighting = 'poison'", "poison"),
        ("[study]\nadministered_activity_mbq = -5", "positive"),
        ("[study]\nadministration_time = 'yesterday'", "yesterday"),
        ("[[study.time_points]]\nmatch = 1\ntime_hours = 4", "Did you mean time_h?"),
        ("dose = ", "not valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path, text, says):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(says)) as error:
        read_settings(path)
    assert str(path) in str(error.value) or "study" in text


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no\.toml cannot be read"):
        read_settings(tmp_path / "no.toml")
