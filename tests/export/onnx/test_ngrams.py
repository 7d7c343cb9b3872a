"""Counted n-grams beside a network as a graph: lengths of 0 and 1, long texts, known n-grams or none, whole runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import elman
from elman.export.onnx.compare import known_tokens
from elman.export.onnx.graphs.ngrams.network import ngram_scores, with_ngrams
from elman.export.onnx.graphs.ngrams.table import NgramTable
from elman.export.onnx.graphs.recurrent import lengths_input
from elman.export.onnx.running import classifier as running
from elman.export.onnx.running.classifier import ExportedWithNgrams
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.ngrams import NgramCounts, WithNgrams
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig
from elman.tasks.sentiment import Options, Settings
from elman.training_run import train
from tests.export.onnx.graphs import Graph, Session, session
from tests.old_runs.test_old_runs import command
from tests.runtime.runs import drawn_counts, write_texts

NEAR = 1e-5
V, C, MOST = 11, 3, 6


def network(counts: NgramCounts, members: int, **options: Any) -> WithNgrams:
    """A network that reads `MOST` tokens, with counts beside it."""
    shape = RecurrentConfig(input_size=4, hidden_size=5, **options)

    def build() -> nn.Module:
        return Classifier(nn.Embedding(V, 4), shape, C, readout="mean")

    model = WithNgrams(build() if members == 1 else Ensemble(build, members), counts, MOST).eval()
    model.shares.copy_(torch.tensor([0.7, 1.3]))
    return model


def exported(model: WithNgrams) -> Session:
    return session(lambda g: with_ngrams(g, model))


def assert_near(got: torch.Tensor, want: torch.Tensor) -> None:
    torch.testing.assert_close(got, want, atol=NEAR, rtol=NEAR)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize(("members", "sets"), [(1, 1), (3, 1), (3, 3)])
@pytest.mark.parametrize(("longest", "features"), [(1, 5), (2, 1), (2, 100), (4, 3000)])
def test_it_answers_as_the_network(longest: int, features: int, members: int, sets: int, bidirectional: bool) -> None:
    generator = torch.manual_seed(0)
    counts = drawn_counts(V, longest, features, sets, C)
    model = network(counts, members, bidirectional=bidirectional)
    graph = exported(model)
    assert set(graph.inputs) == {"x", "lengths", "begin"}
    several = ["member_logits"] if members > 1 else []
    assert set(graph.outputs) == {"probabilities", "logits", *several}
    with torch.no_grad():
        for T, B in ((1, 1), (1, 2), (9, 4), (30, 5), (6, 1)):
            x, lengths = known_tokens(counts, T, B, generator), torch.tensor([T, 1, 0, max(0, T - 2), T // 2][:B])
            probabilities, logits, *each = graph(["probabilities", "logits", *several], x=x, lengths=lengths)
            assert_near(logits, model(x, lengths))
            assert_near(probabilities, model(x, lengths).softmax(-1))
            if several:
                assert_near(each[0], model(x, lengths, each=True))
            assert_near(graph(["logits"], x=x)[0], model(x, torch.full((B,), T)))


def test_texts_without_known_ngrams_have_the_bias_alone() -> None:
    torch.manual_seed(1)
    counts = drawn_counts(V, 2, 1, 1, C)
    counts.codes.fill_(1 * counts.base + 2)  # the tokens 0 and 1, one after the other

    def write(g: Graph) -> None:
        x = g.input("x", "int64", ["T", "B"])
        g.output(ngram_scores(g, counts, x, lengths_input(g, x)), "scores", "float32", [1, "B", C])

    graph = session(write)
    (none,) = graph(["scores"], x=torch.tensor([[1, 2], [0, 2], [5, 0]]))
    assert_near(none, counts.bias.expand(2, C)[None])
    (some,) = graph(["scores"], x=torch.tensor([[0, 2], [1, 2], [5, 0]]))
    assert_near(some[0], torch.stack([counts.bias[0] + counts.weight[0, 0], counts.bias[0]]))


@pytest.mark.parametrize("T", [1, 5, 6, 7, 40])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
def test_the_opinion_after_each_prefix(bidirectional: bool, T: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "TOKENS_AT_ONCE", 90)
    generator = torch.manual_seed(2)
    model = network(drawn_counts(V, 2, 100, 1, C), 2, bidirectional=bidirectional)
    other = ExportedWithNgrams(exported(model), MOST)
    x = known_tokens(model.counts, T, 1, generator)[:, 0]
    with torch.no_grad():
        want = model.prefix_scores(x)
    assert len(want) == min(T, MOST)
    assert_near(other.prefix_scores(x), want)
    if T <= MOST:
        assert_near(other.prefix_scores(x, T - 1), want[T - 1 :])


@pytest.mark.parametrize("count", [1, 2, 3, 500, 4001])
@pytest.mark.parametrize("factor", [1, 125, 1009])  # the latter are remainders of some divisors themselves
def test_the_table_finds_what_is_there(count: int, factor: int) -> None:
    generator = np.random.default_rng(count)
    codes = np.sort(generator.choice(count * 3, count, replace=False)) * factor
    table = NgramTable(codes)

    def write(g: Graph) -> None:
        g.output(table.find(g, g.input("x", "int64", ["N"])), "place", "int64", ["N"])

    asked = np.concatenate([codes, codes + 1, [-1, -2, 1 << 61]])
    (place,) = session(write)(["place"], x=asked)
    known = np.isin(asked, codes)
    np.testing.assert_array_equal(place.numpy() < count, known)
    np.testing.assert_array_equal(codes[table.order][place.numpy()[known]], asked[known])
    assert (place.numpy()[~known] == count).all()


@pytest.mark.parametrize(("precision", "share", "apart"), [("float16", 0.55, 1e-3), ("int8", 0.6, 2e-2)])
def test_rounded_weights_take_less_room_and_say_nearly_the_same(precision: Any, share: float, apart: float) -> None:
    generator = torch.manual_seed(3)
    counts, classes = drawn_counts(50, 2, 2000, 2, 4), 4
    sizes = {}

    def write(g: Graph) -> None:
        x = g.input("x", "int64", ["T", "B"])
        g.output(ngram_scores(g, counts, x, lengths_input(g, x)), "scores", "float32", [2, "B", classes])
        sizes[g.precision] = len(g.model({}, "0").SerializeToString())

    session(write)
    graph = session(write, precision)
    fixed = 2000 * (8 + 4 + 2)  # numbers of n-grams, idf, and where buckets begin
    assert sizes[precision] - fixed < share * (sizes["float32"] - fixed)
    x = known_tokens(counts, 20, 6, generator)
    (got,) = graph(["scores"], x=x)
    assert NEAR < float((got - counts(x, torch.full((6,), 20))).abs().max()) < apart


@pytest.mark.parametrize(
    "more",
    [
        {"members": 1, "folds": 0, "bidirectional": False},
        {"members": 2, "folds": 4},
        {"members": 1, "folds": 0, "tokens": "characters"},
    ],
    ids=str,
)
def test_a_file_answers_as_its_run(more: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"hidden_size": 6, "embedding_size": 5, "max_length": 7}
    data = str(write_texts(tmp_path / "a.csv"))
    train("sentiment", Settings(data=data, steps=4, eval_every=4, **sizes, **more), tmp_path / "run")
    run = elman.load(tmp_path / "run")
    command("export", str(tmp_path / "run"), "--to", "onnx")
    file = elman.load(tmp_path / "run" / "model.onnx")
    texts = ["w1 good w2 w2", "bad", "unseen words alone", "bad good good w3 " * 9]
    for opinion in (True, False):
        for one, other in zip(*(each.predict(texts, Options(opinion=opinion)) for each in (run, file)), strict=True):
            assert_alike(other.to_json(), one.to_json())
    for data in ([], [tmp_path / "a.csv"]):
        assert file.evaluate(*data) == pytest.approx(run.evaluate(*data), abs=NEAR)
    pieces = ("b", "ad ", "w") if "tokens" in more else ("w1 go", "od w2 ", "bad")
    for one, other in zip(run.open_stream().push(pieces[0]), file.open_stream().push(pieces[0]), strict=True):
        assert_alike(other, one)
    for each in (run, file):
        with pytest.raises(elman.UserError, match="the text has more than 7 tokens"):
            list(each.open_stream().push("w1 w2 w3 w4 w5 w6 w7 w8 w9"))
    capsys.readouterr()
    command("predict", str(tmp_path / "run" / "model.onnx"), texts[0], "--json")
    assert_alike(json.loads(capsys.readouterr().out), run.predict(texts[0])[0].to_json())


def assert_alike(got: Any, want: Any) -> None:
    """The same texts, and numbers within `NEAR`."""
    if isinstance(want, dict):
        assert got.keys() == want.keys()
        for name, value in want.items():
            assert_alike(got[name], value)
    elif isinstance(want, list | tuple):
        for one, other in zip(got, want, strict=True):
            assert_alike(one, other)
    else:
        assert got == (pytest.approx(want, abs=NEAR) if isinstance(want, float) else want)
