"""Which earlier forecasts an interval is widened by, and passages of windows that stand for all."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from elman.data.timeseries.windows import PASSAGES, Windows
from elman.models.forecasting.conformal import RECENT, past_of

HORIZON = 5


def windows_at(places: list[tuple[int, int]] | NDArray[np.int64]) -> Windows:
    return Windows((), 10, HORIZON, 1, np.array(places, np.int64).reshape(-1, 2))


def asked_for(windows: Windows, past: Windows) -> set[tuple[int, int]]:
    """By the definition: the RECENT last windows of the same series that ended before one begins."""
    found: set[tuple[int, int]] = set()
    for series, origin in windows.places.tolist():
        ended = [(s, o) for s, o in past.places.tolist() if s == series and o + HORIZON <= origin]
        found |= set(ended[-RECENT:])
    return found


@pytest.mark.parametrize("seed", range(6))
def test_past_windows_are_those_that_are_read(seed: int) -> None:
    generator = np.random.default_rng(seed)
    past = windows_at([(series, origin) for series in range(3) for origin in range(50, 50 + 500 * (series + 1))])
    chosen = np.sort(generator.choice(len(past), 8 if seed % 2 else 300, replace=False))
    windows = windows_at(past.places[chosen])
    found = [(int(series), int(origin)) for series, origin in past_of(windows, past).places]
    assert found == sorted(asked_for(windows, past))


def test_passages_are_runs_that_reach_from_end_to_end() -> None:
    whole = windows_at([(0, origin) for origin in range(10_000)])
    some = whole.passages(160)
    assert len(some) == 160
    rows = some.places[:, 1]
    assert (rows[0], rows[-1]) == (0, 9_999)
    assert (np.diff(rows) > 1).sum() == PASSAGES - 1
    assert whole.passages(0) is whole
    assert whole.passages(20_000) is whole


@pytest.mark.parametrize("count", [2, 17, 20, 1000])
def test_passages_hold_as_many_windows_as_asked_for(count: int) -> None:
    whole = windows_at([(0, origin) for origin in range(count)])
    for most in range(1, count):
        rows = whole.passages(most).places[:, 1]
        assert len(rows) == most
        assert (np.diff(rows) > 0).all()
        assert rows[0] == 0
        assert rows[-1] == count - 1 or most == 1
        assert (np.diff(rows) > 1).sum() <= PASSAGES - 1
