"""The networks: shapes, sizes, physical sense; patches and losses."""

import numpy as np
import pytest

from RPTDosimetryLib.prediction.gan_losses import discriminator_loss, generator_loss, voxel_loss
from RPTDosimetryLib.prediction.gan_networks import build_discriminator, build_generator, parameter_count
from RPTDosimetryLib.prediction.gan_patches import PatchSource
from RPTDosimetryLib.prediction.gan_patients import read_gan_patients
from RPTDosimetryLib.prediction.gan_settings import PATCH, GanSettings

ORGAN_NAMES = ("kidneys", "liver", "spleen")

torch = pytest.importorskip("torch", reason="needs the extra [dl]")


#: Of tissue without outline and of two organs [Gy/GBq per SUV at 70 kg].
DOSE_PER_UPTAKE = [0.02, 0.05, 0.01]


def random_patch(seed, count=2):
    rng = np.random.default_rng(seed)
    uptake = rng.lognormal(0, 1, (count, 1, PATCH, PATCH, PATCH))
    hu = rng.uniform(-1000, 500, uptake.shape)
    organ = rng.integers(0, 3, uptake.shape)
    return torch.from_numpy(np.concatenate([uptake, hu, organ], axis=1).astype(np.float32))


def disturbed(generator, size=0.3):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return generator


def test_generator_gives_one_dose_a_voxel_and_has_the_documented_size():
    generator = build_generator(16, seed=1, gy_per_gbq_per_uptake=[1.0] * 15)
    assert parameter_count(generator) == 1_643_777
    assert generator(random_patch(0, 1)).shape == (1, 1, PATCH, PATCH, PATCH)


def test_discriminator_judges_four_cubed_overlapping_cubes_of_a_patch():
    discriminator = build_discriminator(32, seed=1)
    assert parameter_count(discriminator) == 665_185
    assert discriminator(random_patch(0), torch.rand(2, 1, PATCH, PATCH, PATCH)).shape == (2, 1, 4, 4, 4)


def test_no_weights_give_a_negative_dose_or_dose_in_air():
    inputs = random_patch(1)
    dose = disturbed(build_generator(4, seed=1, gy_per_gbq_per_uptake=DOSE_PER_UPTAKE))(inputs)
    air = inputs[:, 1:2] < -950
    assert air.any()
    assert dose.min() >= 0
    assert dose[air].max() == 0


def test_untrained_generator_is_the_plain_projection_organ_by_organ():
    inputs = random_patch(2)
    dose = build_generator(4, seed=1, gy_per_gbq_per_uptake=DOSE_PER_UPTAKE)(inputs)
    tissue = inputs[:, 1:2] >= -950
    projected = torch.tensor(DOSE_PER_UPTAKE)[inputs[:, 2:].long()] * inputs[:, :1]
    assert torch.allclose(dose[tissue], projected[tissue], atol=0.05 * 0.003)


def test_learned_gain_stays_within_its_bound():
    inputs = random_patch(3)
    inputs[:, :2].clamp_(min=0.5)
    with torch.no_grad():
        generator = disturbed(build_generator(4, seed=1, gy_per_gbq_per_uptake=[1.0] * 3), size=1.0)
        generator.leave.bias[1] = -1e9
        generator.leave.weight[1] = 0.0
        gain = generator(inputs) / inputs[:, :1]
    assert gain.max() <= np.exp(5.0) * 1.001
    assert gain.min() >= np.exp(-5.0) * 0.999


def test_same_seed_same_network():
    first, second, other = (build_generator(4, seed, DOSE_PER_UPTAKE).state_dict() for seed in (7, 7, 8))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["enter.weight"], other["enter.weight"])


def test_voxel_loss_is_zero_for_the_truth_and_counts_tissue_only():
    dose = torch.rand(2, 1, 8, 8, 8)
    body = torch.zeros_like(dose, dtype=torch.bool)
    body[:, :, :4] = True
    assert voxel_loss(dose, dose, body, 0.3, 1.0).abs().max() == 0
    wrong_in_air = torch.where(body, dose, dose + 5.0)
    assert voxel_loss(wrong_in_air, dose, body, 0.3, 1.0).abs().max() == 0


