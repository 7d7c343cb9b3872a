"""The layers that stand before and after the recurrence, in evaluation mode: dropout is left out. (..., D) numbers."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from elman.errors import UserError
from elman.export.onnx.graph import SHIFT, Graph, Value
from elman.models.dropout import LockedDropout
from elman.models.small_init import OUTPUT_GAIN, FastOutput, ScaledOutput


def linear(g: Graph, x: Value, weight: Tensor, bias: Tensor | None = None) -> Value:
    """x (..., I), weight (O, I) and bias (O,) to (..., O).

    In int8 it is a product of integers: the input's scale is found as it comes, from all its numbers together.
    """
    stored, scale = g.packed(weight)
    if scale is None:
        product = g.op("MatMul", x, g.op("Transpose", g.weight(weight), perm=[1, 0]))
    else:
        quantised, size, zero = g.ops("DynamicQuantizeLinear", x, outputs=3)
        columns = g.op("Transpose", g.cast(g.cast(stored, "int32") + np.int32(SHIFT), "uint8"), perm=[1, 0])
        whole = g.op("MatMulInteger", quantised, columns, zero, np.uint8(SHIFT))
        product = g.cast(whole, "float32") * (size * g.op("Reshape", scale, [-1]))
    return product if bias is None else product + g.weight(bias)


def embedding(g: Graph, ids: Value, weight: Tensor) -> Value:
    """ids (...) and a table (V, E) to (..., E); the rows are unpacked after they are taken."""
    stored, scale = g.packed(weight)
    rows = g.op("Gather", stored, ids, axis=0)
    if g.precision == "float32":
        return rows
    rows = g.cast(rows, "float32")
    return rows if scale is None else rows * g.op("Gather", scale, ids, axis=0)


def layer(g: Graph, x: Value, module: nn.Module) -> Value:
    """What a layer without a state makes of x.

    Raises:
        UserError: a layer that has no form here.
    """
    match module:
        case FastOutput():
            return linear(g, x, module.weight, module.bias) * OUTPUT_GAIN
        case nn.Linear():
            return linear(g, x, module.weight, module.bias)
        case nn.Embedding():
            return embedding(g, x, module.weight)
        case ScaledOutput():
            return x * OUTPUT_GAIN
        case nn.ReLU():
            return g.op("Relu", x)
        case nn.Identity() | nn.Dropout() | LockedDropout():
            return x
        case nn.Sequential():
            for inner in module:
                x = layer(g, x, inner)
            return x
    raise UserError(f"a layer of the class {type(module).__name__} has no form in ONNX; leave it out of the model")
