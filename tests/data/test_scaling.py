"""Scales of series: worked out by hand, of series that are extreme, and as they are kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from elman.data.scaling import Scaler, root_mean_square, spread_of_sizes
from elman.errors import UserError
from elman.runtime.scaling import Scaler as RuntimeScaler

Values = NDArray[np.float32]
ONE, OTHER = np.float32([[3, 10], [-3, 10]]), np.float32([[300, 1000], [300, -1000], [-300, 1000]])


def test_each_series_is_divided_by_its_own_size() -> None:
    scaler = Scaler.fit([ONE, OTHER], "series")
    assert scaler.channels == 2
    # by their own sizes: 1 -1 1 1 -1 and 1 1 1 -1 1, of mean 0.2 and 0.6; sizes halfway from 3 to 300, 10 to 1000
    np.testing.assert_allclose(scaler.mean, [0.2, 0.6, math.log10(30), 2], rtol=1e-6)
    np.testing.assert_allclose(scaler.std, [math.sqrt(0.96), 0.8, 1, 1], rtol=1e-6)
    up, down = 0.8 / math.sqrt(0.96), -1.2 / math.sqrt(0.96)
    np.testing.assert_allclose(scaler(ONE), [[up, 0.5, -1, -1], [down, 0.5, -1, -1]], atol=1e-6)
    np.testing.assert_allclose(scaler(OTHER)[1:], [[up, -2, 1, 1], [down, 0.5, 1, 1]], atol=1e-6)
    assert scaler(ONE).dtype == np.float32
    assert scaler.difference is not None
    wanted = [math.sqrt(8 / 3) / math.sqrt(0.96), math.sqrt(8 / 3) / 0.8, 1, 1]
    np.testing.assert_allclose(scaler.difference, wanted, rtol=1e-6)
    assert scaler.floor is not None
    np.testing.assert_allclose(scaler.floor, [300e-12, 1000e-12], rtol=1e-6)


EXTREME = {
    "zeros": np.zeros((5, 2)),
    "one step": np.ones((1, 2)),
    "no step": np.ones((0, 2)),
    "huge": np.full((4, 2), 1e30),
    "tiny": np.full((4, 2), 1e-30),
    "both": np.tile([1e30, 1e-30], (3, 1)),
    "the largest": np.full((4, 2), np.finfo(np.float32).max),
    "below the floor": np.full((4, 2), 1e-40),
}


@pytest.mark.parametrize("name", EXTREME)
def test_extreme_series_are_finite(name: str) -> None:
    values = EXTREME[name].astype(np.float32)
    others = [np.float32(size) * np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32) for size in (1, 50)]
    for known in (others, [*others, *([values] if len(values) else [])], [values] if len(values) else others):
        scaled = Scaler.fit(known, "series")(values)
        assert scaled.shape == (len(values), 4)
        assert np.isfinite(scaled).all()
        assert (np.abs(scaled[:, :2]) <= 10).all()
        if name == "zeros":  # each step is the same, and what is added to the training part has no say in the sizes
            assert (scaled == scaled[0]).all()


def test_a_level_common_to_all_series_is_taken_away() -> None:
    noise = np.random.default_rng(0).normal(size=(40, 30, 1))
    known = [
        np.float32(size) * (100 + one).astype(np.float32)
        for size, one in zip(np.logspace(-2, 2, 40), noise, strict=True)
    ]
    scaled = np.concatenate([Scaler.fit(known, "series")(one) for one in known])[:, 0]
    assert abs(scaled.mean()) < 1e-2
    assert abs(scaled.std() - 1) < 1e-2


def test_series_of_zeros_have_no_size_that_counts() -> None:
    known = [np.float32(size) * np.ones((5, 1), np.float32) for size in (1, 10, 100)]
    alone, beside = (Scaler.fit(some, "series") for some in (known, [*known, np.zeros((5, 1), np.float32)]))
    np.testing.assert_allclose([beside.mean[1], beside.std[1]], [alone.mean[1], alone.std[1]], rtol=1e-6)


def test_series_of_one_size_tell_nothing_by_it() -> None:
    scaler = Scaler.fit([ONE, ONE[:, ::-1], ONE * np.float32(1.0001)], "series")
    alike = Scaler.fit([ONE, ONE * np.float32(1.0001)], "series")
    assert np.abs(alike(ONE)[:, 2:]).max() < 1e-3
    assert np.abs(scaler(ONE)[:, 2:]).max() > 0.5


def test_how_far_sizes_are_apart() -> None:
    def sized(*sizes: float) -> list[Values]:
        return [np.full((4, 1), size, np.float32) for size in sizes]

    assert spread_of_sizes(sized(*[1.0] * 9, *[300.0] * 2)) == pytest.approx(300)
    assert spread_of_sizes(sized(*[1.0] * 20, 300.0)) == pytest.approx(1)  # one series alone is none of its business
    assert spread_of_sizes(sized(*[0.0] * 9, 5.0, 5.0)) == pytest.approx(1)  # nothing has no size
    assert spread_of_sizes(sized(0.0, 0.0)) == 1
    wide = [np.concatenate(pair, axis=1) for pair in zip(sized(*[2.0] * 4), sized(1, 1, 1000, 1000), strict=True)]
    assert spread_of_sizes(wide) == pytest.approx(1000)
    assert spread_of_sizes(sized(1e-30, 1e-30, 1e30, 1e30)) == pytest.approx(1e60, rel=1e-5)


def test_it_comes_back_as_it_was_in_both_packages(tmp_path: Path) -> None:
    path, scaler = tmp_path / "scaler.json", Scaler.fit([ONE, OTHER, ONE / 7], "series")
    scaler.save(path)
    for found in (Scaler.load(path), RuntimeScaler.load(path)):
        assert found.channels == 2
        for values in (ONE, OTHER, np.zeros((3, 2), np.float32)):
            np.testing.assert_array_equal(found(values), scaler(values))
    plain = Scaler.fit([ONE, OTHER], "channels")
    plain.save(path)
    assert "floor" not in json.loads(path.read_text())
    np.testing.assert_array_equal(RuntimeScaler.load(path)(ONE), plain(ONE))


@pytest.mark.parametrize("floor", [[], [1.0], [1.0] * 4, [1.0, 0.0], [1.0, -1.0], [1.0, 1e300], [1.0, "a"], 3])
@pytest.mark.parametrize("kind", [Scaler, RuntimeScaler])
def test_a_floor_that_no_run_has(kind: Any, floor: Any, tmp_path: Path) -> None:
    path = tmp_path / "scaler.json"
    path.write_text(json.dumps({"mean": [0, 0, 1, 2], "std": [1, 1, 1, 1], "floor": floor}))
    with pytest.raises(UserError, match=r"scaler\.json is damaged") as error:
        kind.load(path)
    assert len(str(error.value).splitlines()) == 1


def test_what_is_no_scale_is_said() -> None:
    with pytest.raises(UserError, match="`scale` is 'auto'; it is one of channels, all, none, series"):
        Scaler.fit([ONE], "auto")  # type: ignore[arg-type]


def test_a_size_is_a_root_mean_square() -> None:
    np.testing.assert_allclose(root_mean_square(np.float32([[3, 0], [4, 0]])), [math.sqrt(12.5), 0])
