"""A classifier of texts with counted n-grams beside: trained, weighed, saved, loaded, asked."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from elman.models.classification.ngrams import WithNgrams
from elman.run import Run, load
from elman.tasks.classification.comparison import Baseline, say_comparison
from elman.tasks.sentiment import Options, Settings, Task
from elman.training.checkpoint import save_weights
from elman.training.run_folder import RunFolder
from elman.training_run import train


def write(path: Path, count: int = 60) -> Path:
    """Texts whose class hangs on one word among many rare ones."""
    generator = np.random.default_rng(0)
    rows = ["text,label"]
    for number in range(count):
        words = [f"w{word}" for word in generator.integers(0, 300, 12)]
        words.insert(int(generator.integers(0, 12)), ("good", "bad")[number % 2])
        rows.append(f"{' '.join(words)},{('pos', 'neg')[number % 2]}")
    path.write_text("\n".join(rows))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ngrams")
    data = str(write(folder / "a.csv"))
    settings = Settings(data=data, steps=10, hidden_size=8, embedding_size=8, members=2, folds=4, batch_size=16)
    train("sentiment", settings, folder / "run")
    return load(folder / "run")


def test_by_default_ngrams_stand_beside_and_bring_what_the_network_lacks(run: Run) -> None:
    assert run.task.settings.ngrams == "beside"
    assert isinstance(run.model, WithNgrams)
    assert run.evaluate()["validation_accuracy"] > 0.8
    assert run.model.shares[1] > 0
    sizes = json.loads((run.folder.path / "ngrams.json").read_text())
    assert sizes["sets"] == 2  # one for each member, which never saw its fold


def test_a_member_s_counts_have_not_seen_its_fold(run: Run) -> None:
    task = Task.new(run.task.settings)
    assert task._left_out_of is not None
    assert isinstance(run.model, WithNgrams)
    other = WithNgrams(run.model.network, task._counts, 400)
    torch.testing.assert_close(other.counts.weight, run.model.counts.weight)
    assert not torch.equal(other.counts.weight[0], other.counts.weight[1])


def test_a_loaded_run_answers_as_the_trained_one(run: Run, tmp_path: Path) -> None:
    again = load(run.folder.path)
    one, other = (each.predict(["w1 w2 good w3", "w4 bad"]) for each in (run, again))
    assert [each.to_json() for each in one] == [each.to_json() for each in other]
    assert [each.to_json()["label"] for each in one] == ["pos", "neg"]
    quick = run.predict(["w1 w2 good w3"], Options(opinion=False))[0]
    assert quick.to_json()["probability"] == pytest.approx(one[0].to_json()["probability"], rel=1e-4)


def test_of_a_long_text_the_counts_read_more_than_the_network(tmp_path: Path) -> None:
    settings = Settings(data=str(write(tmp_path / "a.csv")), max_length=5, members=1, folds=0, steps=1, hidden_size=4)
    task = Task.new(settings)
    assert max(map(len, task.examples("train").sequences)) == 13
    assert len(task.shown(0, 0)) == 5
    task.prepare()
    torch.manual_seed(0)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.write_settings("sentiment", task.settings)
    task.save(folder.path)
    save_weights(folder.weights, task.build_model(), {"step": 0})
    loaded = load(folder.path)
    text = "good " + " ".join(["w1"] * 30)
    assert len(loaded.predict([text])[0].to_json()["opinion"]) == 5
    assert loaded.inspection_example(text).inputs["x"].shape[0] == 5


def test_the_network_alone_when_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data=str(write(tmp_path / "a.csv")), ngrams="none", members=1, folds=0, steps=2, eval_every=2)
    with caplog.at_level(logging.INFO, "elman"):
        train("sentiment", settings, tmp_path / "run")
    assert not isinstance(load(tmp_path / "run").model, WithNgrams)
    assert "the answers join" not in caplog.text


def test_the_comparison_says_whose_the_answers_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    data = str(write(tmp_path / "a.csv", 40))
    train("sentiment", Settings(data=data, steps=1, hidden_size=4, members=1, folds=0), tmp_path / "run")
    run = load(tmp_path / "run")
    assert isinstance(run.model, WithNgrams)
    assert isinstance(run.task, Task)
    for shares, name, larger in (
        ((1.0, 2.0), "network with n-grams", True),
        ((1.0, 0.0), "network (its n-grams weigh 0)", True),
        ((0.0, 2.0), "answer of counted n-grams (the network weighs 0)", False),
    ):
        run.model.shares.copy_(torch.tensor(shares))
        told, advice = run.task.answering(run.model)
        assert (told, "larger" in advice) == (name, larger)
    assert run.task.answering(run.model.network)[0] == "network"
    caplog.clear()
    say_comparison(0.5, 10, [Baseline("tf-idf", 0.75)], "give more texts", "network with n-grams")
    assert "10 examples: network with n-grams 50.0%; tf-idf 75.0%" in caplog.text
    assert "the network with n-grams is behind: tf-idf does better on validation; give more texts" in caplog.text
