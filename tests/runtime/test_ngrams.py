"""Counted n-grams beside a network in the runtime: the run's numbers, streams, and what is wrong with a run's files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import elman
from elman.errors import UserError
from elman.models.classification.ngrams import WithNgrams
from elman.runtime import load
from elman.runtime.recurrent import Weights
from elman.runtime.tasks.sentiment import SentimentModel
from elman.runtime.text import ngrams as runtime
from elman.tasks.sentiment import Options
from elman.training.tensor_files import read_tensors, write_tensors
from tests.runtime.runs import SHARES, begun, drawn_counts, write_texts

NEAR = 1e-5
CASES: tuple[dict[str, Any], ...] = (
    {"members": 1, "folds": 0},
    {"members": 3, "folds": 0, "bidirectional": False},
    {"members": 2, "folds": 4},
    {"members": 1, "folds": 0, "tokens": "characters"},
)
TEXTS = ["w1 good w2 w2", "bad", "unseen words alone", "…", "bad good good w3 " * 9]


def begun_beside(folder: Path, **more: Any) -> Path:
    """A run with n-grams beside, whose network reads 7 tokens."""
    data = str(write_texts(folder.with_suffix(".csv")))
    return begun(folder, "sentiment", data=data, ngrams="beside", max_length=7, hidden_size=6, embedding_size=5, **more)


def loaded(folder: Path) -> SentimentModel:
    model = load(folder)
    assert isinstance(model, SentimentModel)
    assert isinstance(model.model, runtime.WithNgrams)
    return model


@pytest.mark.parametrize("more", CASES, ids=str)
def test_it_says_what_the_run_says(more: dict[str, Any], tmp_path: Path) -> None:
    folder = begun_beside(tmp_path / "run", **more)
    run, model = elman.load(folder), loaded(folder)
    for opinion in (True, False):
        want = [one.to_json() for one in run.predict(TEXTS, Options(opinion=opinion))]
        for one, other in zip(model.predict(TEXTS, opinion=opinion), want, strict=True):
            assert one.label == other["label"]
            assert one.probabilities == pytest.approx(other["probabilities"], abs=NEAR)
            assert [after.token for after in one.opinion] == [after["token"] for after in other["opinion"]]
            running = [after.probability for after in one.opinion]
            assert running == pytest.approx([after["probability"] for after in other["opinion"]], abs=NEAR)
    assert len(model.predict(TEXTS[-1])[0].opinion) == 7


def test_a_word_before_the_last_that_are_counted_changes_nothing(tmp_path: Path) -> None:
    folder = begun_beside(tmp_path / "run", **CASES[0])
    run, model = elman.load(folder), loaded(folder)
    rest = "w1 " * (runtime.MOST_TOKENS - 1)
    np.testing.assert_array_equal(model.encode(f"bad good {rest}"), run.task.encode([f"bad good {rest}"])[0])  # type: ignore[attr-defined]
    said = {word: model.predict(f"{word} {rest}", opinion=False)[0].probabilities for word in ("good", "bad")}
    assert said["good"] != said["bad"]
    said = {word: model.predict(f"{word} {rest} w1", opinion=False)[0].probabilities for word in ("good", "bad")}
    assert said["good"] == said["bad"]


@pytest.mark.parametrize("more", CASES[:3], ids=str)
def test_texts_side_by_side(more: dict[str, Any], tmp_path: Path) -> None:
    folder = begun_beside(tmp_path / "run", **more)
    run, model = elman.load(folder), loaded(folder)
    x, lengths = torch.randint(len(model.vocabulary), (23, 5)), torch.tensor([23, 1, 7, 8, 15])
    with torch.no_grad():
        np.testing.assert_allclose(model.model(x.numpy(), lengths.numpy()), run.model(x, lengths), atol=NEAR)


@pytest.mark.parametrize(("features", "longest"), [(1, 2), (5, 1), (40, 3)])
def test_counts_of_any_length(features: int, longest: int) -> None:
    torch.manual_seed(0)
    V, S, C = 4, 2, 3
    counts = drawn_counts(V, longest, features, S, C)
    tensors = {f"counts.{name}": part.numpy() for name, part in counts.state_dict().items()}
    other = runtime.NgramCounts(Weights(tensors, Path("x")), (longest, features, S), V, C)
    x, lengths = torch.randint(V, (9, 5)), torch.tensor([9, 0, 1, 2, 5])
    np.testing.assert_allclose(other(x.numpy(), lengths.numpy()), counts(x, lengths), atol=NEAR)


@pytest.mark.parametrize("more", CASES, ids=str)
def test_a_stream_answers_as_all_of_it(more: dict[str, Any], tmp_path: Path) -> None:
    folder = begun_beside(tmp_path / "run", **more)
    model = loaded(folder)
    stream = model.stream()
    with pytest.raises(UserError, match="nothing has come yet"):
        stream.push("")
    pieces = ("b", "ad", "x") if "tokens" in more else ("w1 ", "good w2 ", "bad")
    for count, piece in enumerate(pieces, 1):
        whole = model.predict("".join(pieces[:count]))[0]
        assert stream.push(piece).probabilities == pytest.approx(whole.probabilities, abs=NEAR)
    with pytest.raises(UserError, match="the text has more than 7 tokens, and a stream reads no more"):
        stream.push("w1 w2 w3 w4")
    assert stream.push("").probabilities == pytest.approx(whole.probabilities, abs=NEAR)


Change = Callable[[dict[str, Tensor]], Any]
DAMAGES: dict[str, tuple[Change, str]] = {
    "unsorted": (lambda t: t["counts.codes"].copy_(t["counts.codes"].flip(0)), "are no rising numbers of n-grams"),
    "twice": (lambda t: t["counts.codes"][1:2].copy_(t["counts.codes"][:1]), "are no rising numbers of n-grams"),
    "negative": (lambda t: t["counts.codes"][0].fill_(-1), "are no rising numbers of n-grams"),
    "too large": (lambda t: t["counts.codes"][-1].fill_(1 << 62), "are no rising numbers of n-grams"),
    "fractions": (lambda t: t.update({"counts.codes": t["counts.codes"].float()}), "counts.codes is float32"),
    "whole weights": (lambda t: t.update({"counts.idf": t["counts.idf"].long()}), "counts.idf is int64"),
    "no number": (lambda t: t["counts.idf"][3].fill_(math.nan), "counts.idf holds NaN or infinity"),
    "infinite": (lambda t: t["shares"][0].fill_(math.inf), "shares holds NaN or infinity"),
    "short": (lambda t: t.update({"counts.idf": t["counts.idf"][1:]}), "does not fit the settings"),
    "other shape": (lambda t: t.update({"counts.weight": t["counts.weight"][0]}), "does not fit the settings"),
    "missing": (lambda t: t.pop("counts.codes"), "counts.codes is missing"),
    "no shares": (lambda t: t.pop("shares"), "shares is missing"),
    "too many": (lambda t: t.update({"counts.more": t["shares"]}), "counts.more is not one of its weights"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_weights_are_one_line(what: str, tmp_path: Path) -> None:
    folder = begun_beside(tmp_path / "run", **CASES[0])
    change, message = DAMAGES[what]
    tensors, header = read_tensors(folder / "model.safetensors")
    change(tensors)
    write_tensors(folder / "model.safetensors", tensors, header)
    with pytest.raises(UserError) as error:
        load(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": 3}, "does not fit the settings"),
        ({"sets": 2}, "does not fit the settings"),
        ({"longest": 63}, "have no numbers of 64 bits"),
        ({"longest": 1}, "are no rising numbers of n-grams"),
        ({"longest": 0}, "are no whole numbers above 0"),
        ({"features": 2.5}, "are no whole numbers above 0"),
        ({"features": True}, "are no whole numbers above 0"),
        ({"sets": None}, "are no whole numbers above 0"),
        ([], "are no whole numbers above 0"),
        ("{", "holds no numbers of n-grams"),
        (None, "there is no file"),
    ],
    ids=str,
)
def test_damaged_sizes_are_one_line(change: Any, message: str, tmp_path: Path) -> None:
    folder = begun_beside(tmp_path / "run", **CASES[0])
    path = folder / "ngrams.json"
    sizes = json.loads(path.read_text())
    path.unlink()
    if change is not None:
        path.write_text(change if isinstance(change, str) else json.dumps({**sizes, **change} if change else change))
    with pytest.raises(UserError) as error:
        load(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_sets_are_one_or_as_many_as_networks(tmp_path: Path) -> None:
    folder = begun_beside(tmp_path / "run", members=3, folds=0)
    sizes = json.loads((folder / "ngrams.json").read_text())
    (folder / "ngrams.json").write_text(json.dumps({**sizes, "sets": 2}))
    tensors, header = read_tensors(folder / "model.safetensors")
    for name in ("counts.weight", "counts.bias"):
        tensors[name] = torch.cat([tensors[name]] * 2)
    write_tensors(folder / "model.safetensors", tensors, header)
    with pytest.raises(UserError, match="counts of 2 sets stand beside 3 networks"):
        load(folder)


def test_the_helper_gives_the_counts_a_share(tmp_path: Path) -> None:
    model = elman.load(begun_beside(tmp_path / "run", **CASES[0])).model
    assert isinstance(model, WithNgrams)
    assert model.shares.tolist() == pytest.approx(SHARES)
