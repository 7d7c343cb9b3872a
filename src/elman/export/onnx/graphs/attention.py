"""`elman.models.attention` in ONNX. S steps of the input, T of the output, B sequences, A units of comparison."""

from __future__ import annotations

from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.layers import layer
from elman.models.attention import Attention


def attend(
    g: Graph, attention: Attention, queries: Value, keys: Value, steps: Value, inside: Value
) -> tuple[Value, Value]:
    """The weighted mean of the input's steps, and the weights.

    Arguments:
        queries: (T, B, Q).
        keys: (S, B, A).
        steps: (S, B, C).
        inside: (S, B) bool.

    Returns:
        (T, B, C) and (B, T, S).
    """
    asked = layer(g, queries, attention.query)  # (T, B, A)
    if attention.score is None:
        rows = g.op("Transpose", asked, perm=[1, 0, 2])
        scores = g.op("MatMul", rows, g.op("Transpose", keys, perm=[1, 2, 0])) * attention.scale
    else:
        both = g.op("Tanh", g.op("Unsqueeze", asked, [1]) + keys)  # (T, S, B, A)
        compared = g.op("Squeeze", layer(g, both, attention.score), [3])
        scores = g.op("Transpose", compared, perm=[2, 0, 1])
    real = g.op("Unsqueeze", g.op("Transpose", inside, perm=[1, 0]), [1])  # (B, 1, S)
    weights = g.op("Softmax", g.op("Where", real, scores, float("-inf")), axis=-1)
    means = g.op("MatMul", weights, g.op("Transpose", steps, perm=[1, 0, 2]))
    return g.op("Transpose", means, perm=[1, 0, 2]), weights
