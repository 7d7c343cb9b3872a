"""`elman.models.classification.multiscale` in ONNX. T steps, B sequences, I channels; it reads a series as a whole."""

from __future__ import annotations

from torch import nn

from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.layers import layer
from elman.export.onnx.graphs.readout import pool
from elman.export.onnx.graphs.recurrent import inside, recurrent
from elman.models.classification.multiscale import PATCH, MultiScaleClassifier


def multi_scale(g: Graph, model: MultiScaleClassifier, x: Value, lengths: Value) -> Value:
    """Scores (B, C) of x (T, B, I), scaled, and lengths (B,)."""
    both = _with_differences(g, x, lengths, model)
    if model.averaged > 1:
        both = _averaged(g, both, model.averaged)
        lengths = _ceil(lengths, model.averaged)
    read: list[Value] = []
    for number, stride in reversed(list(enumerate(model.strides))):
        module = model.recurrent[number]
        pieces, counts = _patches(g, both, lengths, stride // model.averaged)
        states, last = recurrent(g, module, pieces, [], counts)  # type: ignore[arg-type]
        attention: nn.Module | None = model.attention[number] if len(model.attention) else None
        directions = 2 if module.shape.bidirectional else 1  # type: ignore[union-attr]
        read.append(pool(g, states, last[0], counts, model.readout, attention, {}, directions)[0])
    return layer(g, layer(g, g.join(read, 1), model.head), model.output)


def _with_differences(g: Graph, x: Value, lengths: Value, model: MultiScaleClassifier) -> Value:
    """(T, B, 2 I) the series and its differences from step to step, zero past its end."""
    real = inside(g, x, lengths)
    x = g.op("Where", real, x, 0.0)
    T = g.shape(x, 0)
    before = g.slice(x, 0, -1, 0)
    later = g.op("Where", g.slice(real, 1, T, 0), g.slice(x, 1, T, 0) - before, 0.0)
    first = g.slice(x, 0, 1, 0)
    steps = g.join([first - first, later], 0) / model.difference.cpu().numpy()
    return g.join([x, steps], 2)


def _averaged(g: Graph, both: Value, count: int) -> Value:
    """The mean of every `count` steps; the last ones are filled up with zeros."""
    T = g.shape(both, 0)
    wanted = _ceil(T, count)
    padded = _padded(g, both, g.value([0]), wanted * count - T)
    whole = g.op("Reshape", padded, g.join([wanted, [count], g.shape(both, 1), g.shape(both, 2)], 0))
    return g.op("ReduceMean", whole, [1], keepdims=0)


def _patches(g: Graph, x: Value, lengths: Value, stride: int) -> tuple[Value, Value]:
    """Overlapping pieces (N, B, size * 2 I), one every `stride` steps, and how many each sequence has."""
    size = PATCH * stride
    T, B, columns = (g.shape(x, axis) for axis in range(3))
    N = _ceil(T, stride)
    before = (size - stride) // 2
    padded = _padded(g, x, g.value([before]), N * stride + (size - before) - T)
    pieces = []
    for number in range(PATCH):  # a patch is so many strides, each of which is one of every patch
        own = g.slice(padded, g.value([number * stride]), (N + number) * stride, 0)
        pieces.append(g.op("Reshape", own, g.join([N, [stride], B, columns], 0)))
    whole = g.op("Transpose", g.join(pieces, 1), perm=[0, 2, 3, 1])  # (N, B, 2 I, size)
    return g.op("Reshape", whole, g.join([N, B, [-1]], 0)), _ceil(lengths, stride)


def _padded(g: Graph, x: Value, before: Value, after: Value) -> Value:
    """x (T, B, n) with so many steps (1,) of zeros before and after it."""
    return g.op("Pad", x, g.join([before, [0, 0], after, [0, 0]], 0), 0.0)


def _ceil(count: Value, divisor: int) -> Value:
    """Whole numbers divided and rounded up."""
    return (count + (divisor - 1)) / divisor
