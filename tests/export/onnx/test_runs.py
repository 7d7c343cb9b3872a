"""Small runs of every task, exported: predictions, metrics and texts are the run's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.export.onnx.file import read_checked
from elman.export.onnx.running.session import Session
from tests.export.onnx.graphs import APART
from tests.old_runs.test_old_runs import EXPECTED, as_json, command


def assert_alike(got: Any, want: Any, where: str = "") -> None:
    """The same labels and texts, and numbers within what is promised."""
    assert type(got) is type(want), where
    if isinstance(want, dict):
        assert got.keys() == want.keys(), where
        for name, value in want.items():
            assert_alike(got[name], value, f"{where}/{name}")
    elif isinstance(want, list):
        assert len(got) == len(want), where
        for number, (one, other) in enumerate(zip(got, want, strict=True)):
            assert_alike(one, other, f"{where}/{number}")
    elif isinstance(want, float):
        assert got == pytest.approx(want, rel=APART, abs=APART), where
    else:
        assert got == want, where


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    """What a command prints as JSON, line by line."""
    command(*words, "--json")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_predicts_and_measures_as_its_run(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = said(capsys, "export", name, "--to", "onnx", "--out", "taken/away.onnx")[0]
    assert facts["difference"] <= APART
    assert facts["bytes"] == (here / "taken/away.onnx").stat().st_size
    run = elman.load(name)
    inputs = EXPECTED[name]["inputs"]
    want = [as_json(one) for one in run.predict(inputs)], as_json(run.evaluate())
    shutil.rmtree(name)  # the file is all there is
    got = said(capsys, "predict", "taken/away.onnx", *inputs)
    assert_alike(got, want[0])
    (figures,) = said(capsys, "evaluate", "taken/away.onnx")
    assert_alike({key: figures[key] for key in want[1]}, want[1])
    assert (figures["run"], figures["task"]) == ("taken/away.onnx", EXPECTED[name]["task"])
    assert [one.name for one in (here / "taken").iterdir()] == ["away.onnx"]


def test_a_language_model_goes_on_as_its_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    command("export", "language-words", "--to", "onnx")
    capsys.readouterr()
    for place in ("language-words", "language-words/model.onnx"):
        command("sample", place, "--prompt", "four", "--length", "30", "--samples", "2", "--temperature", "0.5")
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_the_metadata_are_all_that_another_program_needs(here: Path) -> None:
    """onnxruntime alone: words by the vocabulary of the metadata, probabilities by the names of the classes there."""
    run = elman.load("sentiment-words")
    path = run.export().path
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    session = InferenceSession(path)
    metadata = session.get_modelmeta().custom_metadata_map
    tokenizer = Tokenizer.from_str(metadata["elman.file.vocabulary.json"])
    classes = json.loads(metadata["elman.file.classes.json"])
    ids = np.array(tokenizer.encode("the food was good").ids)[:, None]
    (shares,) = session.run(["probabilities"], {"x": ids})
    (want,) = run.predict("the food was good")
    assert dict(zip(classes, shares[0], strict=True)) == pytest.approx(want.probabilities, abs=APART)  # type: ignore[attr-defined]


def test_series_go_in_as_they_were_measured(here: Path) -> None:
    """The scale is inside the graph."""
    run = elman.load("series-memory")
    session = Session(read_checked(run.export().path), "the file")
    values = np.random.default_rng(0).normal(size=(9, 2), scale=5).astype(np.float32)[:, : run.task.channels]  # type: ignore[attr-defined]
    (shares,) = session(["probabilities"], x=values[:, None])
    (want,) = run.predict([values])
    assert shares[0].tolist() == pytest.approx(list(want.probabilities.values()), abs=APART)  # type: ignore[attr-defined]
