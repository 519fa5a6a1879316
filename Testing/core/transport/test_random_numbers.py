import numba
import numpy as np

from RPTDosimetryLib.transport.random_numbers import start_history, uniform


@numba.njit
def draw(seed, first, histories, each):
    numbers = np.empty((histories, each))
    rng = np.zeros(1, np.uint64)
    for history in range(histories):
        start_history(rng, seed, first + history)
        for column in range(each):
            numbers[history, column] = uniform(rng)
    return numbers


def test_numbers_are_uniform_and_uncorrelated():
    numbers = draw(1, 0, 40_000, 8)
    error = 1 / np.sqrt(numbers.size)
    assert abs(numbers.mean() - 0.5) < 4 * error / np.sqrt(12)
    assert abs(numbers.var() - 1 / 12) < 4 * error / np.sqrt(180)
    counts = np.histogram(numbers, bins=64, range=(0, 1))[0]
    assert np.sum((counts - counts.mean()) ** 2) / counts.mean() < 64 + 4 * np.sqrt(2 * 64)
    within = np.corrcoef(numbers.T) - np.eye(8)
    between = np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]
    assert max(np.abs(within).max(), abs(between)) < 5 / np.sqrt(len(numbers))


def test_a_history_has_the_same_numbers_however_the_run_is_split():
    np.testing.assert_array_equal(draw(7, 0, 10, 5)[6:], draw(7, 6, 4, 5))


def test_seeds_differ():
    assert np.intersect1d(draw(1, 0, 100, 5), draw(2, 0, 100, 5)).size == 0
