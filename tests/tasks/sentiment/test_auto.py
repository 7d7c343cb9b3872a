"""What follows from the texts, several networks as one, and tf-idf beside them."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elman.metrics.bag_of_words import tfidf_predictions
from elman.models.classification.ensemble import Ensemble
from elman.models.classification.ngrams import WithNgrams
from elman.run import load
from elman.tasks.sentiment.auto import TextFacts, choose
from elman.tasks.sentiment.settings import Settings
from elman.training_run import train

SENTENCES = TextFacts(examples=9_000, words=20, characters=110, classes=2, own_validation=False)
NAMES = TextFacts(examples=18_000, words=1.1, characters=8, classes=18, own_validation=False)


def chosen(facts: TextFacts, settings: Settings) -> dict[str, object]:
    return {one.setting: one.value for one in choose(facts, settings)}


def test_single_words_are_read_by_characters_with_settings_of_their_own() -> None:
    names = chosen(NAMES, Settings())
    assert (names["tokens"], names["word_dropout"], names["hidden_size"]) == ("characters", 0.0, 256)
    assert names["dropout"] < 0.5  # type: ignore[operator]
    sentences = chosen(SENTENCES, Settings())
    assert (sentences["tokens"], sentences["word_dropout"], sentences["dropout"]) == ("words", 0.1, 0.5)
    assert "tokens" not in chosen(NAMES, Settings(tokens="words"))
    asked = chosen(SENTENCES, Settings(tokens="characters"))
    assert (asked["word_dropout"], asked["dropout"]) == (0.0, names["dropout"])
    assert chosen(NAMES, Settings(vectors="glove.txt"))["tokens"] == "words"


def test_few_texts_are_judged_by_cross_validation_and_long_ones_by_one_network() -> None:
    few = chosen(replace(SENTENCES, examples=300), Settings())
    assert (few["members"], few["folds"], few["eval_every"]) == (5, 10, few["steps"])
    assert (chosen(SENTENCES, Settings())["members"], chosen(SENTENCES, Settings())["folds"]) == (3, 0)
    assert chosen(replace(SENTENCES, examples=25_000, words=230), Settings())["members"] == 1
    assert chosen(replace(SENTENCES, examples=300, own_validation=True), Settings())["folds"] == 0


def test_what_is_set_is_kept() -> None:
    asked = Settings(dropout=0.0, word_dropout=0.0, members=2, steps=10, tokens="bpe")
    assert not {"dropout", "word_dropout", "members", "steps", "tokens"} & chosen(SENTENCES, asked).keys()
    assert {one.setting for one in choose(SENTENCES, Settings())} == set(Settings.by_data)


def test_counting_learns_words_and_runs_of_characters() -> None:
    texts = ["good soup", "bad soup", "good fish", "bad fish"]
    assert tfidf_predictions(texts, np.array([1, 0, 1, 0]), ["bad bread", "good bread"]).tolist() == [0, 1]
    names = ["Rossini", "Bellini", "Schmidt", "Schulz"]
    given = tfidf_predictions(names, np.array([0, 0, 1, 1]), ["Puccini", "Schuster"], characters=True)
    assert given.tolist() == [0, 1]


def test_several_networks_answer_as_one_and_stand_beside_counting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"The {noun} was {word}\t{label}" for noun in "food soup fish bread rice cake".split()
            for word, label in (("good", "good"), ("fine", "good"), ("bad", "bad"), ("poor", "bad"))]  # fmt: skip
    data = tmp_path / "reviews.tsv"
    data.write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    settings = Settings(
        data=str(data), members=2, folds=4, steps=80, hidden_size=8, embedding_size=8, lr=1e-2, warmup=5, threads=1
    )
    with caplog.at_level(logging.INFO, logger="elman"):
        train("sentiment", settings, tmp_path / "run")
    assert "tf-idf with logistic regression 100.0%" in caplog.text
    run = load(tmp_path / "run")
    assert isinstance(run.model, WithNgrams)
    assert isinstance(run.model.network, Ensemble)
    prediction = run.predict(["The soup was bad"])[0]
    assert prediction.label == "bad"  # type: ignore[attr-defined]
    last = prediction.opinion[-1]  # type: ignore[attr-defined]
    assert last.probability == pytest.approx(prediction.probability)  # type: ignore[attr-defined]
    assert run.inspected is run.model.network.members[0]
    example = run.inspection_example("The soup was bad")
    assert len(example.tokens) == 4
