"""The point lies inside its interval: 200 random series of every frequency, each head, mode and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from elman.data.timeseries.forecasting import Cutting, SourceSeries, cut_and_scale
from elman.data.timeseries.roles import Roles
from elman.data.timeseries.table import TimeSeries
from elman.metrics.forecasting import Forecasts
from elman.models.config import RecurrentConfig
from elman.models.forecasting.conformal import enough_of
from elman.models.forecasting.forecaster import Anchor, DirectForecaster, Forecaster, Layout, RecursiveForecaster
from elman.models.forecasting.heads import make_head
from elman.models.forecasting.inference import ask, ask_scaled, calibrate, learn_from_validation

FREQUENCIES = ("h", "D", "W", "MS", "QS", "30min", "YS", "B", "min", "1")


def random_series(seed: int) -> TimeSeries:
    """A walk, a wave, a growth or spikes, on some level, of some size, with holes in every fifth."""
    generator = np.random.default_rng(seed)
    rows = int(generator.integers(130, 200))
    time = np.arange(rows)
    shapes = [
        np.cumsum(generator.normal(size=rows)),
        np.sin(time / generator.uniform(1, 9)) + 0.1 * generator.normal(size=rows),
        np.exp(time / 60 + 0.1 * generator.normal(size=rows)),
        generator.exponential(size=rows) ** 3,
    ]
    level, least = ((0.0, -7), (1e9, -2), (-1e-3, -9))[int(generator.integers(3))]
    values = level + 10.0 ** generator.integers(least, 7) * shapes[seed % 4]
    frequency = FREQUENCIES[seed % len(FREQUENCIES)]
    dates = pd.date_range("2000-01-01", periods=rows, freq=frequency) if frequency != "1" else pd.RangeIndex(rows)
    observed = generator.random((rows, 1)) > 0.05 if seed % 5 == 0 else None
    return TimeSeries("", dates, values[:, None], np.zeros((rows, 0)), observed)


def untrained(kind: str, head: str, anchor: Anchor, blended: bool, seed: int) -> Forecaster:
    torch.manual_seed(seed)
    layout = Layout(1, 0, 0, 4, 1, anchor, 3, rows=8, blended=blended)
    shape = RecurrentConfig(input_size=1, hidden_size=4)
    made: Any = RecursiveForecaster if kind == "recursive" else DirectForecaster
    model: Forecaster = made(layout, make_head(head, 0.8, "absolute"), shape)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        if blended:
            model.output.weight.normal_()
            model.share.fill_(0.25)  # type: ignore[operator]
    return model.eval()


CASES: list[tuple[str, str, Anchor, bool]] = [
    ("direct", "quantile", "last", False),
    ("direct", "quantile", "season", True),
    ("direct", "gaussian", "line", True),
    ("recursive", "gaussian", "last", False),
]


@pytest.mark.parametrize("case", CASES)
def test_the_point_lies_inside_its_interval(case: tuple[str, str, Anchor, bool]) -> None:
    for seed in range(CASES.index(case), 200, len(CASES)):
        one = random_series(seed)
        cutting = Cutting("none", (), 1, 8, 4, 0.3, 0.1, "times")
        data = cut_and_scale(SourceSeries((one,), Roles("t", ("y",)), FREQUENCIES[seed % 10], "auto", "t"), cutting)
        model, scale = untrained(*case, seed), data.fitted.scales[""]
        with torch.no_grad():
            for calibration in ("none", "validation", "recent"):
                if calibration == "validation":
                    calibrate(model, data.validation, 0.8)
                past = data.held if calibration == "recent" else None
                found = ask(model, data.test, 0.8, lambda _, scaled, scale=scale: scale.in_units(scaled), past)
                assert found.lower is not None
                assert found.upper is not None
                assert (found.lower <= found.point).all()
                assert (found.point <= found.upper).all()


def test_forecasts_outside_their_interval_cannot_be_made() -> None:
    point = np.zeros((1, 2, 1))
    Forecasts(point, point, point)
    with pytest.raises(ValueError, match="outside"):
        Forecasts(point, point + 1, point + 2)
    with pytest.raises(ValueError, match="outside"):
        Forecasts(point, point - 2, point - 1)


def test_a_share_of_the_network_moves_the_interval_with_its_point() -> None:
    model = untrained("direct", "quantile", "last", True, 0)
    values = torch.randn(8, 5, 1)
    known = torch.zeros(12, 5, 0)
    with torch.no_grad():
        point, (low, high) = model.forecast(values, known)  # type: ignore[misc]
        model.share.fill_(1.0)  # type: ignore[operator]
        whole, (whole_low, whole_high) = model.forecast(values, known)  # type: ignore[misc]
        with model.alone():  # type: ignore[operator]
            anchor, _ = model.forecast(values, known)
    torch.testing.assert_close(anchor, values[-1:].expand(4, 5, 1))
    torch.testing.assert_close(point, anchor + 0.25 * (whole - anchor))
    torch.testing.assert_close(high - low, whole_high - whole_low)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == "direct"])
def test_validation_asks_the_network_once(case: tuple[str, str, Anchor, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    one = random_series(3)
    cutting = Cutting("none", (), 1, 8, 4, 0.3, 0.1, "times")
    data = cut_and_scale(SourceSeries((one,), Roles("t", ("y",)), FREQUENCIES[0], "auto", "t"), cutting)
    model, scale, windows = untrained(*case, 3), data.fitted.scales[""], data.validation
    assert isinstance(model, DirectForecaster)
    asked: list[int] = []
    numbers = model.numbers
    monkeypatch.setattr(model, "numbers", lambda *given: asked.append(given[0].shape[1]) or numbers(*given))
    blended = (lambda _, scaled: scale.in_units(scaled), np.ones((len(windows), 1))) if case[3] else None
    with torch.no_grad():
        found = learn_from_validation(model, windows, 0.8, blended=blended, calibrated=True)
        assert sum(asked) == len(windows)
        again = ask_scaled(model, windows, 0.8)
        assert torch.equal(found[0], again[0])
        assert found[1] is not None
        assert again[1] is not None
        assert all(map(torch.equal, found[1], again[1]))
        assert bool(model.widen.any())
        if case[3]:
            asked.clear()
            with model.alone():
                ask_scaled(model, windows, 0.8)
            assert not asked


def test_what_was_filled_in_calibrates_nothing() -> None:
    scores = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    holed = torch.cat([scores, torch.full((30, 3), torch.nan)])[torch.randperm(80)]
    torch.testing.assert_close(enough_of(holed, 0.8, 0), enough_of(scores, 0.8, 0))
