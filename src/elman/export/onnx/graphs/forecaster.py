"""Forecasters in ONNX, from rows in their own units to forecasts in them. T rows, F steps ahead, B windows, N series.

Inputs: `values` (T, B, Y + P) and, where the run has such columns, `known` (T + F, B, K), the calendar's last, both in
their own units; `series` (B,), the numbers of the series whose scales count (N: the values are scaled already).
Outputs: `forecast`, and with intervals `lower` and `upper` (F, B, Y), in the targets' own units; the same scaled, and
before validation's widening, as `scaled_forecast`, `scaled_lower` and `scaled_upper`.
A recursive forecaster takes `noise` (F, B, Y) in place of giving intervals: normal numbers, by which each step departs
from the forecast; F is its length. Zeros, which stand in where it is not given, make the forecast itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.data.timeseries.scaling import SeriesScale
from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.layers import layer
from elman.export.onnx.graphs.recurrent import recurrent
from elman.export.onnx.graphs.recursive import recursive_forecaster
from elman.export.onnx.graphs.scales import Scales
from elman.models.forecasting.forecaster import DirectForecaster, Forecaster, RecursiveForecaster
from elman.models.forecasting.heads import LEAST_STD, Gaussian, Quantiles

END = np.iinfo(np.int64).max


def forecaster(g: Graph, model: Forecaster, scales: Sequence[SeriesScale]) -> None:
    """Write a `DirectForecaster` or a `RecursiveForecaster`.

    Arguments:
        scales: of the N series, in their order.
    """
    layout = model.layout
    measured = layout.targets + layout.past
    values = g.input("values", "float64", ["T", "B", measured])
    table = Scales(g, scales, measured, layout.targets)
    scaled, known = table.scaled(values), None
    if layout.known:
        columns = g.input("known", "float64", ["T + F", "B", layout.known])
        known = table.scaled_known(columns, layout.own)
    if isinstance(model, RecursiveForecaster):
        points = recursive_forecaster(g, model, scaled, known)
        _give(g, table, {"forecast": points}, "F", layout.targets)
        return
    assert isinstance(model, DirectForecaster)
    _direct(g, model, table, scaled, known)


def _direct(g: Graph, model: DirectForecaster, table: Scales, values: Value, known: Value | None) -> None:
    layout = model.layout
    T = g.shape(values, 0)
    numbers = _numbers(g, model, values, known, T)
    anchors = _anchors(g, model, values, known, T)
    point = g.op("Squeeze", g.slice(numbers, 0, 1, 3), [3])
    if layout.blended:
        plain = anchors
        anchors = _plus(anchors, point * (float(model.share) - 1.0))
    found = {"forecast": _plus(anchors, point)}
    ends = interval(g, model, numbers)
    if ends is not None and layout.blended and not bool(model.interval_spread):
        found |= {name: g.op("Identity", found["forecast"]) for name in ("lower", "upper")}
    elif ends is not None:
        found |= {"lower": _plus(anchors, ends[0]), "upper": _plus(anchors, ends[1])}
    _give(g, table, found, layout.horizon, layout.targets, model.widen.cpu().numpy()[:, None])
    if layout.blended:
        zero = point * 0.0
        g.output(_plus(plain, zero), "scaled_anchor", "float32", [layout.horizon, "B", layout.targets])


def _plus(anchors: Value | None, numbers: Value) -> Value:
    return numbers if anchors is None else numbers + anchors


def _give(
    g: Graph, table: Scales, found: dict[str, Value], F: int | str, Y: int, widen: np.ndarray | None = None
) -> None:
    """The outputs: what was found, scaled, and widened in its own units."""
    final = dict(found)
    if "lower" in found:
        point, lower, upper = found["forecast"], found["lower"], found["upper"]
        wide = g.op("Max", widen, (lower - upper) * 0.5)  # narrowed to the point at most
        final["lower"] = g.op("Min", lower - wide, point)
        final["upper"] = g.op("Max", upper + wide, point)
    for name, value in final.items():
        g.output(table.in_units(value), name, "float64", [F, "B", Y])
    for name, value in found.items():
        g.output(value, f"scaled_{name}", "float32", [F, "B", Y])


def interval(g: Graph, model: Forecaster, numbers: Value) -> tuple[Value, Value] | None:
    """The ends (F, B, Y) of the intervals in numbers (F, B, Y, Q); None where there are none."""
    if isinstance(model.head, Quantiles):
        low, high = (g.op(kind, numbers, [3], keepdims=0) for kind in ("ReduceMin", "ReduceMax"))
        return low, high
    if isinstance(model.head, Gaussian):
        point = g.op("Squeeze", g.slice(numbers, 0, 1, 3), [3])
        half = std_of(g, numbers) * model.head.width
        return point - half, point + half
    return None


def std_of(g: Graph, numbers: Value) -> Value:
    """(F, B, Y) the standard deviations of a Gaussian's numbers (F, B, Y, 2)."""
    return g.op("Softplus", g.op("Squeeze", g.slice(numbers, 1, 2, 3), [3])) + LEAST_STD


