"""Runs of the task `captioning`: what is to be seen in a picture, from the features of the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elman.errors import UserError, one_line_of
from elman.runtime.arrays import FORMS, read_features
from elman.runtime.captioner import Captioner
from elman.runtime.files import COPY, read_json
from elman.runtime.model import Model, named
from elman.runtime.predictions import Prediction
from elman.runtime.records import Record
from elman.runtime.recurrent import Shape, Weights, softmax
from elman.runtime.sampling import Hypothesis, check_sampling, search, uniform, write_one
from elman.runtime.tensors import Floats
from elman.runtime.text.vocabulary import SPECIAL, Vocabulary

LARGEST_FEATURE, MOST_BEAM = 1_000_000, 1000
AT_ONCE = 250
"""Pictures that elman captions together, which decides the number of each draw."""


class WordChoice(Record):
    """How probable a word was, and what would have been the next best."""

    word: str
    probability: float
    runner_up: str
    runner_up_probability: float


class Caption(Prediction):
    """What a captioner writes about one picture, the probability of all of it, and the words where asked for."""

    input: str
    caption: str
    probability: float
    words: tuple[WordChoice, ...] = ()

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.caption}  ({self.probability:.2g})")


class CaptioningModel(Model):
    """A captioner and its vocabulary."""

    task, takes = "captioning", "files of features (.npz, .npy, .safetensors), or vectors (D,)"

    def build(self, weights: Weights) -> None:
        """Vocabulary, and the network for features of the run's size."""
        s = self.settings
        self.vocabulary = Vocabulary.load(self.folder / "vocabulary.json", "words", SPECIAL)
        path = self.folder / "features.json"
        facts = read_json(path, "size of features")
        size = facts.get("size") if isinstance(facts, dict) else None
        if type(size) is not int or not 1 <= size <= LARGEST_FEATURE:
            raise UserError(f"{path} is damaged: it names no size of features; {COPY}")
        self.size: int = size
        E, shape = s.integer("embedding_size", 256, 1), Shape.of(s, hidden_size=512)
        self.captioner = Captioner(weights, s, len(self.vocabulary), self.size, E, shape)
        self.longest, self.beam = s.integer("longest", 30, 1, 10_000), s.integer("beam", 3, 1, MOST_BEAM)
        self.penalty = s.number("length_penalty", 0.7, 0, 100)
        self._banned = [
            token for token in (self.vocabulary.pad, self.vocabulary.unk, self.vocabulary.bos) if token is not None
        ]
        self._begin, self._end = self.vocabulary.numbered["<bos>"], self.vocabulary.numbered["<eos>"]

    def is_one(self, inputs: Sequence[Any]) -> bool:
        """A list of numbers is one vector."""
        return bool(inputs) and all(isinstance(one, int | float) for one in inputs)

    def options(self) -> dict[str, Any]:
        """How captions are written, and whether each word is explained."""
        return {"beam": None, "temperature": 0.0, "top_k": 0, "seed": 1, "explain": False}

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[Caption]:
        """A caption for each picture, with its probability."""
        temperature, top_k, beam = float(options["temperature"]), options["top_k"], options["beam"]
        check_sampling(temperature, top_k)
        beam = (1 if temperature else self.beam) if beam is None else beam
        if not 1 <= beam <= MOST_BEAM or (beam > 1 and temperature):
            raise UserError(f"`beam` is {beam}; it is from 1 to {MOST_BEAM:,}, and 1 beside a `temperature`")
        names, vectors = self._features(inputs)
        found = []
        for number, (name, vector) in enumerate(zip(names, vectors, strict=True)):
            together = min(AT_ONCE, len(vectors) - number // AT_ONCE * AT_ONCE)
            written = self._written(vector, beam, temperature, top_k, options["seed"], number % AT_ONCE, together)
            words = self._explained(vector, written) if options["explain"] else ()
            text = " ".join(self.vocabulary.tokens[token] for token in written.tokens)
            found.append(Caption(name, text, math.exp(written.log_probability), words))
        return found

    def _written(
        self, vector: Floats, beam: int, temperature: float, top_k: int, seed: int, place: int, together: int
    ) -> Hypothesis:
        step, state, marks = self.captioner.step, self.captioner.start(vector), (self._begin, self._end, self._banned)
        if beam > 1:
            return search(step, state, *marks, self.longest, beam, self.penalty)

        def chance(number: int) -> float:
            return uniform(seed, number * together + place)

        return write_one(step, state, *marks, self.longest, temperature, top_k, chance)

    def _explained(self, vector: Floats, written: Hypothesis) -> tuple[WordChoice, ...]:
        state, rows = self.captioner.start(vector), []
        before = [self._begin, *written.tokens]
        for token, target in zip(before, [*written.tokens, *[self._end] * written.ended], strict=False):
            logits, state = self.captioner.step([token], state)
            logits[:, self._banned] = -np.inf
            chances = softmax(logits[0])
            others = chances.copy()
            others[target] = 0
            second, tokens = int(others.argmax()), self.vocabulary.tokens
            rows.append(WordChoice(tokens[target], float(chances[target]), tokens[second], float(chances[second])))
        return tuple(rows)

    def _features(self, inputs: list[Any]) -> tuple[list[str], Floats]:
        names, parts = list[str](), list[Floats]()
        for number, given in enumerate(inputs, 1):
            if isinstance(given, str | Path):
                path = Path(given)
                if path.suffix not in FORMS:
                    raise UserError(
                        f"{path} is no file of features; give {', '.join(FORMS)}, as the command features makes"
                    )
                own, vectors = read_features(path)
                names += own
            else:
                vectors = self._vector(given, number)
                names.append(f"picture {number}")
            if vectors.shape[1] != self.size:
                raise UserError(
                    f"input {number} has {vectors.shape[1]} numbers for a picture, and the run's have {self.size}"
                )
            parts.append(vectors)
        return names, np.concatenate(parts)

    def _vector(self, given: Any, number: int) -> Floats:
        if not (hasattr(given, "__array__") or isinstance(given, list | tuple)):
            raise UserError(f"input {number} is {named(given)}; a captioning run takes {self.takes}")
        try:
            vector = np.asarray(given, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"input {number} is no vector of numbers ({str(error)[:80]}); give one of {self.size}"
            ) from error
        if vector.ndim != 1 or not np.isfinite(vector).all():
            raise UserError(
                f"input {number} has shape {vector.shape}, or numbers that are not finite; give a vector of {self.size}"
            )
        return vector[None]


MODEL = CaptioningModel
