"""Counted n-grams beside a classifier in ONNX. T tokens, B texts, F n-grams, C classes, K networks, S linear layers.

Inputs: `x` (T, B) int64; `lengths` (B,) and `begin` (B,), from which token the networks read, may be left out.
Outputs: `probabilities`, `logits`, of several networks `member_logits`. Counts need all of a text: there is no state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.export.onnx.graph import Dim, Graph, Value
from elman.export.onnx.graphs.classifier import mean_scores, one_network, stacked
from elman.export.onnx.graphs.layers import embedding
from elman.export.onnx.graphs.ngrams.table import NgramTable
from elman.export.onnx.graphs.recurrent import lengths_input
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.ngrams import NgramCounts, WithNgrams

END = np.iinfo(np.int64).max
NOTHING = -1
"""The number of what is no n-gram of a text, and of no known one."""


def with_ngrams(g: Graph, model: WithNgrams) -> None:
    """Write a `WithNgrams`."""
    members: list[Any] = list(model.network.members) if isinstance(model.network, Ensemble) else [model.network]
    x = g.input("x", "int64", ["T", "B"])
    lengths = lengths_input(g, x)
    recent, read = _last_tokens(g, x, lengths, model.most)
    own = stacked(g, [one_network(g, member, recent, read, streams=False)[0] for member in members])
    counted = ngram_scores(g, model.counts, x, lengths)
    shares = model.shares.tolist()
    both = g.op("LogSoftmax", own, axis=-1) * shares[0] + g.op("LogSoftmax", counted, axis=-1) * shares[1]
    each = g.op("LogSoftmax", both, axis=-1)
    logits = mean_scores(g, each, len(members)) if len(members) > 1 else g.op("Squeeze", each, [0])
    shape: list[Dim] = ["B", model.counts.bias.shape[1]]
    g.output(g.op("Softmax", logits, axis=-1), "probabilities", "float32", shape)
    g.output(logits, "logits", "float32", shape)
    if len(members) > 1:
        g.output(each, "member_logits", "float32", [len(members), *shape])


def _last_tokens(g: Graph, x: Value, lengths: Value, most: int) -> tuple[Value, Value]:
    """What the networks read of x (T, B), and how many tokens that are of each text (B,)."""
    given = g.input("begin", "int64", ["B or 1"], np.array([0]))
    start = g.op("Min", g.op("Max", lengths - most, given, [0]), lengths)
    T = g.op("Squeeze", g.shape(x, 0), [0])
    steps = g.op("Unsqueeze", g.op("Range", 0, g.op("Min", T, most), 1), [1])
    return g.op("GatherElements", x, g.op("Min", steps + start, T - 1), axis=0), lengths - start


def ngram_scores(g: Graph, counts: NgramCounts, x: Value, lengths: Value) -> Value:
    """What `NgramCounts` computes: (S, B, C).

    An n-gram that is not known counts as number F, whose weights are 0.
    """
    S, F, C = counts.weight.shape
    table = NgramTable(counts.codes.cpu().numpy())
    place = table.find(g, ngram_codes(g, x, lengths, counts.longest, counts.base))
    B = g.shape(x, 1)
    columns = g.op("Range", 0, g.op("Squeeze", B, [0]), 1)
    found, _, _, count = g.ops("Unique", place + columns * (F + 1), outputs=4)
    row, place = g.op("Div", found, F + 1), g.op("Mod", found, F + 1)
    value = (g.op("Log", g.cast(count, "float32")) + 1.0) * g.op("Gather", g.weight(_ordered(counts.idf, table)), place)
    value = g.op("Unsqueeze", value, [1])
    weight = _ordered(counts.weight.transpose(0, 1).reshape(F, S * C), table)
    parts = g.join([embedding(g, place, weight) * value, value * value], 1)  # (M, S * C + 1)
    rows = g.op("Expand", g.op("Unsqueeze", row, [1]), g.op("Shape", parts))
    zeros = g.op("Expand", 0.0, g.join([B, [S * C + 1]], 0))
    sums = g.op("ScatterElements", zeros, rows, parts, axis=0, reduction="add")
    size = g.op("Max", g.op("Sqrt", g.slice(sums, S * C, END, 1)), 1e-12)
    scores = g.slice(sums, 0, S * C, 1) / size + counts.bias.reshape(-1).cpu().numpy()
    return g.op("Transpose", g.op("Reshape", scores, [-1, S, C]), perm=[1, 0, 2])


def ngram_codes(g: Graph, x: Value, lengths: Value, longest: int, base: int) -> Value:
    """The numbers of the n-grams that begin at each place of each text (R, B); `NOTHING` where there is none."""
    edge = g.op("Expand", np.int64(base - 1), g.join([[1], g.shape(x, 1)], 0))
    tokens = g.join([edge, x + 1, edge], 0)
    places = g.op("Unsqueeze", g.op("Range", 0, g.op("Squeeze", g.shape(tokens, 0), [0]), 1), [1])
    tokens = g.op("Where", g.op("LessOrEqual", places, lengths), tokens, np.int64(base - 1))
    inside = g.op("LessOrEqual", places, lengths + 1)  # with the edge at the end
    codes, ends = [tokens], [inside]
    for n in range(1, longest):  # n more tokens after the first
        codes.append(g.slice(codes[-1], 0, -1, 0) * base + g.slice(tokens, n, END, 0))
        ends.append(g.slice(inside, n, END, 0))
    return g.op("Where", g.join(ends, 0), g.join(codes, 0), np.int64(NOTHING))


def _ordered(weight: Tensor, table: NgramTable) -> Tensor:
    """(F + 1, ...) the rows of a weight (F, ...) as the table has them, and one of zeros."""
    ordered = weight[torch.from_numpy(table.order).to(weight.device)]
    return torch.cat([ordered, torch.zeros_like(ordered[:1])])