def _numbers(g: Graph, model: DirectForecaster, values: Value, known: Value | None, T: Value) -> Value:
    """What the head takes, (F, B, Y, Q), relative to the anchor."""
    layout, B = model.layout, g.shape(values, 1)
    rows = [_relative(g, model, values, T)]
    if known is not None:
        rows.append(g.op("Slice", known, [0], T, [0]))
    segments = g.join(rows, 2)
    if layout.segment > 1:
        count = T / layout.segment
        apart = g.op("Reshape", segments, g.join([count, [layout.segment], B, [-1]], 0))
        segments = g.op("Reshape", g.op("Transpose", apart, perm=[0, 2, 1, 3]), g.join([count, B, [-1]], 0))
    _, state = recurrent(g, model.recurrent, segments, [])
    read = [g.op("Squeeze", g.slice(state[0], -1, END, 0), [0])]
    if known is not None:
        ahead = g.op("Transpose", g.op("Slice", known, T, [END], [0]), perm=[1, 0, 2])
        read.append(g.op("Reshape", ahead, g.join([B, [layout.horizon * layout.known]], 0)))
    answers = layer(g, g.join(read, 1), model.output)
    apart = g.op("Reshape", answers, g.join([B, [layout.horizon, layout.targets, model.head.size]], 0))
    return g.op("Transpose", apart, perm=[1, 0, 2, 3])


def _relative(g: Graph, model: DirectForecaster, values: Value, T: Value) -> Value:
    layout = model.layout
    targets = g.slice(values, 0, layout.targets, 2)
    if layout.anchor in ("last", "line"):
        targets = targets - g.slice(targets, -1, END, 0)
    elif layout.anchor == "season":
        before = g.slice(targets, 0, -layout.season, 0)
        first = g.slice(targets, 0, layout.season, 0)
        targets = g.join([first - first, g.slice(targets, layout.season, END, 0) - before], 0)
    return g.join([targets, g.slice(values, layout.targets, END, 2)], 2) if layout.past else targets


def _anchors(g: Graph, model: DirectForecaster, values: Value, known: Value | None, T: Value) -> Value | None:
    """(F, B, Y) what the answers are added to; None for nothing."""
    layout = model.layout
    targets = g.slice(values, 0, layout.targets, 2)
    if layout.anchor == "none":
        return None
    if layout.anchor == "line":
        line = g.op("Einsum", g.weight(model.line_weight), targets, equation="yft,tby->fby")
        line = line + model.line_bias.T.unsqueeze(1).cpu().numpy()
        if known is None:
            return line
        if layout.own:
            own = g.slice(g.op("Slice", known, [0], T, [0]), 0, layout.own, 2)
            line = line + g.op("Einsum", g.weight(model.line_known), own, equation="yftu,tbu->fby")
        ahead = g.op("Slice", known, T, [END], [0])
        return line + g.op("Einsum", g.weight(model.line_ahead), ahead, equation="yfk,fbk->fby")
    count = layout.season if layout.anchor == "season" else 1
    last = g.slice(targets, -count, END, 0)
    repeated = g.op("Tile", last, [-(-layout.horizon // count), 1, 1])
    return g.slice(repeated, 0, layout.horizon, 0)
