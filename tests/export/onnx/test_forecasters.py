"""Forecasters as graphs: every anchor, output layer and mode, from rows in their own units and back to them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch

from elman.data.timeseries.scaling import SeriesScale, Transform
from elman.export.onnx.graphs.forecaster import forecaster
from elman.export.onnx.running.forecaster import ExportedDirectForecaster, ExportedRecursiveForecaster
from elman.models.config import RecurrentConfig
from elman.models.forecasting.forecaster import DirectForecaster, Layout, RecursiveForecaster
from elman.models.forecasting.heads import Intervals, make_head
from tests.export.onnx.graphs import APART, assert_near, session

T, F, Y, P, K = 12, 4, 2, 1, 3


def scales(count: int, columns: int, transform: Transform = "none") -> list[SeriesScale]:
    rng = np.random.default_rng(0)
    return [
        SeriesScale(transform, rng.normal(size=columns), rng.uniform(0.5, 2, columns), np.ones(Y)) for _ in range(count)
    ]


def direct(intervals: Intervals, **options: Any) -> DirectForecaster:
    torch.manual_seed(0)
    layout = Layout(**({"targets": Y, "past": P, "known": K, "horizon": F, "rows": T, "own": 1} | options))
    size = layout.segment * (layout.targets + layout.past + layout.known)
    head = make_head(intervals, 0.8, "absolute")
    model = DirectForecaster(layout, head, RecurrentConfig(input_size=size, hidden_size=6)).eval()
    with torch.no_grad():
        for name, tensor in (*model.named_buffers(), *model.named_parameters()):
            if name.startswith("line") or name == "output.weight":
                tensor.normal_()
        model.widen.uniform_(-0.5, 0.5)
        if layout.blended:
            model.share.fill_(0.25)
    return model


DIRECT: list[tuple[Intervals, dict[str, Any]]] = [
    ("quantile", {"anchor": "last", "segment": 3}),
    ("gaussian", {"anchor": "none"}),
    ("none", {"anchor": "season", "season": 3}),
    ("quantile", {"anchor": "line", "blended": True}),
    ("quantile", {"anchor": "line", "own": 0}),
    ("none", {"anchor": "last", "past": 0, "known": 0, "own": 0}),
    ("gaussian", {"anchor": "line", "past": 0, "known": 0, "own": 0, "blended": True}),
]


@pytest.mark.parametrize(("intervals", "options"), DIRECT, ids=str)
@torch.no_grad()
def test_all_steps_at_once(intervals: Intervals, options: dict[str, Any]) -> None:
    model = direct(intervals, **options)
    layout = model.layout
    own_columns = layout.targets + layout.past + layout.own
    graph = session(lambda g: forecaster(g, model, scales(2, own_columns)))
    own = ExportedDirectForecaster(graph, model.head, model.widen, 2)
    for B in (1, 5):
        values, known = torch.randn(T, B, Y + layout.past), torch.randn(T + F, B, layout.known)
        (want, bounds), (got, ends) = model.forecast(values, known), own.forecast(values, known)
        assert_near(got, want)
        assert (bounds is None) == (ends is None)
        for one, other in zip(ends or (), bounds or (), strict=True):
            assert_near(one, other)
        if layout.blended:
            with model.alone(), own.alone():
                assert_near(own.forecast(values, known)[0], model.forecast(values, known)[0])


@pytest.mark.parametrize("transform", ["none", "log", "sqrt"])
@torch.no_grad()
def test_from_its_own_units_and_back(transform: Literal["none", "log", "sqrt"]) -> None:
    model = direct("quantile", anchor="last")
    table = scales(3, Y + P + 1, transform)
    graph = session(lambda g: forecaster(g, model, table))
    rng = np.random.default_rng(1)
    raw, known = rng.uniform(1, 9, (T, 3, Y + P)), rng.normal(size=(T + F, 3, K))
    series = np.array([2, 0, 2])
    names = ["forecast", "lower", "upper"]
    got = graph(names, values=raw, known=known, series=series)
    for column, number in enumerate(series.tolist()):
        scale = table[number]
        changed = raw[:, column].copy()
        if transform != "none":
            changed[:, :Y] = np.log(changed[:, :Y]) if transform == "log" else np.sqrt(changed[:, :Y])
        values = (changed - scale.mean[: Y + P]) / scale.std[: Y + P]
        ahead = known[:, column].copy()
        ahead[:, :1] = (ahead[:, :1] - scale.mean[Y + P :]) / scale.std[Y + P :]
        one, other = (torch.from_numpy(part).float().unsqueeze(1) for part in (values, ahead))
        point, bounds = model.forecast(one, other)
        assert bounds is not None
        widen = torch.maximum(model.widen.unsqueeze(1), (bounds[0] - bounds[1]) / 2)
        lower, upper = torch.minimum(bounds[0] - widen, point), torch.maximum(bounds[1] + widen, point)
        for found, want in zip(got, (point, lower, upper), strict=True):
            np.testing.assert_allclose(found[:, column], scale.in_units(want.numpy())[:, 0], rtol=APART, atol=APART)


@pytest.mark.parametrize("anchor", ["none", "last", "season"])
@pytest.mark.parametrize(("intervals", "cell"), [("gaussian", "rnn"), ("none", "lstm"), ("quantile", "gru")])
@pytest.mark.parametrize("known", [0, K])
@torch.no_grad()
def test_one_step_after_the_other(anchor: Any, intervals: Intervals, cell: str, known: int) -> None:
    torch.manual_seed(0)
    layout = Layout(Y, 0, known, F, anchor=anchor, season=3, own=0)
    head = make_head(intervals, 0.8, "absolute")
    shape = RecurrentConfig(input_size=Y + known, hidden_size=6, layers=2, cell=cell)
    model = RecursiveForecaster(layout, head, shape).eval()
    graph = session(lambda g: forecaster(g, model, scales(1, Y)))
    own = ExportedRecursiveForecaster(graph, head, model.widen, 1)
    assert set(graph.outputs) == {"forecast", "scaled_forecast"}
    for B, ahead in ((1, 1), (3, 9)):
        values, later = torch.randn(T, B, Y), torch.randn(T + ahead, B, known)
        (want, bounds), (got, ends) = (one.forecast(values, later, 20, 0.8) for one in (model, own))
        assert_near(got, want)
        assert (bounds is None) == (ends is None)
        for one, other in zip(ends or (), bounds or (), strict=True):
            assert_near(one, other)
