"""The scales of series in ONNX: from their own units to what a network reads, and a forecaster's back, in float64.

N series, T rows, B windows or sequences, Y targets, P past covariates, K known-future ones of the user's own; of a
classifier I channels and W numbers in a scaled step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from elman.data.scaling import Scaler
from elman.data.timeseries.scaling import SeriesScale, Transform
from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.recurrent import inside


def scaled(g: Graph, x: Value, lengths: Value, scaler: Scaler | None) -> Value:
    """x (T, B, I) as the network reads it, (T, B, W); lengths: (B,). As it is where there is no scaler."""
    if scaler is None:
        return x
    if scaler.floor is None:
        return (x - scaler.mean) / scaler.std
    wide = g.cast(g.op("Where", inside(g, x, lengths), x, 0.0), "float64")
    steps = g.op("Unsqueeze", g.cast(g.op("Max", lengths, [1]), "float64"), [0, 2])
    size = g.op("Sqrt", g.op("ReduceSum", wide * wide, [0], keepdims=1) / steps)  # (1, B, I)
    size = g.op("Max", size, scaler.floor.astype(np.float64))
    level = g.op("Expand", g.op("Log", size) / np.float64(math.log(10)), g.op("Shape", wide))
    both = g.join([wide / size, level], 2)
    mean, std = scaler.mean.astype(np.float64), scaler.std.astype(np.float64)
    return g.cast((both - mean) / std, "float32")


class Scales:
    """The scales of all series as one table, whose last row leaves values as they are: they are scaled already.

    Arguments:
        scales: of the N series.
        measured: Y + P.
        targets: Y.
    """

    def __init__(self, g: Graph, scales: Sequence[SeriesScale], measured: int, targets: int) -> None:
        columns = len(scales[0].mean)
        self.g, self.measured, self.targets = g, measured, targets
        self.transform: Transform = scales[0].transform
        series = g.input("series", "int64", ["B or 1"], np.array([0]))
        self._mean = g.op("Gather", np.stack([*(one.mean for one in scales), np.zeros(columns)]), series, axis=0)
        self._std = g.op("Gather", np.stack([*(one.std for one in scales), np.ones(columns)]), series, axis=0)
        self._own = g.op("Unsqueeze", g.op("Less", series, len(scales)), [1])  # (B, 1) whether there is a scale

    def scaled(self, values: Value) -> Value:
        """(T, B, Y + P) in their own units as the network reads them, float32."""
        g, Y = self.g, self.targets
        if self.transform != "none":
            targets = g.slice(values, 0, Y, 2)
            changed = g.op("Log" if self.transform == "log" else "Sqrt", targets)
            targets = g.op("Where", self._own, changed, targets)
            values = g.join([targets, g.slice(values, Y, np.iinfo(np.int64).max, 2)], 2)
        mean, std = (g.slice(part, 0, self.measured, 1) for part in (self._mean, self._std))
        return g.cast((values - mean) / std, "float32")

    def scaled_known(self, known: Value, own: int) -> Value:
        """(R, B, K + the calendar's columns) as the network reads them, float32; the calendar's stay as they are."""
        g, end = self.g, np.iinfo(np.int64).max
        calendar = g.slice(known, own, end, 2)
        if not own:
            return g.cast(calendar, "float32")
        mean, std = (g.slice(part, self.measured, end, 1) for part in (self._mean, self._std))
        return g.cast(g.join([(g.slice(known, 0, own, 2) - mean) / std, calendar], 2), "float32")

    def in_units(self, scaled: Value) -> Value:
        """Targets (F, B, Y) in their own units again, float64."""
        g, Y = self.g, self.targets
        mean, std = (g.slice(part, 0, Y, 1) for part in (self._mean, self._std))
        values = g.cast(scaled, "float64") * std + mean
        if self.transform == "none":
            return values
        if self.transform == "log":
            back = g.op("Exp", values)
        else:
            positive = g.op("Max", values, np.float64(0))
            back = positive * positive
        return g.op("Where", self._own, back, values)
