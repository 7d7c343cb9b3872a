"""`elman.models.readout.pool` in ONNX, and what it carries from chunk to chunk of a stream. T steps, B sequences."""

from __future__ import annotations

import numpy as np
from torch import nn

from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.layers import layer
from elman.export.onnx.graphs.recurrent import inside
from elman.models.config import Readout

NOTHING = {"sum": 0.0, "max": -np.inf, "steps": 0.0, "top": -np.inf, "weights": 0.0}
"""What is carried before the first step, by name: the sum and the largest of the states (B, D), how many steps there
were (B, 1), the largest score of attention and the sum of the weights (B, 1)."""
CARRIED = {
    "last": (),
    "sum": ("sum",),
    "mean": ("sum", "steps"),
    "max": ("max",),
    "mean-max": ("sum", "steps", "max"),
    "attention": ("sum", "top", "weights"),
}
"""What each readout carries, beside the recurrent state."""


def carried_inputs(g: Graph, readout: Readout, size: int, ending: str) -> dict[str, Value]:
    """The inputs of what a readout of D = `size` numbers carries; as before the first step where they are not given."""
    found = {}
    for name in CARRIED[readout]:
        numbers = width(name, size)
        start = np.full((1, numbers), NOTHING[name], np.float32)
        found[name] = g.input(f"state_{name}{ending}", "float32", ["B or 1", numbers], start)
    return found


def width(name: str, size: int) -> int:
    """How many numbers of a sequence are carried under a name, for states of `size`."""
    return size if name in ("sum", "max") else 1


def pool(
    g: Graph,
    states: Value,  # (T, B, D), zero past a sequence's end
    last: Value,  # (L * directions, B, H)
    lengths: Value,  # (B,)
    readout: Readout,
    attention: nn.Module | None,
    carried: dict[str, Value],
    directions: int,
) -> tuple[Value, dict[str, Value]]:
    """One vector for each sequence, and what is carried on.

    Arguments:
        carried: of the chunk before; empty where the whole sequence is here.
    """
    if readout == "last":
        ends = g.slice(last, -directions, np.iinfo(np.int64).max, 0)
        return g.op("Reshape", g.op("Transpose", ends, perm=[1, 0, 2]), g.join([g.shape(last, 1), [-1]], 0)), {}
    real = inside(g, states, lengths)
    new: dict[str, Value] = {}
    if attention is not None:
        return _attended(g, states, real, attention, carried)
    if "max" in readout:
        largest = g.op("ReduceMax", g.op("Where", real, states, float("-inf")), [0], keepdims=0)
        new["max"] = g.op("Max", largest, carried["max"]) if carried else largest
    if readout == "max":
        return new["max"], new
    total = g.op("ReduceSum", states, [0], keepdims=0)
    new["sum"] = total + carried["sum"] if carried else total
    if readout == "sum":
        return new["sum"], new
    steps = g.op("Unsqueeze", g.cast(lengths, "float32"), [1])
    new["steps"] = steps + carried["steps"] if carried else steps
    mean = new["sum"] / g.op("Max", new["steps"], 1.0)
    return (mean if readout == "mean" else g.join([mean, new["max"]], 1)), new


def _attended(
    g: Graph, states: Value, real: Value, attention: nn.Module, carried: dict[str, Value]
) -> tuple[Value, dict[str, Value]]:
    """The weighted mean, with weights exp(score - top): the softmax of all chunks together."""
    scores = g.op("Where", real, layer(g, states, attention), float("-inf"))  # (T, B, 1)
    top = g.op("ReduceMax", scores, [0], keepdims=0)
    top = g.op("Max", top, carried["top"]) if carried else top
    weights = g.op("Exp", scores - top)
    total = g.op("ReduceSum", weights * states, [0], keepdims=0)
    size = g.op("ReduceSum", weights, [0], keepdims=0)
    if carried:
        fade = g.op("Exp", carried["top"] - top)
        total, size = total + carried["sum"] * fade, size + carried["weights"] * fade
    return total / size, {"sum": total, "top": top, "weights": size}
