"""The task `language` on texts that stay on disk, and on a sample of the validation part."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import torch

from elman.data.text import corpora
from elman.run import load
from elman.tasks.language.prediction import Continuation
from elman.tasks.language.settings import Options, Settings
from elman.tasks.language.task import Task
from elman.training.tensor_files import read_tensors
from elman.training_run import train

TEXT = "It was the best of times, it was the worst of times,\nit was the age of wisdom ...\n" * 40


def settings(data: Path, **more: Any) -> Settings:
    small: dict[str, Any] = {"hidden_size": 8, "embedding_size": 4, "batch_size": 4, "chunk": 8, "steps": 6}
    return Settings(data=(str(data),), **(small | {"eval_every": 3, "checkpoint_every": 3, "dropout": 0.0} | more))


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_a_text_on_disk_trains_to_the_same_bits(
    text: Path, tmp_path: Path, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("language", settings(text, tokens=tokens), tmp_path / "small")
    monkeypatch.setattr(corpora, "LARGE_BYTES", 100)
    train("language", settings(text, tokens=tokens), tmp_path / "large")
    one, other = (read_tensors(tmp_path / name / "model.safetensors")[0] for name in ("small", "large"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert load(tmp_path / "large").evaluate() == load(tmp_path / "small").evaluate()


def test_a_packed_text_is_the_text(text: Path, tmp_path: Path) -> None:
    packed = tmp_path / "text.txt.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    plain, other = Task.new(settings(text)), Task.new(settings(packed))
    assert plain.vocabulary.tokens == other.vocabulary.tokens
    for step in range(5):
        for a, b in zip(plain.batch(step, 0, 1), other.batch(step, 0, 1), strict=True):
            assert a is b or torch.equal(a, b)  # type: ignore[arg-type]


def test_training_looks_at_a_sample_of_the_validation_part_and_evaluation_at_all_of_it(text: Path) -> None:
    task = Task.new(settings(text, validation_sample=160, validation_share=0.5))
    whole = len(task.encoded.validation)
    assert task.streams_of_validation(16, 160).targets_per_epoch == 159
    assert task.streams_of_validation(1).targets_per_epoch == whole - 1
    model = task.build_model().eval()
    with torch.no_grad():
        sampled, exact = task.evaluate(model), task.examine(model).metrics
        more = Task.new(settings(text, validation_sample=10 * whole, validation_share=0.5)).evaluate(model)
        every = Task.new(settings(text, validation_share=0.5)).evaluate(model)
    assert sampled["loss"] != exact["validation_loss"]
    assert sampled["loss"] == pytest.approx(exact["validation_loss"], abs=0.2)
    assert more == every


def test_a_prompt_of_no_tokens_is_a_beginning(text: Path) -> None:
    task = Task.new(settings(text, tokens="words"))
    model = task.build_model().eval()
    said, begun = task.predict(model, [" ", ""], Options(length=7))
    assert isinstance(said, Continuation)
    assert isinstance(begun, Continuation)
    assert (said.prompt, said.text) == (" ", begun.text)
