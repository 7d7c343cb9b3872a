"""Classifiers as graphs: every readout, in one piece and as a stream, at several scales, several at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from elman.data.scaling import Scaler
from elman.export.onnx.graphs.classifier import classifier
from elman.export.onnx.running.classifier import ExportedClassifier
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.multiscale import MultiScaleClassifier
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig
from tests.export.onnx.graphs import APART, Session, assert_near, session

READOUTS = ["last", "mean", "sum", "max", "mean-max", "attention"]


def network(readout: str, **options: Any) -> nn.Module:
    shape = RecurrentConfig(input_size=4, hidden_size=5, **options)
    return Classifier(nn.Embedding(11, 4), shape, 3, readout=readout, head=6, dropout=0.5).eval()  # type: ignore[arg-type]


def exported(model: nn.Module, **options: Any) -> Session:
    return session(lambda g: classifier(g, model, **options))


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("readout", READOUTS)
def test_it_answers_as_the_network(readout: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    model = network(readout, bidirectional=bidirectional, cell="gru" if readout == "max" else "rnn")
    graph = exported(model)
    with torch.no_grad():
        for T, B in ((1, 1), (9, 4)):
            x, lengths = torch.randint(11, (T, B)), torch.tensor([T, 1, 3, 0][:B])
            want = model(x, lengths)
            probabilities, logits = graph(["probabilities", "logits"], x=x, lengths=lengths)
            assert_near(logits, want)
            assert_near(probabilities, want.softmax(-1))


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_stream_ends_as_the_whole(readout: str, cell: str) -> None:
    torch.manual_seed(1)
    model = network(readout, cell=cell, layers=2)
    graph = exported(model)
    names = graph.state_names()
    assert names[:1] == ["h"]
    x = torch.randint(11, (12, 3))
    state: dict[str, torch.Tensor] = {}
    for piece in torch.split(x, [1, 4, 7]):
        logits, *after = graph(["logits", *(f"next_{name}" for name in names)], x=piece, **state)
        state = {f"state_{name}": part for name, part in zip(names, after, strict=True)}
    with torch.no_grad():
        assert_near(logits, model(x, torch.tensor([12, 12, 12])))


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
def test_the_opinion_after_each_prefix(bidirectional: bool) -> None:
    torch.manual_seed(2)
    members = Ensemble(lambda: network("attention", bidirectional=bidirectional), 3).eval()
    model = ExportedClassifier(exported(members))
    x, lengths = torch.randint(11, (8, 2)), torch.tensor([8, 5])
    with torch.no_grad():
        assert_near(model.prefix_scores(x[:, 0]), members.prefix_scores(x[:, 0]))
        assert_near(model(x, lengths, each=True), members(x, lengths, each=True))


@pytest.mark.parametrize("strides", [[1], [2, 4], [24, 48]], ids=str)
@pytest.mark.parametrize("readout", ["last", "mean-max", "attention"])
def test_series_at_several_scales(strides: list[int], readout: str) -> None:
    torch.manual_seed(3)
    shape = RecurrentConfig(input_size=2, hidden_size=5, bidirectional=True)

    def build() -> nn.Module:
        return MultiScaleClassifier([0.5, 2.0], shape, 3, strides, readout=readout, head=4)  # type: ignore[arg-type]

    model = Ensemble(build, 2).eval()
    scale = torch.tensor([0.5, -1.0]), torch.tensor([3.0, 0.25])
    graph = exported(model, scaler=Scaler(*(part.numpy() for part in scale)))
    with torch.no_grad():
        for T, B in ((1, 1), (50, 3), (23, 2)):
            x, lengths = torch.randn(T, B, 2), torch.tensor([T, 1, T // 2][:B])
            (logits,) = graph(["logits"], x=x, lengths=lengths)
            assert_near(logits, model((x - scale[0]) / scale[1], lengths))


@pytest.mark.parametrize(
    ("answers", "outputs"),
    [("number", {"answer", "logits", "next_h"}), ("classes at every step", {"probabilities", "logits", "next_h"})],
)
def test_other_answers(answers: str, outputs: set[str]) -> None:
    torch.manual_seed(4)
    every = answers != "number"
    model = Classifier(nn.Identity(), RecurrentConfig(input_size=4, hidden_size=5), 3, small_init=True).eval()
    graph = exported(model, answers=answers)
    assert set(graph.outputs) == outputs
    x, lengths = torch.randn(6, 2, 4), torch.tensor([6, 6])
    with torch.no_grad():
        assert_near(graph(["logits"], x=x)[0], model(x, lengths, every_step=every))


@pytest.mark.parametrize(("precision", "share", "apart"), [("float16", 0.6, 3e-3), ("int8", 0.4, 0.1)])
def test_rounded_weights_take_less_room_and_say_nearly_the_same(
    precision: Any, share: float, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    shape = RecurrentConfig(input_size=64, hidden_size=64, bidirectional=True)
    model = Classifier(nn.Embedding(500, 64), shape, 3, readout="max", head=64).eval()
    sizes: dict[str, int] = {}

    def write(kind: Any) -> Callable[..., Any]:
        from tests.export.onnx.graphs import Graph

        g = Graph(kind)
        classifier(g, model)
        sizes[kind] = len(g.model({}, "0").SerializeToString())
        return session(lambda g: classifier(g, model), kind)

    write("float32")
    graph = write(precision)
    assert sizes[precision] < share * sizes["float32"]
    x = torch.randint(500, (20, 6))
    with torch.no_grad():
        want = model(x, torch.full((6,), 20))
    (got,) = graph(["logits"], x=x)
    assert APART / 100 < float((got - want).abs().max()) < apart
