"""The Monte Carlo on a CUDA device: the same histories in numba's simulator, code for real devices, what is missing."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from RPTDosimetryLib.errors import TransportError
from RPTDosimetryLib.transport import cuda_device
from RPTDosimetryLib.transport.cuda_batch import (
    FEWEST_ROWS,
    LAUNCH_S,
    MOST_ROWS,
    DeviceWorker,
    launch_size,
    rows_needed,
)
from RPTDosimetryLib.transport.cuda_device import cuda_is_there, require_cuda
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND, PHOTON_KIND, Particle, no_particle_lost, push
from RPTDosimetryLib.transport.point_histories import room_for_histories
from RPTDosimetryLib.transport.voxel_batch import CoreWorker
from RPTDosimetryLib.transport.voxel_histories import Histories, run_electrons, run_photons
from RPTDosimetryLib.transport.voxel_run import simulate_voxels

SCRIPT = Path(__file__).with_name("simulated_device.py")
cuda = pytest.importorskip("numba.cuda", reason="this numba has no CUDA target")


small = SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture(scope="module")
def simulated(in_simulator):
    """What simulated_device.py wrote."""
    return in_simulator(SCRIPT)


def on_the_core(nuclide, kind):
    """Score of each history, compiled for a processor."""
    plan = small.small_plan(nuclide)
    beam, run = ((plan.electrons, run_electrons), (plan.photons, run_photons))[kind - 1]
    room = room_for_histories()
    scores = np.zeros((beam.histories, 3, plan.tables.scene.n_cells + 1))
    for history, score in enumerate(scores):
        histories = Histories(plan.seed_of(0, kind), history, history + 1, beam.histories)
        run(beam.emission, histories, beam.source, plan.tables, score, *room)
    return scores


def alike(ours, theirs):
    """For each history whether the two scores agree to 1e-9 of its energy."""
    energy = np.abs(theirs).sum(axis=(1, 2))
    return np.abs(ours - theirs).max(axis=(1, 2)) <= 1e-9 * energy


@pytest.mark.slow
@pytest.mark.parametrize(("nuclide", "kind"), [("Lu-177", ELECTRON_KIND), ("Lu-177", PHOTON_KIND), ("Y-90", 1)])
def test_every_history_is_the_same_on_the_device(simulated, nuclide, kind):
    """Rounding of log, exp and products differs in the last bit, which may turn a decision in one of many histories."""
    device, core = simulated[f"{nuclide} {kind}"], on_the_core(nuclide, kind)
    assert device.shape == core.shape
    assert device.shape[0] > 100
    assert np.mean(alike(device, core)) >= 0.99
    # the comparison can tell histories apart: another one is not alike
    assert np.mean(alike(device[1:], core[:-1])) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("nuclide", ["Lu-177", "Y-90"])
def test_a_batch_of_many_threads_is_the_sum_of_its_histories(simulated, nuclide):
    worker = CoreWorker(small.small_plan(nuclide))
    booked = worker.run(0, lambda: False)
    assert simulated[f"{nuclide} booked"] == pytest.approx(booked, rel=1e-12)
    device = simulated[f"{nuclide} batch"]
    assert device.sum() == pytest.approx(sum(booked), rel=1e-12)  # nothing is lost
    # at most one history in a hundred may have gone another way
    assert np.abs(device - worker.score).sum() <= 0.02 * worker.score.sum()
    each = sum(simulated[f"{nuclide} {kind}"].sum(axis=0) for kind in small.KINDS)
    np.testing.assert_allclose(device, each, rtol=1e-9, atol=1e-6)


@pytest.mark.slow
def test_a_whole_run_on_the_device_gives_the_dose_of_the_cores(simulated):
    dose = simulate_voxels("Lu-177", small.small_case(), small.small_settings("Lu-177", "cpu"))
    np.testing.assert_allclose(simulated["dose"], dose.total_gy, rtol=0.02, atol=1e-6 * dose.total_gy.max())
    assert np.median(np.abs(simulated["dose"] - dose.total_gy)) < 1e-6 * dose.total_gy.max()


@pytest.mark.slow
def test_a_stopped_batch_leaves_nothing_behind(simulated):
    assert simulated["stopped"]
    np.testing.assert_array_equal(simulated["after a stop"] > 0, simulated["Lu-177 batch"] > 0)
    np.testing.assert_allclose(simulated["after a stop"], simulated["Lu-177 batch"], rtol=1e-9)


@pytest.mark.slow
def test_a_stack_that_is_too_small_fails_the_batch(simulated):
    assert "no room on the stack" in str(simulated["without room"])


def test_a_cuda_target_that_does_not_fit_numpy_is_said(monkeypatch):
    def missing(*_):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(DeviceWorker, "_launch", missing)
    worker = DeviceWorker.__new__(DeviceWorker)
    worker._beams = {1: None}
    with pytest.raises(TransportError, match=r"row_stack.*does not fit the installed numpy"):
        worker._compile()


def test_a_full_stack_counts_what_it_cannot_take():
    stack = np.zeros((3, 10))
    particle = Particle(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0)
    count = 0
    for energy_kev in (10.0, 20.0, 30.0, 40.0):
        count = push(stack, count, ELECTRON_KIND, energy_kev, particle)
    assert count == 2
    assert list(stack[:2, 1]) == [10.0, 20.0]
    no_particle_lost(0.0)
    with pytest.raises(TransportError, match="2 secondary particles"):
        no_particle_lost(stack[-1, 0])


def test_a_core_whose_stack_is_too_small_fails_the_batch(monkeypatch):
    room = (np.zeros((1, 10)), np.zeros(1, np.uint64))
    monkeypatch.setattr("RPTDosimetryLib.transport.voxel_batch.room_for_histories", lambda: room)
    with pytest.raises(TransportError, match="no room on the stack"):
        CoreWorker(small.small_plan("Y-90")).run(0, lambda: False)


def test_threads_take_every_history_once_and_neighbours_have_about_the_same_energy():
    from RPTDosimetryLib.transport.cuda_histories import ALIKE, WARP, taken_in_turn
    from RPTDosimetryLib.transport.voxel_histories import GOLDEN_SECTION

    count = 2 * WARP * ALIKE + 100
    taken = np.array([taken_in_turn(place, count) for place in range(count)])
    np.testing.assert_array_equal(np.sort(taken), np.arange(count))
    phase = 2j * np.pi * GOLDEN_SECTION * taken[: 10 * WARP].reshape(10, WARP)
    apart = np.abs(np.angle(np.exp(phase - phase[:, :1]))) / (2 * np.pi)
    assert apart.max() < 0.02


def test_bisection_finds_the_row_that_the_walk_finds():
    from RPTDosimetryLib.transport.cuda_histories import row_reaching

    cumulative = np.cumsum(np.random.default_rng(1).random(37))
    cumulative /= cumulative[-1]
    for wanted in [*np.linspace(0.0, 1.0, 101), *cumulative]:
        assert row_reaching(wanted, cumulative) == np.searchsorted(cumulative, wanted)
    assert row_reaching(1.1, cumulative) == 36


def test_launches_become_as_long_as_they_may_be():
    assert launch_size(10_000, LAUNCH_S / 2) == 20_000
    assert launch_size(100_000, LAUNCH_S * 2) == 50_000
    assert launch_size(10_000, 1e-6) == 80_000  # not more than eight times at once
    assert launch_size(10_000, 100.0) == 1250


def test_stack_holds_what_the_most_energetic_electron_may_set_free():
    lutetium, yttrium = rows_needed(small.small_plan("Lu-177")), rows_needed(small.small_plan("Y-90"))
    assert FEWEST_ROWS == lutetium <= yttrium <= 128
    plan = small.small_plan("Y-90")
    many = plan.tables._replace(electrons=plan.tables.electrons._replace(bremsstrahlung_copies=64))
    more = rows_needed(SimpleNamespace(electrons=plan.electrons, photons=plan.photons, tables=many))
    assert yttrium < more <= MOST_ROWS


@pytest.mark.skipif(cuda_is_there().usable, reason="there is a device")
def test_without_a_device_the_run_fails_and_says_what_is_missing():
    with pytest.raises(TransportError, match=r"cannot run on a GPU.*Or choose device cpu"):
        simulate_voxels("Lu-177", small.small_case(), small.small_settings("Lu-177", "cuda"))
    with pytest.raises(TransportError, match="cannot run on a GPU"):
        DeviceWorker(small.small_plan("Lu-177"))


def test_the_answer_tells_driver_device_and_toolkit_apart(monkeypatch):
    class NoDriver:
        @property
        def gpus(self):
            raise ImportError("libcuda.so cannot be opened")

    def no_library():
        raise ImportError("libnvvm.so cannot be found")

    class Present:
        gpus = ("one",)

    assert "libcuda.so cannot be opened" in cuda_device._driver_and_device(NoDriver()).text
    assert "sees no device" in cuda_device._driver_and_device(SimpleNamespace(gpus=())).text
    assert cuda_device._driver_and_device(Present()) is None
    assert "libNVVM" in cuda_device._toolkit(SimpleNamespace(NVVM=no_library)).text
    assert cuda_device._toolkit(SimpleNamespace(NVVM=lambda: None)) is None
    monkeypatch.setattr(cuda_device.config, "ENABLE_CUDASIM", 1)
    monkeypatch.setattr(cuda_device.config, "DISABLE_JIT", 0)
    with pytest.raises(TransportError, match="NUMBA_DISABLE_JIT"):
        require_cuda()


def atomic_additions(ptx):
    return sum("add.f64" in line and ("atom" in line or "red" in line) for line in ptx.splitlines())


def test_booking_is_atomic_on_a_device_also_after_it_was_compiled_for_a_core(ptx_of):
    """What is inlined for one target must not be taken for the other."""
    from numba import njit

    from RPTDosimetryLib.transport import cuda_histories  # noqa: F401  # the device's own way of booking
    from RPTDosimetryLib.transport.scoring import book

    @njit
    def one_kev(score):
        book(score, 0, 0, 1.0)

    score = np.zeros((1, 1))
    one_kev(score)
    assert score[0, 0] == 1.0

    def kernel(score):
        one_kev(score)

    assert atomic_additions(ptx_of(kernel, score)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ELECTRON_KIND, PHOTON_KIND])
def test_kernels_compile_for_a_data_centre_device(ptx_of, kind):
    from RPTDosimetryLib.transport.cuda_histories import N_SUMS, device_function

    plan = small.small_plan("Lu-177")
    beam = plan.electrons if kind == ELECTRON_KIND else plan.photons
    score = np.zeros((3, plan.tables.scene.n_cells + 1))
    arguments = (beam.emission, Histories(1, 0, 1, 2), beam.source, plan.tables, score, np.zeros(N_SUMS))
    ptx = ptx_of(device_function(kind, rows_needed(plan)), *arguments)
    assert ".target sm_80" in ptx
    assert ptx.count(".entry") == 1
    assert atomic_additions(ptx) >= 10  # every line that books
