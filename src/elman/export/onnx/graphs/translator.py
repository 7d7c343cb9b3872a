"""A translator in ONNX, called in two ways. S steps of the source, B sources, N texts, V target tokens.

With `source` (S, B) and `lengths` (B,) it reads: outputs are the decoder's first state and the memory, `next_` and its
name. With `tokens` (N,) it writes: the state, `state_h` (L, N, H), and the memory, `state_` and its name, go in,
`logits` (N, V) of the next token, the state and, with attention, its `weights` (N, S) come out. The first token is the
begin mark.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elman.export.onnx.graph import Graph, Value
from elman.export.onnx.graphs.attention import attend
from elman.export.onnx.graphs.layers import embedding, layer, linear
from elman.export.onnx.graphs.recurrent import ANY, inside, recurrent, state_inputs, widened
from elman.export.onnx.graphs.two_ways import Part, two_ways
from elman.models.seq2seq import Translator


def translator(g: Graph, model: Translator, begin: int) -> None:
    """Write a `Translator`.

    Arguments:
        begin: the begin mark of the target.
    """
    names, config = model.decoder.kind.state, model.shape.recurrent
    source = g.input("source", "int64", ["S or 0", "B"], np.zeros((0, 1), np.int64))
    limits = g.input("lengths", "int64", ["B or 1"], np.array([ANY]))
    tokens = g.input("tokens", "int64", ["N or 1"], np.array([begin]))
    kept = memory_parts(model)
    state = state_inputs(g, replace(config, bidirectional=False), names)
    memory = [
        g.input(
            f"state_{part.name}",
            part.kind,
            [f"{size} or 1" if size == "N" else size for size in part.shape],
            np.zeros([1 if isinstance(size, str) else size for size in part.shape], np.dtype(part.kind)),
        )
        for part in kept
    ]
    parts = [Part(f"next_{name}", "float32", (config.layers, "N", config.hidden_size)) for name in names]
    said = [Part("logits", "float32", ("N", model.output.out_features))]
    if model.attention is not None:
        said.append(Part("weights", "float32", ("N", "S")))
    two_ways(
        g,
        source,
        lambda: _read(g, model, source, limits),
        lambda: _write(g, model, tokens, state, memory),
        parts,
        [part._replace(name=f"next_{part.name}") for part in kept],
        said,
    )


def memory_parts(model: Translator) -> list[Part]:
    """What is kept of the source, in the order of `Translator.encode`."""
    H = model.shape.recurrent.hidden_size
    if model.attention is not None:
        sizes = model.attention.keys.out_features, model.attention.keys.in_features
        kept = [Part(name, "float32", ("S", "N", size)) for name, size in zip(("keys", "steps"), sizes, strict=True)]
        return [*kept, Part("inside", "bool", ("S", "N"))]
    return [Part("fed", "float32", (1, "N", H))] if model.fed else []


def _read(g: Graph, model: Translator, source: Value, limits: Value) -> tuple[list[Value], list[Value]]:
    """The decoder's first state, and the memory."""
    within = g.op("Max", g.op("Min", limits, g.shape(source, 0)), [0])
    lengths = g.op("Expand", within, g.shape(source, 1))
    embedded = embedding(g, source, model.source_embedding.weight)
    steps, last = recurrent(g, model.encoder, embedded, [], lengths)
    if model.shape.bidirectional:
        L, B = model.shape.recurrent.layers, g.shape(source, 1)
        apart = g.join([[L, 2], B, [-1]], 0)
        sides = [g.op("Transpose", g.op("Reshape", part, apart), perm=[0, 2, 1, 3]) for part in last]
        last = [g.op("Reshape", part, g.join([[L], B, [-1]], 0)) for part in sides]
    real = inside(g, source, lengths)  # (S, B, 1)
    if model.attention is not None:
        return last, [layer(g, steps, model.attention.keys), steps, g.op("Squeeze", real, [2])]
    if not model.fed:
        return last, []
    if model.shape.feed == "last":
        return last, [g.slice(last[0], -1, np.iinfo(np.int64).max, 0)]
    if model.shape.feed == "max":
        return last, [g.op("ReduceMax", g.op("Where", real, steps, float("-inf")), [0])]
    return last, [g.op("ReduceSum", steps, [0]) / g.op("ReduceSum", g.cast(real, "float32"), [0])]


def _write(
    g: Graph, model: Translator, tokens: Value, state: list[Value], memory: list[Value]
) -> tuple[list[Value], list[Value]]:
    """The state after a token; the logits of the next one, and the attention's weights."""
    tokens = g.op("Expand", tokens, g.shape(state[0], 1))  # the begin mark, where it is not given, for all
    x = g.op("Unsqueeze", embedding(g, tokens, model.target_embedding.weight) * model.scale, [0])
    columns, weights = g.shape(tokens, 0), []
    state = widened(g, state, columns)
    if model.attention is None:
        beside = widened(g, memory, columns)
        hidden, last = recurrent(g, model.decoder, g.join([x, *beside], 2), state)
    else:
        below, every = model.decoder.shape.layers, np.iinfo(np.int64).max
        hidden, last = recurrent(g, model.decoder, x, [g.slice(part, 0, below, 0) for part in state])
        context, shares = attend(g, model.attention, hidden, *memory)
        beside, weights = [context], [g.op("Squeeze", shares, [1])]
        if model.upper_decoder is not None:
            above = [g.slice(part, below, every, 0) for part in state]
            hidden, upper = recurrent(g, model.upper_decoder, g.join([hidden, context], 2), above)
            last = [g.join([one, other], 0) for one, other in zip(last, upper, strict=True)]
    gathered = linear(g, g.join([hidden, *beside, x], 2), model.gather.weight, model.gather.bias)
    found = g.op("Squeeze", g.op("Tanh", gathered), [0])
    return last, [layer(g, found, model.output), *weights]
