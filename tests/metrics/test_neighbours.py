"""Nearest neighbours, against distances worked out cell by cell."""

import numpy as np
import pytest

from elman.metrics.neighbours import nearest_accuracy, resampled, straight_distances, warped_distances


def warped_by_hand(one: np.ndarray, other: np.ndarray, reach: int) -> float:
    steps = len(one)
    table = np.full((steps + 1, steps + 1), np.inf)
    table[0, 0] = 0
    for i in range(steps):
        for j in range(max(0, i - reach), min(steps, i + reach + 1)):
            cost = float(((one[i] - other[j]) ** 2).sum())
            table[i + 1, j + 1] = cost + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return float(table[steps, steps])


@pytest.mark.parametrize(("band", "reach"), [(0.1, 1), (0.3, 3), (1.0, 10)])
def test_warping_is_the_table_of_sakoe_and_chiba(band: float, reach: int) -> None:
    generator = np.random.default_rng(0)
    queries = generator.normal(size=(3, 10, 2)).astype(np.float32)
    others = generator.normal(size=(4, 10, 2)).astype(np.float32)
    expected = [[warped_by_hand(one, other, reach) for other in others] for one in queries]
    np.testing.assert_allclose(warped_distances(queries, others, band), expected, rtol=1e-5)


def test_straight_distances() -> None:
    one, other = np.array([[[0.0], [3.0]]], np.float32), np.array([[[4.0], [3.0]], [[0.0], [3.0]]], np.float32)
    np.testing.assert_allclose(straight_distances(one, other), [[16.0, 0.0]], atol=1e-12)


def test_series_of_any_length_are_compared_at_as_many_places() -> None:
    series = [np.array([[0.0], [2.0]], np.float32), np.array([[7.0]], np.float32)]
    np.testing.assert_allclose(resampled(series, 3)[:, :, 0], [[0, 1, 2], [7, 7, 7]])


def test_an_infinite_distance_is_no_neighbour() -> None:
    distances = np.array([[np.inf, 5.0], [1.0, 2.0]])
    assert nearest_accuracy(distances, np.array([1, 1]), np.array([0, 1])) == 0.5
