"""A transcriber in ONNX. T steps, B recordings, I values a step, V symbols and the blank as symbol 0.

Inputs: `x` (T, B, I), `lengths` (B,), and in one direction the state; all but x may be left out. Outputs:
`log_probabilities` (T, B, V + 1), for CTC, and the state after the last step.
"""

from __future__ import annotations

from elman.data.scaling import Scaler
from elman.export.onnx.graph import Graph
from elman.export.onnx.graphs.layers import layer
from elman.export.onnx.graphs.recurrent import lengths_input, recurrent, state_inputs
from elman.export.onnx.graphs.scales import scaled
from elman.models.transcriber import Transcriber


def transcriber(g: Graph, model: Transcriber, *, scaler: Scaler | None = None) -> None:
    """Write a `Transcriber`.

    Arguments:
        scaler: of the I values.
    """
    module, shape = model.recurrent, model.recurrent.shape
    x = g.input("x", "float32", ["T", "B", shape.input_size])
    lengths = lengths_input(g, x)
    state = [] if shape.bidirectional else state_inputs(g, shape, module.kind.state)
    states, last = recurrent(g, module, scaled(g, x, lengths, scaler), state, lengths)
    scores = g.op("LogSoftmax", layer(g, states, model.output), axis=-1)
    g.output(scores, "log_probabilities", "float32", ["T", "B", model.output.out_features])
    for name, part in zip(module.kind.state, last, strict=True) if state else ():
        g.output(part, f"next_{name}", "float32", [shape.layers, "B", shape.hidden_size])
