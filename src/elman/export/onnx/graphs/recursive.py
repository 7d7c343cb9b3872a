"""A recursive forecaster in ONNX: each forecast is the next input, in a Scan over the steps to come.

T rows, F steps ahead, B windows, Y targets, K known-future columns, Q numbers a forecast.
"""

from __future__ import annotations

import numpy as np

from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.layers import layer
from elman.export.onnx.graphs.recurrent import recurrent
from elman.models.forecasting.forecaster import RecursiveForecaster
from elman.models.forecasting.heads import LEAST_STD, Gaussian

END = np.iinfo(np.int64).max


def recursive_forecaster(g: Graph, model: RecursiveForecaster, values: Value, known: Value | None) -> Value:
    """(F, B, Y) scaled, from values (T, B, Y) and known (T + F, B, K); F is the length of the input `noise`."""
    layout, lag = model.layout, model.lag
    start = np.zeros((layout.horizon, 1, layout.targets), np.float32)
    noise = g.input("noise", "float32", ["F", "B or 1", layout.targets], start)
    T, B = g.shape(values, 0), g.shape(values, 1)
    F = g.shape(noise, 0)
    noise = g.op("Expand", noise, g.join([F, B, [layout.targets]], 0))
    rows = [_difference(g, values, lag)]
    scanned = [noise]
    if known is not None:
        rows.append(g.op("Slice", known, [1], T + 1, [0]))
        # after the last step nothing is known, and nothing is asked: the last row stands in
        ahead = g.join([g.op("Slice", known, T + 1, [END], [0]), g.slice(known, -1, END, 0)], 0)
        scanned.append(ahead)
    hidden, state = recurrent(g, model.recurrent, g.join(rows, 2), [])
    numbers = layer(g, g.op("Squeeze", g.slice(hidden, -1, END, 0), [0]), model.output)  # (B, Y Q)
    past = [g.slice(values, -lag, END, 0)] if lag else []  # (lag, B, Y)
    first = [numbers, *state, *past]
    with g.block() as block:
        numbers, *rest = (g.inner(f"carried{number}") for number in range(len(first)))
        given = [g.inner(f"given{number}") for number in range(len(scanned))]
        step = _answer(g, model, numbers, given[0])  # (B, Y)
        state, past = rest[: len(state)], rest[len(state) :]
        relative = step
        if past:
            seen = past[0]
            step = step + g.op("Squeeze", g.slice(seen, 0, 1, 0), [0])
            seen = g.join([g.slice(seen, 1, END, 0), g.op("Unsqueeze", step, [0])], 0)
            relative = step - g.op("Squeeze", g.slice(past[0], 0, 1, 0), [0])
            past = [seen]
        inputs = g.op("Unsqueeze", g.join([relative, *given[1:]], 1), [0])
        hidden, after = recurrent(g, model.recurrent, inputs, state)
        numbers_after = layer(g, g.op("Squeeze", hidden, [0]), model.output)
        body = g.close(block, [numbers, *rest, *given], [numbers_after, *after, *past, step])
    found = g.ops("Scan", *first, *scanned, outputs=len(first) + 1, body=body, num_scan_inputs=len(scanned))
    return found[-1]


def _answer(g: Graph, model: RecursiveForecaster, numbers: Value, noise: Value) -> Value:
    """The next step (B, Y) from numbers (B, Y Q) and noise (B, Y)."""
    Y, Q = model.layout.targets, model.head.size
    apart = g.op("Reshape", numbers, [0, Y, Q])
    point = g.op("Squeeze", g.slice(apart, 0, 1, 2), [2])
    if not isinstance(model.head, Gaussian):
        return point + noise * 0.0
    std = g.op("Softplus", g.op("Squeeze", g.slice(apart, 1, 2, 2), [2])) + LEAST_STD
    return point + std * noise


def _difference(g: Graph, values: Value, lag: int) -> Value:
    """Values less those `lag` rows before; 0 for the first rows."""
    if not lag:
        return values
    first = g.slice(values, 0, lag, 0)
    return g.join([first - first, g.slice(values, lag, END, 0) - g.slice(values, 0, -lag, 0)], 0)