def test_voxel_loss_of_ten_percent_is_as_its_formula_says():
    dose, body = torch.full((1, 1, 4, 4, 4), 2.0), torch.ones(1, 1, 4, 4, 4, dtype=torch.bool)
    got = voxel_loss(1.1 * dose, dose, body, scale=0.5, log_weight=2.0)
    assert got.item() == pytest.approx(0.2 / 0.5 + 2.0 * np.log((2.2 / 0.5 + 0.004) / (2.0 / 0.5 + 0.004)), rel=1e-5)


def test_hinge_loss_is_zero_once_both_verdicts_are_right_by_one():
    assert discriminator_loss(torch.tensor([1.5]), torch.tensor([-1.0])).item() == 0
    assert discriminator_loss(torch.tensor([0.0]), torch.tensor([0.0])).item() == 2
    assert generator_loss(torch.tensor([0.25])).item() == -0.25


def test_patches_hold_the_voxels_of_their_patients_mirrored_and_turned(blob_patients):
    patients = {p.name: p for p in read_gan_patients(blob_patients)}
    source = PatchSource(list(patients.values()), ORGAN_NAMES, GanSettings(), torch.device("cpu"))
    plain = source.patches((1, 2), 6, varied=False)
    for number, name in enumerate(plain.names):
        who, corner = name.split(", patch at (z, y, x) = ")
        z, y, x = (slice(n, n + PATCH) for n in eval(corner))
        assert np.array_equal(plain.dose[number, 0].numpy(), patients[who].dose_gy_per_gbq[z, y, x])
        assert np.array_equal(plain.inputs[number, 1].numpy(), patients[who].hu[z, y, x])
    varied = source.patches((1, 2), 6)
    assert varied.names == plain.names
    assert not torch.equal(varied.dose, plain.dose)
    assert torch.equal(varied.dose.flatten(1).sort().values, plain.dose.flatten(1).sort().values)


def test_outlines_are_hidden_organ_by_organ_in_the_stated_share(blob_patients):
    patients = read_gan_patients(blob_patients)
    source = PatchSource(patients, ORGAN_NAMES, GanSettings(organ_drop=0.3), torch.device("cpu"))
    shown = {number: [] for number in (1, 2, 3)}
    for seed in range(40):
        plain, varied = (source.patches((seed,), 4, varied=v) for v in (False, True))
        for one, other in zip(plain.inputs[:, 2], varied.inputs[:, 2], strict=True):
            for number, found in shown.items():
                if (one == number).any():
                    assert (other == number).sum() in (0, (one == number).sum())
                    found.append(bool((other == number).any()))
    for found in shown.values():
        assert np.mean(found) == pytest.approx(0.7 * 0.7, abs=0.13)


def test_without_outlines_an_organ_number_is_never_seen(blob_patients):
    source = PatchSource(
        read_gan_patients(blob_patients), ORGAN_NAMES, GanSettings(organ_drop=1.0), torch.device("cpu")
    )
    assert not source.patches((1,), 8).inputs[:, 2].any()


def test_all_eight_symmetries_of_a_slice_occur(blob_patients):
    source = PatchSource(
        read_gan_patients(blob_patients)[:1], ORGAN_NAMES, GanSettings(organ_share=0.0), torch.device("cpu")
    )
    source._shapes[:] = PATCH  # one corner only, so that every patch is the same cube
    seen = {source.patches((seed,), 1).inputs[0, 0, :, 3, 5].numpy().tobytes() for seed in range(150)}
    assert len(seen) == 16  # eight in the slice, each with z as it is or mirrored


def test_same_number_gives_the_same_patches(blob_patients):
    source = PatchSource(read_gan_patients(blob_patients), ORGAN_NAMES, GanSettings(), torch.device("cpu"))
    first, again, next_ = source.patches((1, 1, 5), 3), source.patches((1, 1, 5), 3), source.patches((1, 1, 6), 3)
    assert torch.equal(first.inputs, again.inputs)
    assert first.names == again.names != next_.names
