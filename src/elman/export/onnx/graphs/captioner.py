"""A captioner in ONNX, called in two ways. B pictures, D numbers of a picture, N texts, V words.

With `features` (B, D), or `pictures` (B, 224, 224, 3) where the network that sees is inside, it looks: outputs are the
first state and, where the picture is given at every step, `next_memory` (1, B, E). With `tokens` (N,) it writes: the
state, `state_h` (L, N, H), and `state_memory` go in, `logits` (N, V) of the next word and the state come out. The first
token is the begin mark.
"""

from __future__ import annotations

import numpy as np

from elman.data.image.io import SIDE
from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.layers import embedding, layer
from elman.export.onnx.graphs.recurrent import recurrent, state_inputs, widened
from elman.export.onnx.graphs.squeezenet import squeezenet
from elman.export.onnx.graphs.two_ways import Part, two_ways
from elman.models.captioner import Captioner
from elman.models.squeezenet import SqueezeNet

MEMORY = "memory"


def captioner(g: Graph, model: Captioner, begin: int, sees: SqueezeNet | None = None) -> None:
    """Write a `Captioner`.

    Arguments:
        begin: the begin mark.
        sees: what made the features; then pictures may be given in their place.
    """
    names, shape = model.recurrent.kind.state, model.recurrent.shape
    E, D = model.embedding.embedding_dim, len(model.mean)
    features = g.input("features", "float32", ["B or 0", D], np.zeros((0, D), np.float32))
    if sees is not None:
        features = _seen(g, sees, features)
    tokens = g.input("tokens", "int64", ["N or 1"], np.array([begin]))
    state = state_inputs(g, shape, names)
    memory = []
    if model.every is not None:
        memory = [g.input(f"state_{MEMORY}", "float32", [1, "N or 1", E], np.zeros((1, 1, E), np.float32))]
    parts = [Part(f"next_{name}", "float32", (shape.layers, "N", shape.hidden_size)) for name in names]
    kept = [Part(f"next_{MEMORY}", "float32", (1, "N", E))] if memory else []
    said = [Part("logits", "float32", ("N", model.output.out_features))]
    two_ways(
        g,
        features,
        lambda: _look(g, model, features),
        lambda: _write(g, model, tokens, state, memory),
        parts,
        kept,
        said,
    )


def _seen(g: Graph, sees: SqueezeNet, features: Value) -> Value:
    """(B, D) the features of pictures, or those that are given."""
    pictures = g.input("pictures", "uint8", ["B or 0", SIDE, SIDE, 3], np.zeros((0, SIDE, SIDE, 3), np.uint8))
    with g.block() as block:
        looks = g.close(block, [], [squeezenet(g, sees, pictures)])
    with g.block() as block:
        takes = g.close(block, [], [features])
    return g.op("If", g.op("Greater", g.op("Size", pictures), 0), then_branch=looks, else_branch=takes)


def _look(g: Graph, model: Captioner, features: Value) -> tuple[list[Value], list[Value]]:
    """State and memory before the first word."""
    shape = model.recurrent.shape
    scaled = g.op("Unsqueeze", (features - model.mean.cpu().numpy()) / model.spread.cpu().numpy(), [0])  # (1, B, D)
    B = g.shape(features, 0)
    zero = g.value(np.zeros((shape.layers, 1, shape.hidden_size), np.float32))
    state = widened(g, [zero] * len(model.recurrent.kind.state), B)
    if model.initial is not None:
        flat = g.op("Tanh", layer(g, scaled, model.initial))
        rows = g.op("Reshape", flat, g.join([B, [shape.layers, shape.hidden_size]], 0))
        state = [g.op("Transpose", rows, perm=[1, 0, 2]), *state[1:]]
    memory = [g.op("Tanh", layer(g, scaled, model.every))] if model.every is not None else []
    if model.first is not None:
        _, state = recurrent(g, model.recurrent, g.join([layer(g, scaled, model.first), *memory], 2), state)
    return state, memory


def _write(
    g: Graph, model: Captioner, tokens: Value, state: list[Value], memory: list[Value]
) -> tuple[list[Value], list[Value]]:
    """The state after a word, and the logits of the next one."""
    tokens = g.op("Expand", tokens, g.shape(state[0], 1))  # the begin mark, where it is not given, for all
    word = g.op("Unsqueeze", embedding(g, tokens, model.embedding.weight), [0])
    beside = widened(g, memory, g.shape(tokens, 0))
    hidden, last = recurrent(g, model.recurrent, g.join([word, *beside], 2), state)
    said = g.op("Squeeze", hidden, [0])
    return last, [layer(g, layer(g, said, model.narrow), model.output)]
