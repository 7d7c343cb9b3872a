"""A language model in ONNX. T steps, B sequences, V tokens.

Inputs: `tokens` (T, B), and the state, zero where it is left out. Outputs: `logits` (T, B, V) of each next token, and
the state after the last step: a text is written by calls of one step, the state of one being the input of the next.
"""

from __future__ import annotations

from elman.export.onnx.graph import Graph
from elman.export.onnx.graphs.layers import embedding, layer
from elman.export.onnx.graphs.recurrent import recurrent, state_inputs
from elman.models.language_model import LanguageModel


def language_model(g: Graph, model: LanguageModel) -> None:
    """Write a `LanguageModel`."""
    shape, names = model.recurrent.shape, model.recurrent.kind.state
    tokens = g.input("tokens", "int64", ["T", "B"])
    state = state_inputs(g, shape, names)
    hidden, last = recurrent(g, model.recurrent, embedding(g, tokens, model.embedding.weight), state)
    g.output(layer(g, hidden, model.decoder), "logits", "float32", ["T", "B", model.decoder.out_features])
    for name, part in zip(names, last, strict=True):
        g.output(part, f"next_{name}", "float32", [shape.layers, "B", shape.hidden_size])
