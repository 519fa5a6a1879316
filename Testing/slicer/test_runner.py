"""Background jobs: progress, answer, expected error, defect, cancel, a case that went away; nothing is left behind."""

import time
from pathlib import Path

import pytest

from RPTDosimetryLib.background import Request, perform
from RPTDosimetryLib.errors import ConfigurationError


class Told:
    def __init__(self):
        self.identity, self.states, self.errors, self.results = "one", [], [], []


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def runner(scene, told, tmp_path, monkeypatch):
    """A runner whose jobs live in tmp_path and may also run the verbs of this file."""
    import tempfile

    from RPTDosimetryLib.bridge.runner import Hooks, Runner

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Runner(
        Hooks(lambda: told.identity, told.states.append, lambda text, details: told.errors.append((text, details)))
    )
    yield made
    made.cancel()
    assert not list(tmp_path.glob("rptdosimetry-*")), "the job folder is gone"


def test_an_answer_comes_back_with_progress_on_the_way(runner, told, tmp_path):
    runner.start("Sample", Request("sample_study", (tmp_path / "sample", 1)), told.results.append)
    assert runner.busy
    runner.wait(120)
    assert [len(study.time_points) for study in told.results] == [4]
    shown = [state for state in told.states if state is not None]
    assert told.states[-1] is None, "the end is told"
    assert [s.fraction for s in shown] == sorted(s.fraction for s in shown)
    assert max(s.fraction for s in shown) > 0.3
    assert any(s.left_s is not None for s in shown)
    assert any("virtual patient" in s.text for s in shown)
    assert told.errors == []


def test_an_expected_error_is_its_sentence(runner, told, tmp_path):
    runner.start("Read", Request("read_study", (tmp_path / "nowhere",)), told.results.append)
    runner.wait(60)
    assert told.results == []
    assert len(told.errors) == 1
    assert "no such folder" in told.errors[0][0]
    assert told.errors[0][1] == "", "no traceback for an expected error"


def test_a_defect_brings_its_traceback(runner, told):
    runner.start("Read", Request("read_study", (3.5,)), told.results.append)
    runner.wait(60)
    assert "stopped unexpectedly" in told.errors[0][0]
    assert "Traceback" in told.errors[0][1]


def test_a_process_that_dies_is_noticed(runner, told, tmp_path):
    runner.start("Sample", Request("sample_study", (tmp_path / "sample", 1)), told.results.append)
    runner._job.process.kill()
    runner.wait(30)
    assert told.results == []
    assert "stopped unexpectedly (exit status -9)" in told.errors[0][0]
    assert not (tmp_path / "sample").exists()


def test_cancel_ends_the_process_at_once_and_brings_nothing(runner, told, tmp_path):
    runner.start("Sample", Request("sample_study", (tmp_path / "sample", 1)), told.results.append)
    process = runner._job.process
    until = time.monotonic() + 60
    while not any(state and state.fraction > 0 for state in told.states) and time.monotonic() < until:
        import slicer

        slicer.app.processEvents()
    started = time.monotonic()
    runner.cancel()
    assert time.monotonic() - started < 1.0
    assert process.poll() is not None
    assert not runner.busy
    assert (told.results, told.errors) == ([], [])
    assert told.states[-1] is None


def test_a_job_of_another_case_is_dropped(runner, told, tmp_path):
    runner.start("Sample", Request("sample_study", (tmp_path / "sample", 1)), told.results.append)
    told.identity = "two"
    runner.wait(60)
    assert (told.results, told.errors) == ([], [])


def test_one_job_at_a_time(runner, told, tmp_path):
    from RPTDosimetryLib.bridge.runner import JobError

    runner.start("First", Request("sample_study", (tmp_path / "sample", 1)), told.results.append)
    with pytest.raises(JobError, match="First is still running"):
        runner.start("Second", Request("sample_study", (tmp_path / "sample", 1)), told.results.append)


def test_only_verbs_of_the_list_are_run():
    with pytest.raises(ConfigurationError, match=r"no verb os.system: choose one of read_study"):
        perform(Request("os.system", ("true",)))


def test_every_verb_of_the_list_is_there_and_callable():
    import importlib

    from RPTDosimetryLib.background import VERBS

    for where in VERBS.values():
        module, name = where.rsplit(".", 1)
        assert callable(getattr(importlib.import_module(module), name)), where


def test_the_process_ends_with_the_program_that_started_it(tmp_path):
    """Its stdin closes when Slicer is gone, however that happened."""
    import subprocess
    import sys

    from RPTDosimetryLib.background import prepare

    prepare(tmp_path, Request("sample_study", (tmp_path / "sample", 1)))
    process = subprocess.Popen(
        [sys.executable, "-m", "RPTDosimetryLib.background", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2] / "RPTDosimetry",
    )
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(timeout=10) == 1
    assert not (tmp_path / "sample").exists()


def test_a_job_that_does_not_hear_is_ended_after_a_while(runner, told, tmp_path, monkeypatch):
    from RPTDosimetryLib.bridge import runner as module

    monkeypatch.setattr(module, "_HEARS_S", 0.5)
    runner.start("Sample", Request("sample_study", (tmp_path / "sample", 1), keeps=True), told.results.append)
    process = runner._job.process
    started = time.monotonic()
    runner.stop()
    assert runner.busy, "it is asked first"
    assert "Stopping" in told.states[-1].text
    runner.wait(30)
    assert 0.4 < time.monotonic() - started < 5.0
    assert process.poll() is not None
    assert (told.results, told.errors) == ([], [])


def test_a_second_stop_ends_a_job_at_once(runner, told, tmp_path):
    runner.start("Sample", Request("sample_study", (tmp_path / "sample", 1), keeps=True), told.results.append)
    runner.stop()
    runner.stop()
    assert not runner.busy
    assert told.results == []
