"""Classifiers in ONNX: one network or several, with the state of a stream. T steps, B sequences, C classes, K members.

Inputs: `x` (T, B, ...), `lengths` (B,), and for networks in one direction the state, each of which may be left out.
Outputs: `logits` and what `answers` names, and the state after the last step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from elman.data.scaling import Scaler
from elman.errors import UserError
from elman.export.onnx.graph import Dim, Graph, Value
from elman.export.onnx.graphs.layers import layer
from elman.export.onnx.graphs.multiscale import multi_scale
from elman.export.onnx.graphs.readout import carried_inputs, pool, width
from elman.export.onnx.graphs.recurrent import lengths_input, recurrent, state_inputs
from elman.export.onnx.graphs.scales import scaled
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.multiscale import MultiScaleClassifier
from elman.models.classifier import Classifier
from elman.training.task import AnswerKind


class Part(NamedTuple):
    """An output of the state: its name, its value and its shape."""

    name: str
    value: Value
    shape: tuple[Dim, ...]


def classifier(
    g: Graph,
    model: nn.Module,
    *,
    answers: AnswerKind = "classes",
    scaler: Scaler | None = None,
) -> None:
    """Write a `Classifier`, a `MultiScaleClassifier` or an `Ensemble` of them.

    Arguments:
        answers: what its output is: probabilities of classes, a number, or probabilities at every step.
        scaler: of the channels of x (T, B, I). One that divides a sequence by its own size needs all of it: there is
            no state of a stream then.

    Raises:
        UserError: it answers at every step, and is not of one direction that is read by its last state.
    """
    members = list(model.members) if isinstance(model, Ensemble) else [model]
    x = _input(g, members[0], scaler)
    lengths = lengths_input(g, x)
    x = scaled(g, x, lengths, scaler)
    by_whole = scaler is not None and scaler.floor is not None
    ends: list[Part] = []
    scores = []
    for number, member in enumerate(members, 1):
        ending = f"_{number}" if len(members) > 1 else ""
        if isinstance(member, MultiScaleClassifier):
            scores.append(multi_scale(g, member, x, lengths))
        else:
            assert isinstance(member, Classifier)
            every_step = answers == "classes at every step"
            if every_step and (member.readout != "last" or member.recurrent.shape.bidirectional):
                raise UserError("an answer at every step needs `readout=last` and one direction to go to ONNX")
            streams = not (by_whole or member.recurrent.shape.bidirectional)
            one, end = one_network(g, member, x, lengths, ending, streams=streams, every_step=every_step)
            scores.append(one)
            ends += end
    logits = scores[0] if len(scores) == 1 else mean_scores(g, stacked(g, scores), len(scores))
    shape: list[Dim] = ["B", int(members[0].output.out_features)]  # type: ignore[union-attr, arg-type]
    if answers == "classes at every step":
        shape = ["T", *shape]
    if answers == "number":
        g.output(logits, "answer", "float32", shape)
    else:
        g.output(g.op("Softmax", logits, axis=-1), "probabilities", "float32", shape)
    g.output(logits, "logits", "float32", shape)
    if len(scores) > 1:
        g.output(stacked(g, scores), "member_logits", "float32", [len(scores), *shape])
    for part in ends:
        g.output(part.value, part.name, "float32", part.shape)


def _input(g: Graph, member: nn.Module, scaler: Scaler | None) -> Value:
    if scaler is not None:
        return g.input("x", "float32", ["T", "B", scaler.channels])
    if isinstance(member, MultiScaleClassifier):
        return g.input("x", "float32", ["T", "B", len(member.difference)])
    inputs, size = member.inputs, member.recurrent.shape.input_size  # type: ignore[union-attr]
    if isinstance(inputs, nn.Embedding):
        return g.input("x", "int64", ["T", "B"])
    return g.input("x", "float32", ["T", "B", size])  # type: ignore[list-item]


def one_network(
    g: Graph, model: Classifier, x: Value, lengths: Value, ending: str = "", *, streams: bool, every_step: bool = False
) -> tuple[Value, list[Part]]:
    """The scores of one network, and the outputs of its state.

    Arguments:
        ending: of the names of the state's parts.
        streams: whether the state is an input and an output.
    """
    module = model.recurrent
    shape = module.shape
    state, carried = [], {}
    if streams:
        state = state_inputs(g, shape, tuple(f"{name}{ending}" for name in module.kind.state))
        carried = {} if every_step else carried_inputs(g, model.readout, module.output_size, ending)
    states, last = recurrent(g, module, layer(g, x, model.inputs), state, lengths)
    read, new = states, dict[str, Value]()
    if not every_step:
        directions = 2 if shape.bidirectional else 1
        read, new = pool(g, states, last[0], lengths, model.readout, model.attention, carried, directions)
    scores = layer(g, read if model.head is None else layer(g, read, model.head), model.output)
    if not streams:
        return scores, []
    names = zip(module.kind.state, last, strict=True)
    ends = [Part(f"next_{name}{ending}", one, (shape.layers, "B", shape.hidden_size)) for name, one in names]
    ends += [Part(f"next_{name}{ending}", one, ("B", width(name, module.output_size))) for name, one in new.items()]
    return scores, ends


def stacked(g: Graph, parts: Sequence[Value]) -> Value:
    """K values (...) as one (K, ...)."""
    return g.join([g.op("Unsqueeze", one, [0]) for one in parts], 0)


def mean_scores(g: Graph, scores: Value, count: int) -> Value:
    """The logarithm of the mean probability of scores (K, ..., C), K being `count`."""
    logs = g.op("LogSoftmax", scores, axis=-1)
    return g.op("ReduceLogSumExp", logs, [0], keepdims=0) - math.log(count)
