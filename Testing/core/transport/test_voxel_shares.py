"""Batches of a voxel run: exact sums however they are split, targets, checkpoints, stopping, regions."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPTDosimetryLib.errors import CancelledError, TransportError
from RPTDosimetryLib.grid import Grid
from RPTDosimetryLib.physics.materials import material
from RPTDosimetryLib.transport.voxel_case import VoxelCase, voxel_source
from RPTDosimetryLib.transport.voxel_dose import error_reached
from RPTDosimetryLib.transport.voxel_run import VoxelMonteCarlo, simulate_voxels
from RPTDosimetryLib.transport.voxel_settings import ErrorTarget, VoxelRunSettings
from RPTDosimetryLib.transport.voxel_tally import VoxelTally, empty_tally
from RPTDosimetryLib.transport.voxel_watch import Keeping

SHAPE = (6, 7, 8)
SETTINGS = VoxelRunSettings(decays=2e4, batch_decays=2e3, flattening=0.3)


@pytest.fixture(scope="module")
def case():
    """A hot box in a warm one, bone on one side of it."""
    tia = np.full(SHAPE, 1e8)
    tia[2:4, 2:4, 2:4] = 3e9
    medium = np.zeros(SHAPE, np.uint8)
    medium[:, :, 6:] = 1
    density = np.where(medium == 1, 1.5, 1.04)
    return VoxelCase(
        tia, density, medium, [material("schneider_soft"), material("schneider_bone3")], Grid(SHAPE, (4.8, 4.8, 4.8))
    )


@pytest.fixture(scope="module")
def regions():
    hot, bone = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    hot[2:4, 2:4, 2:4] = True
    bone[:, :, 6:] = True
    return {"hot": hot, "bone": bone}


def same(one, other):
    for name in ("electron_gy", "photon_gy", "standard_error_gy"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.regions == other.regions
    assert (one.escaped_j, one.simulated_j, one.batches) == (other.escaped_j, other.simulated_j, other.batches)


def test_shares_in_any_split_and_order_give_the_run_bit_for_bit(case, regions, tmp_path):
    whole = simulate_voxels("Lu-177", case, SETTINGS, regions=regions)
    run = VoxelMonteCarlo("Lu-177", case, SETTINGS, regions)
    shares = [run.share(part) for part in ((7, 2, 9), (0,), (1, 3, 4, 5, 6, 8))]
    shares[1].save(tmp_path / "share.npz")  # as another machine would hand it over
    shares[1] = VoxelTally.load(tmp_path / "share.npz")
    first = shares.pop()
    for other in shares:
        first.merge(other)
    same(run.dose(first), whole)
    assert not np.array_equal(
        simulate_voxels("Lu-177", case, VoxelRunSettings(**(vars(SETTINGS) | {"seed": 2}))).total_gy, whole.total_gy
    )


def test_shares_that_overlap_or_belong_to_another_run_are_refused(case):
    run = VoxelMonteCarlo("Lu-177", case, SETTINGS)
    share = run.share([0, 1])
    with pytest.raises(TransportError, match="overlap"):
        share.merge(run.share([1, 2]))
    other = VoxelMonteCarlo("Lu-177", case, VoxelRunSettings(decays=2e4, batch_decays=2e3, seed=5))
    with pytest.raises(TransportError, match="different runs"):
        share.merge(other.share([2]))
    with pytest.raises(TransportError, match="another case"):
        other.dose(share)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.floats(0, 1e6), min_size=3, max_size=3), min_size=2, max_size=12), st.randoms())
def test_the_tally_holds_means_and_spread_exactly(energies_kev, shuffled):
    """Sums and sums of squares of whole quanta: those of Python's own integers, in any order."""
    tally = empty_tally("key", 3, 1e7, [])
    order = list(range(len(energies_kev)))
    shuffled.shuffle(order)
    quanta = []
    for number in order:
        score = np.zeros((3, 3))
        score[0, :] = energies_kev[number]
        score[1, :] = energies_kev[number][::-1]
        quanta.append([round(e / tally.quantum_kev) for e in energies_kev[number]])
        tally.add_batch(number, score, (1.0, 1.0), (0.0, 0.0), {})
        assert not score.any()
    both = [[a + b for a, b in zip(row, row[::-1], strict=True)] for row in quanta]
    for cell in range(3):
        assert int(tally.electron[cell]) + int(tally.photon[cell]) == sum(row[cell] for row in both)
        exact = sum(row[cell] ** 2 for row in both)
        assert (int(tally.squared_high[cell]) << 40) + int(tally.squared_low[cell]) == exact


def test_a_batch_is_counted_once():
    tally = empty_tally("key", 2, 1e5, [])
    tally.add_batch(0, np.ones((3, 2)), (1.0, 1.0), (1.0, 1.0), {})
    with pytest.raises(TransportError, match="counted already"):
        tally.add_batch(0, np.ones((3, 2)), (1.0, 1.0), (1.0, 1.0), {})


