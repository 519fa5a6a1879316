"""The engine is one choice: no second setting can contradict it."""

import tomllib

import pytest

from RPTDosimetryLib.configuration import RunSettings, default_toml, settings_from
from RPTDosimetryLib.dose.engine import engine_names, scheme_of
from RPTDosimetryLib.errors import ConfigurationError


@pytest.mark.parametrize("engine", engine_names())
def test_an_engine_alone_decides_its_media(engine):
    settings = settings_from({"dose": {"engine": engine}}, "run.toml")
    assert scheme_of(settings.dose.engine).name == ("msv20" if engine == "msv20" else "msv8")


def test_media_cannot_be_chosen_beside_the_engine():
    with pytest.raises(ConfigurationError, match="unknown setting 'scheme'"):
        settings_from({"density": {"scheme": "msv20"}, "dose": {"engine": "msv8"}}, "run.toml")


def test_what_is_integrated_over_time_is_activity_unless_asked():
    assert RunSettings().dose.integrate == "activity"
    assert settings_from({"dose": {"integrate": "dose_rate"}}, "run.toml").dose.integrate == "dose_rate"
    with pytest.raises(ConfigurationError, match=r"dose\.integrate.*'dose'"):
        settings_from({"dose": {"integrate": "dose"}}, "run.toml")


def test_the_documented_file_names_every_engine():
    lines = default_toml().partition("[dose]")[2].splitlines()
    line = next(line for line in lines if line.startswith("engine = "))
    assert all(engine in line for engine in engine_names())
    assert tomllib.loads(default_toml())["dose"]["integrate"] == "activity"
