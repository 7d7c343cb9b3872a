"""Weights of fewer bits: what they lose is measured on the validation part, and refused where it is too much."""

from __future__ import annotations

from pathlib import Path

import pytest

import elman
from elman.errors import UserError
from elman.export.onnx.file import Facts, read_checked
from tests.export.onnx.graphs import APART, Session

ROUNDED = ("sentiment-words", "language-characters", "forecasting-direct", "translation-dot")


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("name", ROUNDED)
def test_rounded_weights_are_measured(name: str, precision: str, here: Path) -> None:
    run = elman.load(name)
    done = run.export("onnx", here / "small.onnx", precision)
    facts = Facts.read(Session(read_checked(done.path), "the file").metadata, done.path)
    assert facts.measured == dict(done.measured)
    assert facts.precision == precision
    again = elman.load(done.path).examine().metrics
    assert again[f"validation_{run.task.metric}"] == pytest.approx(done.measured["file"], abs=APART)


def test_what_rounding_loses_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.export.onnx.measure.MOST_LOST", -1.0)
    monkeypatch.setattr("elman.export.onnx.measure.SMALL", -1.0)
    with pytest.raises(UserError, match="`precision=int8` loses too much: loss on the validation part is"):
        elman.load("language-characters").export("onnx", "small.onnx", "int8")
    assert not (here / "small.onnx").exists()


def test_rounding_is_not_measured_on_data_that_are_gone(here: Path) -> None:
    (here / "data/rhyme.txt").unlink()
    with pytest.raises(UserError, match=r"rhyme\.txt"):
        elman.load("language-characters").export("onnx", "small.onnx", "int8")
    assert not (here / "small.onnx").exists()
    elman.load("language-characters").export("onnx", "small.onnx")  # float32 needs none