def test_flatter_sampling_is_unbiased_and_helps_cold_voxels(case, regions):
    """Same means within errors, voxel by voxel and in regions; smaller errors where little activity is."""
    runs = [
        simulate_voxels("Lu-177", case, VoxelRunSettings(4e5, flattening=f, seed=seed), regions=regions)
        for f, seed in ((0.0, 1), (0.6, 2))
    ]
    plain, flat = runs
    variance = plain.standard_error_gy.astype(float) ** 2 + flat.standard_error_gy.astype(float) ** 2
    chi2 = ((plain.total_gy.astype(float) - flat.total_gy) ** 2 / variance).mean()
    assert chi2 == pytest.approx(1.0, abs=0.25)  # 336 voxels, 40 batches each
    for name in regions:
        one, other = plain.regions[name], flat.regions[name]
        assert abs(one.mean_gy - other.mean_gy) < 4 * np.hypot(one.standard_error_gy, other.standard_error_gy)
    cold = ~regions["hot"]
    gain = (plain.standard_error_gy[cold] / flat.standard_error_gy[cold]) ** 2
    assert np.median(gain) > 1.3
    assert plain.regions["hot"].relative_error < flat.regions["hot"].relative_error


def test_weights_make_up_for_the_sampling(case):
    for flattening in (0.0, 0.25, 0.9):
        source = voxel_source(case, flattening)
        chance = np.diff(source.cumulative, prepend=0.0)
        np.testing.assert_allclose(chance * source.weight, case.tia_bq_s.ravel() / case.decays, rtol=1e-9)
        assert source.weight.max() <= 1 / (1 - flattening) + 1e-12


def test_the_error_of_a_region_is_the_spread_of_repeated_runs(case, regions):
    """With covariances: electrons that leave one voxel of it enter another."""
    runs = [
        simulate_voxels("Lu-177", case, VoxelRunSettings(1e4, batch_decays=500, seed=seed), regions=regions)
        for seed in range(24)
    ]
    for name in regions:
        spread = np.std([run.regions[name].mean_gy for run in runs], ddof=1)
        said = np.sqrt(np.mean([run.regions[name].standard_error_gy ** 2 for run in runs]))
        assert said == pytest.approx(spread, rel=0.4)  # a spread of 24 runs is known to 15 %
        mass = case.mass_kg[regions[name]]
        by_voxel = np.average(runs[0].total_gy[regions[name]], weights=mass)
        assert runs[0].regions[name].mean_gy == pytest.approx(by_voxel, rel=1e-6)


@pytest.mark.parametrize("target", [ErrorTarget(0.05), ErrorTarget(0.004, ("hot",))])
def test_a_run_stops_at_its_target_and_always_at_the_same_number(case, regions, target):
    wanted = VoxelRunSettings(decays=1e7, batch_decays=2e3, target=target)
    dose = simulate_voxels("Lu-177", case, wanted, regions=regions)
    assert error_reached(dose, target) <= target.relative_error
    assert 20 <= dose.batches < 2000
    before = simulate_voxels(
        "Lu-177", case, VoxelRunSettings(2e3 * dose.batches / 2, batch_decays=2e3), regions=regions
    )
    if dose.batches > 20:
        assert error_reached(before, target) > target.relative_error
    same(simulate_voxels("Lu-177", case, wanted, regions=regions), dose)


def test_a_stopped_run_goes_on_from_its_checkpoint_to_the_same_dose(case, regions, tmp_path):
    path = tmp_path / "run.npz"
    wanted = VoxelRunSettings(decays=3e6, batch_decays=2e4)
    whole = simulate_voxels("Lu-177", case, wanted, regions=regions)

    def after_some():
        return path.exists() and len(VoxelTally.load(path).batches) >= 2

    with pytest.raises(CancelledError, match=r"run\.npz: the same command goes on"):
        simulate_voxels(
            "Lu-177", case, wanted, regions=regions, cancelled=after_some, keeping=Keeping(path, checkpoint_s=0.0)
        )
    assert 2 <= len(VoxelTally.load(path).batches) < 150
    same(simulate_voxels("Lu-177", case, wanted, regions=regions, keeping=Keeping(path)), whole)
    longer = VoxelRunSettings(decays=4e6, batch_decays=2e4)  # more of the same run, later
    extended = simulate_voxels("Lu-177", case, longer, regions=regions, keeping=Keeping(path))
    same(extended, simulate_voxels("Lu-177", case, longer, regions=regions))


def test_a_stopped_run_with_a_target_ends_where_it_would_have(case, regions, tmp_path):
    path = tmp_path / "run.npz"
    wanted = VoxelRunSettings(decays=1e8, batch_decays=2e4, target=ErrorTarget(0.0006, ("hot",)))
    whole = simulate_voxels("Lu-177", case, wanted, regions=regions)
    assert whole.batches > 60

    def in_the_third_round():
        tally = VoxelTally.load(path)
        return tally.heading_for > 40 and len(tally.batches) > 42

    with pytest.raises(CancelledError):
        simulate_voxels(
            "Lu-177", case, wanted, regions=regions, cancelled=in_the_third_round,
            keeping=Keeping(path, checkpoint_s=0.0),
        )  # fmt: skip
    same(simulate_voxels("Lu-177", case, wanted, regions=regions, keeping=Keeping(path)), whole)


