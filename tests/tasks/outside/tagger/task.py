"""A whole task in one file: its settings, its data, its loss, its metrics and its predictions."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.batching import IGNORE_INDEX, Buckets, pad_sequences, process_share
from elman.errors import UserError
from elman.insight.example import InspectionExample
from elman.models.classifier import Classifier
from elman.models.losses import token_loss
from elman.training.checks.ranges import UNITS, Ranges
from elman.training.recurrent_settings import RecurrentSettings
from elman.training.task import Carry, Loss, Prediction
from elman.training.task import Task as BaseTask

UNKNOWN = "<unk>"


@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """A tagger and its training."""

    data: str
    """A text file with one sentence a line, each word as word/TAG."""
    embedding_size: int = 8
    """Size of the vector that stands for a word."""

    RANGES: ClassVar[Ranges] = {"embedding_size": UNITS}
    """What each number may be."""

    def own_sources(self) -> tuple[str, ...]:
        return ("data",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """There is nothing to choose."""


@dataclass(frozen=True)
class TaggedSentence(Prediction):
    """A sentence and a tag for each of its words."""

    input: str
    tags: tuple[str, ...]

    def show(self) -> str:
        """word/TAG word/TAG ..."""
        return " ".join(f"{word}/{tag}" for word, tag in zip(self.input.split(), self.tags, strict=True))


class Task(BaseTask[Settings]):
    """A tag for each word."""

    name = "tagger"
    inputs = "sentences"
    metric = "accuracy"
    higher_is_better = True
    unit = "words"
    answer_kind = "classes at every step"
    options_type = Options

    @cached_property
    def sentences(self) -> list[list[list[str]]]:
        """Pairs of word and tag; every fifth sentence is held out."""
        lines = Path(self.settings.data).read_text(encoding="utf-8").splitlines()
        return [[pair.rsplit("/", 1) for pair in line.split()] for line in lines]

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """The known words and tags."""
        pairs = [pair for sentence in self.sentences for pair in sentence]
        return {"words": [UNKNOWN, *sorted({word for word, _ in pairs})], "tags": sorted({tag for _, tag in pairs})}

    def learned_from(self) -> dict[str, Iterable[Any]]:
        return {"sentences": self.sentences}

    def save(self, folder: Path) -> None:
        (folder / "names.json").write_text(json.dumps(self.names), encoding="utf-8")

    def restore(self, folder: Path) -> None:
        self.names = json.loads((folder / "names.json").read_text(encoding="utf-8"))

    def prepare(self) -> None:
        _ = self.train, self.buckets

    @cached_property
    def train(self) -> list[list[list[str]]]:
        return [one for number, one in enumerate(self.sentences) if number % 5]

    @cached_property
    def buckets(self) -> Buckets:
        return Buckets([len(one) for one in self.train], self.settings.effective_batch_size, self.settings.seed)

    def build_model(self) -> nn.Module:
        s = self.settings
        words = nn.Embedding(len(self.names["words"]), s.embedding_size)
        return Classifier(words, s.shape(s.embedding_size), len(self.names["tags"]), dropout=s.dropout)

    def encode(self, words: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
        known = self.names["words"]
        return np.array([known.index(word) if word in known else 0 for word in words], dtype=np.int64)

    def sides(self, sentences: Sequence[Sequence[Sequence[str]]]) -> tuple[Tensor, Tensor, Tensor]:
        x, lengths = pad_sequences([self.encode([word for word, _ in one]) for one in sentences])
        tags = [np.array([self.names["tags"].index(tag) for _, tag in one], dtype=np.int64) for one in sentences]
        return x, lengths, pad_sequences(tags, IGNORE_INDEX)[0]

    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, Tensor, Tensor]:
        share, counts = process_share(self.buckets.batch(step), rank, world)
        x, lengths, targets = self.sides([self.train[number] for number in share.tolist()])
        return x, lengths, targets if counts else torch.full_like(targets, IGNORE_INDEX)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor], carry: Carry) -> Loss:
        x, lengths, targets = batch
        return Loss(*token_loss(model(x, lengths, every_step=True), targets))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        x, lengths, targets = self.sides(self.sentences[::5])
        scores = model(x, lengths, every_step=True)
        total, count = token_loss(scores, targets)
        right = (scores.argmax(-1) == targets)[targets != IGNORE_INDEX].double().mean()
        return {"loss": float(total) / count, "accuracy": float(right)}

    def predict(self, model: nn.Module, inputs: Sequence[str], options: Options) -> list[Prediction]:
        return [TaggedSentence(text, self.tags(model, text)) for text in inputs]

    def tags(self, model: nn.Module, text: str) -> tuple[str, ...]:
        if not text.split():
            raise UserError("the sentence is empty; give one with words")
        ids = torch.from_numpy(self.encode(text.split())).unsqueeze(1)
        best = model(ids, torch.tensor([len(ids)]), every_step=True)[:, 0].argmax(-1)
        return tuple(self.names["tags"][number] for number in best.tolist())

    def inspection_example(self, model: nn.Module, given: str) -> InspectionExample:
        ids = torch.from_numpy(self.encode(given.split()))
        targets = torch.tensor([self.names["tags"].index(tag) for tag in self.tags(model, given)])
        inputs = {"x": ids.unsqueeze(1), "lengths": torch.tensor([len(ids)]), "every_step": True}
        return InspectionExample(inputs, tuple(f"{word} " for word in given.split()), targets)
