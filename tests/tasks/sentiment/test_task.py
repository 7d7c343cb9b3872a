"""Texts to classes: learned from a table, shown word by word, measured on other files."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import elman
from elman.cli.main import main
from elman.errors import UserError
from elman.run import Run, load
from elman.tasks.sentiment.settings import Options, Settings
from elman.tasks.sentiment.task import Task
from elman.training_run import train

GOOD, BAD = ("good", "fine", "great", "tasty"), ("bad", "awful", "poor", "uncooked")
PLACES = ("food", "soup", "fish", "bread", "rice")
SMALL = {
    "hidden_size": 16,
    "embedding_size": 8,
    "batch_size": 16,
    "threads": 1,
    "lr": 1e-2,
    "warmup": 10,
    "dropout": 0.1,
    "members": 1,
    "folds": 0,
}


def write_reviews(path: Path, count: int = 120) -> Path:
    generator = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "stars"])
        for number in range(count):
            words = ("bad", BAD) if number % 2 else ("good", GOOD)
            filler = " ".join(generator.choice(PLACES, generator.integers(1, 6)))
            writer.writerow([f"The {filler} was {generator.choice(words[1])}", words[0]])
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sentiment")
    data = write_reviews(folder / "reviews.csv")
    train("sentiment", Settings(data=str(data), steps=80, eval_every=40, **SMALL), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(trained: Path) -> Run:
    return load(trained)


def test_learns_and_leaves_a_whole_folder(trained: Path, run: Run) -> None:
    metrics = run.evaluate()
    assert metrics["validation_accuracy"] == 1.0
    assert metrics["validation_loss"] < 0.69  # of guessing
    names = {path.name for path in trained.iterdir()}
    assert names >= {"classes.json", "vocabulary.json", "confusion.svg", "loss.png", "model.safetensors", "metrics.csv"}


def test_predicts_by_way_of_the_package(trained: Path) -> None:
    predictions = elman.load(trained).predict(["The food was really good", "It was uncooked"])
    assert [prediction.label for prediction in predictions] == ["good", "bad"]
    first = predictions[0]
    assert first.probability == max(first.probabilities.values())
    assert sum(first.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert [now.token for now in first.opinion] == ["The", "food", "was", "really", "good"]
    assert first.opinion[-1].probability == pytest.approx(first.probability)


def test_the_opinion_after_a_word_is_that_of_the_text_so_far(run: Run) -> None:
    text = "The soup was good bread was awful"
    opinion = run.predict([text])[0].opinion
    for place in range(1, 8):
        alone = run.predict([" ".join(text.split()[:place])], Options(opinion=False))[0]
        assert not alone.opinion
        assert opinion[place - 1].label == alone.label
        assert opinion[place - 1].probability == pytest.approx(alone.probability, abs=1e-5)


def test_a_text_of_unknown_words_and_one_of_none(run: Run) -> None:
    assert run.predict(["xyzzy plugh"])[0].label in ("good", "bad")
    with pytest.raises(UserError, match="text 2 of 2 is empty"):
        run.predict(["good", "  "])


def test_evaluates_other_data_with_tables(trained: Path, run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    rows = [("The soup was good", "good"), ("The soup was bad", "bad"), ("The rice was awful", "good")]
    other.write_text("\n".join(json.dumps({"review": text, "stars": label}) for text, label in rows))
    report = run.examine(other)
    assert report.metrics["accuracy"] == pytest.approx(2 / 3)
    confusion, classes, mistakes = report.tables
    assert confusion.rows == (("bad", 1, 0), ("good", 1, 1))
    assert classes.rows[0] == ("bad", 0.5, 1.0, pytest.approx(2 / 3), 1)
    assert [(row[0], row[1], row[3]) for row in mistakes.rows] == [("good", "bad", "The rice was awful")]
    other.write_text(json.dumps({"review": "good soup", "stars": "middling"}))
    with pytest.raises(UserError, match="line 1: label 'middling' was never seen in training"):
        run.examine(other)


def test_evaluate_writes_the_tables(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(trained), "--json"])
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["tables"]["classes"][0]["class"] == "bad"
    with (trained / "confusion.csv").open() as file:
        assert list(csv.reader(file)) == [["true class", "bad", "good"], ["bad", "6", "0"], ["good", "0", "6"]]
    main(["evaluate", str(trained)])
    shown = capsys.readouterr().out
    assert "validation accuracy" in shown
    assert "most confident mistakes" in shown


def test_predict_shows_the_opinion_or_json(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["predict", str(trained), "the food was good"])
    shown = capsys.readouterr().out
    assert shown.startswith("good  ")
    assert "the" in shown
    main(["predict", str(trained), "--json", "the food was good"])
    assert json.loads(capsys.readouterr().out)["label"] == "good"


def test_the_empty_rows_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_reviews(tmp_path / "reviews.csv", 40)
    data.write_text(data.read_text() + ',good\n" ",bad\n')
    Task.new(Settings(data=str(data))).prepare()
    assert "2 of 42 texts are empty and are skipped" in capsys.readouterr().err


@pytest.mark.parametrize("tokens", ["bpe", "characters"])
def test_other_tokens(tokens: Any, tmp_path: Path) -> None:
    data = write_reviews(tmp_path / "reviews.csv", 40)
    settings = Settings(data=str(data), tokens=tokens, steps=2, readout="mean", bidirectional=False, **SMALL)
    train("sentiment", settings, tmp_path / "run")
    prediction = load(tmp_path / "run").predict(["The bread was good"])[0]
    assert "".join(now.token for now in prediction.opinion).replace(" ", "") == "Thebreadwasgood"


def test_word_vectors_are_where_the_embedding_begins(tmp_path: Path) -> None:
    data = write_reviews(tmp_path / "reviews.csv", 40)
    vectors = tmp_path / "glove.txt"
    vectors.write_text("soup 1 2 3\nunheard 4 5 6\n")
    task = Task.new(Settings(data=str(data), vectors=str(vectors), embedding_size=3, ngrams="none", members=1, folds=0))
    task.prepare()
    model: Any = task.build_model()
    assert torch.equal(model.inputs.weight[task.vocabulary["soup"]], torch.tensor([1.0, 2.0, 3.0]))
    with pytest.raises(UserError, match="`embedding_size=3`, not 128"):
        Task.new(Settings(data=str(data), vectors=str(vectors))).prepare()


def test_a_long_text_is_read_from_its_end(tmp_path: Path) -> None:
    data = write_reviews(tmp_path / "reviews.csv", 40)
    task = Task.new(Settings(data=str(data), max_length=3, ngrams="none"))
    long, short = task.encode(["the soup was very good", "was very good"])
    assert np.array_equal(long, short)
    assert len(long) == 3


def test_settings_that_cannot_be() -> None:
    for wrong, message in (
        ({"word_dropout": 1.0}, "`word_dropout`"),
        ({"validation_share": 0.0}, "`validation_share`"),
        ({"vectors": "glove.txt", "tokens": "bpe"}, "`vectors`"),
        ({"max_length": 0}, "`max_length`"),
    ):
        with pytest.raises(UserError, match=message):
            Settings(**wrong)


@pytest.mark.parametrize("ngrams", ["none", "beside"])
def test_a_sample_of_the_validation_part(ngrams: str, tmp_path: Path) -> None:
    data = str(write_reviews(tmp_path / "reviews.csv", 400))
    more: dict[str, Any] = {"ngrams": ngrams, "steps": 8, "eval_every": 8, "validation_share": 0.25}
    train("sentiment", Settings(data=data, validation_sample=30, **more, **SMALL), tmp_path / "run")  # type: ignore[arg-type]
    task = load(tmp_path / "run").task
    whole, some = task.data.validation, task.read_examples("validation")
    assert (len(whole), len(some)) == (100, 30)
    assert list(some.names) == [whole.texts[place] for place in np.linspace(0, 99, 30).astype(int).tolist()]
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    seen = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
    assert float(seen["validation_accuracy"]) * 30 == pytest.approx(round(float(seen["validation_accuracy"]) * 30))
    run = load(tmp_path / "run")
    measured = run.evaluate()
    answers = [one.label for one in run.predict(list(whole.texts))]
    truth = np.array(task.data.classes)[whole.labels]
    assert measured["validation_accuracy"] == pytest.approx(np.mean(np.array(answers) == truth))