def test_stopping_takes_less_than_a_second(case):
    """Batches of a million decays, stopped at once."""
    started, asked = time.monotonic(), []

    def soon():
        asked.append(time.monotonic())
        return len(asked) > 3

    with pytest.raises(CancelledError):
        simulate_voxels("Lu-177", case, VoxelRunSettings(1e8, batch_decays=1e6), cancelled=soon)
    assert time.monotonic() - asked[-1] < 1.0
    assert asked[0] - started < 60.0


def test_interim_doses_are_those_of_what_is_done(case, regions):
    shown = []
    dose = simulate_voxels(
        "Lu-177", case, VoxelRunSettings(4e6, batch_decays=1e5), regions=regions,
        keeping=Keeping(interim=shown.append, interim_s=0.0),
    )  # fmt: skip
    assert shown
    assert all(5 <= one.batches <= dose.batches for one in shown)
    for one in shown:
        apart = np.abs(one.total_gy - dose.total_gy)
        assert np.mean(apart < 5 * one.standard_error_gy) > 0.97  # errors of five batches are rough


def test_progress_tells_decays_and_error(case):
    told = []
    wanted = VoxelRunSettings(1e6, batch_decays=1e4, target=ErrorTarget(0.02))
    simulate_voxels("Lu-177", case, wanted, progress=lambda fraction, text: told.append((fraction, text)))
    assert all(0 <= fraction <= 1 for fraction, _ in told)
    assert any("decays" in text for _, text in told)
    assert told[-1][0] == 1.0


def test_a_finer_density_grid_gives_the_dose_of_the_coarse_one_where_it_is_the_same(case, regions):
    """fold = 2: every voxel in eight, same density and medium; and energy per mass where they differ."""
    coarse = simulate_voxels("Lu-177", case, VoxelRunSettings(2e5), regions=regions)

    def finer(values):
        return np.repeat(np.repeat(np.repeat(values, 2, 0), 2, 1), 2, 2)

    fine_case = VoxelCase(
        finer(case.tia_bq_s) / 8, finer(case.density_g_per_cm3), finer(case.medium), case.materials,
        case.grid.refined(2), fold=2,
    )  # fmt: skip
    fine = simulate_voxels("Lu-177", fine_case, VoxelRunSettings(2e5, seed=3), regions=regions)
    assert fine.total_gy.shape == SHAPE
    variance = coarse.standard_error_gy.astype(float) ** 2 + fine.standard_error_gy.astype(float) ** 2
    assert ((coarse.total_gy.astype(float) - fine.total_gy) ** 2 / variance).mean() == pytest.approx(1.0, abs=0.3)
    absorbed_j = float((fine.total_gy.astype(float) * fine_case.mass_kg).sum())
    assert absorbed_j == pytest.approx(fine.simulated_j - fine.escaped_j, rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"decays": 0}, "decays"),
        ({"decays": 1e14}, "decays"),
        ({"photon_share": 0}, "photon share"),
        ({"flattening": 1.0}, "flattening"),
        ({"seed": -1}, "seed"),
        ({"device": "tpu"}, "cpu nor cuda"),
        ({"batch_decays": 10}, "batch"),
        ({"decays": 1e13, "batch_decays": 1e3}, "more than 1000000 batches"),
    ],
)
def test_impossible_settings_say_what_is_wrong(wrong, said):
    with pytest.raises(TransportError, match=said):
        VoxelRunSettings(**wrong)


def test_impossible_targets_and_regions_are_refused(case):
    with pytest.raises(TransportError, match="An error to reach"):
        ErrorTarget(0.0)
    with pytest.raises(TransportError, match="no such region"):
        VoxelMonteCarlo("Lu-177", case, VoxelRunSettings(target=ErrorTarget(0.01, ("liver",))))
    with pytest.raises(TransportError, match="no voxel with matter"):
        VoxelMonteCarlo("Lu-177", case, SETTINGS, {"nothing": np.zeros(SHAPE, bool)})
    with pytest.raises(TransportError, match="blocks of 4"):
        VoxelCase(*(vars(case)[n] for n in ("tia_bq_s", "density_g_per_cm3", "medium", "materials", "grid")), fold=4)


def test_any_other_file_is_no_checkpoint(case, tmp_path):
    path = tmp_path / "notes.npz"
    path.write_text("not a checkpoint", encoding="utf-8")
    with pytest.raises(TransportError, match="not a checkpoint"):
        simulate_voxels("Lu-177", case, SETTINGS, keeping=Keeping(path))
    assert path.read_text(encoding="utf-8") == "not a checkpoint"
