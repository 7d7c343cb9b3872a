"""Forecasters: anchors, one step after the other, heads, calibration, baselines and errors by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from elman.data.timeseries.scaling import SeriesScale, fit_series
from elman.data.timeseries.table import Roles, TimeSeries
from elman.data.timeseries.windows import Windows, scale_series
from elman.metrics.baselines import LinearOnLags, last_value, seasonal_naive
from elman.metrics.forecasting import Forecasts, coverage, errors
from elman.models.config import RecurrentConfig
from elman.models.forecasting.conformal import RECENT, past_of, recent_widening, scaled_truth
from elman.models.forecasting.forecaster import Anchor, DirectForecaster, Forecaster, Layout, RecursiveForecaster
from elman.models.forecasting.heads import Gaussian, Quantiles, Value
from elman.models.forecasting.inference import ask, ask_scaled, calibrate

T, B, Y, K, F = 8, 5, 2, 3, 6


def batch() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(T, B, Y), torch.randn(T + F, B, K), torch.randn(F, B, Y)


def silenced(model: Forecaster) -> Forecaster:
    torch.nn.init.zeros_(model.output.weight)
    torch.nn.init.zeros_(model.output.bias)
    return model.eval()


@pytest.mark.parametrize("kind", [DirectForecaster, RecursiveForecaster])
@pytest.mark.parametrize("anchor", ["none", "last", "season"])
def test_a_network_that_says_nothing_is_the_naive_forecast(kind: type, anchor: Anchor) -> None:
    values, known, _ = batch()
    shape = RecurrentConfig(input_size=Y + K, hidden_size=7)
    model = silenced(kind(Layout(Y, 0, K, F, 1, anchor, 4), Value("absolute"), shape))
    with torch.no_grad():
        point, bounds = model.forecast(values, known)
    history = values.transpose(0, 1).double().numpy()
    expected = {
        "none": np.zeros((B, F, Y)),
        "last": last_value(history, F),
        "season": seasonal_naive(history, F, 4),
    }[anchor]
    np.testing.assert_allclose(point.transpose(0, 1), expected, atol=1e-6)
    assert bounds is None


@pytest.mark.parametrize("anchor", ["none", "last", "season"])
def test_a_recursive_forecast_feeds_on_itself(anchor: Anchor) -> None:
    values, known, _ = batch()
    shape = RecurrentConfig(input_size=Y + K, hidden_size=7)
    torch.manual_seed(1)
    model = RecursiveForecaster(Layout(Y, 0, K, F, 1, anchor, 4), Value("absolute"), shape).eval()
    with torch.no_grad():
        whole, _ = model.forecast(values, known)
        # The same by asking for one step and taking the answer in as if it had been measured.
        state = values
        for step in range(F):
            one, _ = model.forecast(state, known[: T + step + 1])
            state = torch.cat([state, one])
    torch.testing.assert_close(state[T:], whole, atol=1e-5, rtol=1e-4)


def test_teacher_forcing_scores_the_step_that_forecast_makes() -> None:
    values, known, future = batch()
    shape = RecurrentConfig(input_size=Y + K, hidden_size=7)
    model = RecursiveForecaster(Layout(Y, 0, K, 1, 1, "last", 1), Value("absolute"), shape).eval()
    with torch.no_grad():
        short, _ = model(values, known[: T + 1], future[:1])
        shorter, _ = model(values[:, :, :], known[: T + 1], model.forecast(values, known[: T + 1])[0])
        point, _ = model.forecast(values, known[: T + 1])
    torch.testing.assert_close(short - shorter, (future[:1] - point).abs().sum(), atol=1e-4, rtol=1e-4)


def test_segments_read_every_row() -> None:
    values, known, _ = batch()
    shape = RecurrentConfig(input_size=4 * (Y + K), hidden_size=7)
    model = DirectForecaster(Layout(Y, 0, K, F, 4, "last", 1), Value("absolute"), shape).eval()
    values.requires_grad_()
    model.forecast(values, known)[0].sum().backward()
    assert values.grad is not None
    assert bool((values.grad != 0).all())


def test_heads() -> None:
    target = torch.tensor([1.0, -1.0])
    numbers = torch.tensor([[0.0, 2.0, -2.0], [0.0, -2.0, 2.0]])  # the second pair of quantiles has crossed
    quantiles = Quantiles(0.8)
    low, high = quantiles.interval(numbers)
    assert low.tolist() == [-2, -2]
    assert high.tolist() == [2, 2]
    # at 1: 0.5 * 1 + 0.9 * 1 (for q = 0.1, forecast 2) + 0.9 * 3 (for q = 0.9, forecast -2)
    assert quantiles.loss(numbers, target)[0] == pytest.approx(0.5 + 0.9 + 2.7)
    gaussian = Gaussian(0.8)
    wide = torch.tensor([[0.0, 0.5413]])  # softplus(0.5413) = 1
    low, high = gaussian.interval(wide)
    assert high.item() == pytest.approx(1.2816, abs=5e-3)
    assert gaussian.loss(wide, torch.tensor([0.0])).item() == pytest.approx(0.919, abs=5e-3)


def walk(count: int = 400) -> tuple[Windows, object]:
    values = np.cumsum(np.random.default_rng(0).normal(size=count))[:, None] * 3 + 50
    series = TimeSeries("", pd.date_range("2020-01-01", periods=count, freq="D"), values, np.zeros((count, 0)))
    fitted = fit_series([series], [300], Roles("day", ("y",)), "D", 7, (), "none")
    return Windows.within([scale_series(series, fitted, "t")], [(300, count)], T, F, 1), fitted.scales[""]


def test_calibrated_intervals_cover_what_they_say() -> None:
    windows, _ = walk(600)
    model = silenced(
        DirectForecaster(Layout(1, 0, 0, F, 1, "last"), Quantiles(0.8), RecurrentConfig(input_size=1, hidden_size=3))
    )
    with torch.no_grad():
        calibrate(model, windows, 0.8)
        _, bounds = ask_scaled(model, windows, 0.8)
        assert bounds is not None
        assert torch.equal(bounds[0], bounds[1])  # no width of its own
        truth = torch.from_numpy(scaled_truth(windows))
        inside = ((truth - bounds[0]).abs() <= model.widen).double().mean(dim=0)
    np.testing.assert_allclose(inside, 0.8, atol=0.01)
    assert bool((model.widen[1:] > model.widen[:-1]).all())  # a walk strays with every step


def test_drawn_futures_of_a_walk_spread_as_its_square_root() -> None:
    windows, scale = walk()
    model = silenced(
        RecursiveForecaster(Layout(1, 0, 0, F, 1, "last"), Gaussian(0.8), RecurrentConfig(input_size=1, hidden_size=3))
    )
    with torch.no_grad():
        forecasts = ask(model, windows, 0.8, lambda number, scaled: scale.in_units(scaled))  # type: ignore[attr-defined]
    assert forecasts.lower is not None
    assert forecasts.upper is not None
    width = (forecasts.upper - forecasts.lower).mean(axis=(0, 2))
    np.testing.assert_allclose(width / width[0], np.sqrt(np.arange(1, F + 1)), rtol=0.1)


def flat(windows: Windows) -> Forecaster:
    """A network that says the last value and no width."""
    layout = Layout(windows.targets, 0, 0, windows.horizon, 1, "last")
    return silenced(DirectForecaster(layout, Quantiles(0.8), RecurrentConfig(input_size=1, hidden_size=3)))


def growing_calm(count: int) -> tuple[Windows, Windows, SeriesScale]:
    """Windows of a series that is ten times calmer in its second half: those of the second half, and all."""
    noise = np.random.default_rng(0).normal(size=count) * np.where(np.arange(count) < count // 2, 10, 1)
    series = TimeSeries("", pd.date_range("2020-01-01", periods=count), noise[:, None], np.zeros((count, 0)))
    fitted = fit_series([series], [count], Roles("day", ("y",)), "D", 7, (), "none")
    scaled = [scale_series(series, fitted, "t")]
    asked, past = (Windows.within(scaled, [(begin, count)], T, F, 1) for begin in (count // 2 + 500, 0))
    return asked, past, fitted.scales[""]


def test_intervals_follow_the_most_recent_errors() -> None:
    asked, past, scale = growing_calm(3000)
    model = flat(asked)
    with torch.no_grad():
        calibrate(model, past, 0.8)
        steady, moving = (
            coverage(ask(model, asked, 0.8, lambda _, scaled: scale.in_units(scaled), known), asked.truth())
            for known in (None, past)
        )
    assert steady["coverage"] > 0.95
    assert moving["coverage"] == pytest.approx(0.8, abs=0.02)
    assert moving["width"] < steady["width"] / 2


def test_recent_errors_are_those_that_were_known_when_the_forecast_was_made() -> None:
    generator = torch.Generator().manual_seed(0)
    past = np.stack([np.arange(400) % 2, np.arange(400) // 2 + 10], axis=1)  # two series in turn, origins 10 to 209
    places = np.array([[0, 150], [1, 180], [0, 60]])
    missed, otherwise = torch.randn(400, F, 1, generator=generator), torch.full((F, 1), 7.0)
    found = recent_widening(missed, past, places, 0.8, otherwise)
    changed = missed.clone()
    for series, origin in places[:2].tolist():
        known = missed[(past[:, 0] == series) & (past[:, 1] + F <= origin)]
        assert len(known) > 100
        rank = int(np.ceil((len(known) + 1) * 0.8))
        torch.testing.assert_close(found[series], known.sort(dim=0).values[rank - 1])
        changed[(past[:, 0] == series) & (past[:, 1] + F > origin)] = 1e6  # what came later, or comes within it
    assert torch.equal(recent_widening(changed, past, places, 0.8, otherwise), found)
    assert torch.equal(found[2], otherwise)  # fewer than a hundred lie before it
    old = missed.clone()
    old[:20] = 1e6
    many = np.array([[0, 30 + RECENT + F]])
    whole = np.stack([np.zeros(400, dtype=int), np.arange(400)], axis=1)
    assert torch.equal(*(recent_widening(one, whole, many, 0.8, otherwise) for one in (old, missed)))
    assert len(past_of(Windows([], T, F, 1, many), Windows([], T, F, 1, whole))) == RECENT


def test_a_line_is_found_again() -> None:
    time = np.arange(60.0)
    wave = np.sin(time / 3) + 0.1 * time
    history = np.stack([wave[i : i + 6] for i in range(50)])[..., None]
    future = np.stack([wave[i + 6 : i + 9] for i in range(50)])[..., None]
    np.testing.assert_allclose(LinearOnLags(history[:30], future[:30])(history[30:]), future[30:], atol=1e-6)


def test_errors_by_hand() -> None:
    forecast, truth = np.array([[[1.0], [0.0]]]), np.array([[[3.0], [0.0]]])
    found = errors(forecast, truth, np.array([[4.0]]))
    assert found == pytest.approx({"mae": 1.0, "rmse": np.sqrt(2), "mase": 0.25, "smape": 50.0})
    inside = coverage(Forecasts(forecast, forecast - 1, forecast + 1), truth)
    assert inside == {"coverage": 0.5, "width": 2.0}
    assert coverage(Forecasts(forecast), truth) == {}
