"""Runs of the task `parity`: even or odd, the sum of two marked numbers, ten symbols after a silence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from elman.errors import UserError, one_line_of
from elman.runtime.classifier import Classifier
from elman.runtime.model import Model
from elman.runtime.predictions import Prediction
from elman.runtime.recurrent import Shape, Weights, softmax
from elman.runtime.streams import ClassStream
from elman.runtime.tensors import Floats

ANSWERS = ("NO", "YES")
BLANK, RECALL, REMEMBERED = 8, 9, 10
"""Copy memory: nothing to remember, the sign to write down, and how many symbols there are."""
SYMBOLS = RECALL + 1
BITS, MARKED = 4, 2
"""Numbers that a step reads: of the embedding of a bit, and of a number and its mark."""


class ParityPrediction(Prediction):
    """YES or NO, and how probable that answer is."""

    input: str
    answer: str
    probability: float

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.answer}")


class SumPrediction(Prediction):
    """The sum that the network gives, and the right one."""

    input: str
    answer: float
    sum: float

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.answer:.3f}")


class CopyPrediction(Prediction):
    """The symbols that the network writes after the silence; "-" for a blank."""

    input: str
    answer: str

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.answer}")


class ParityModel(Model):
    """A network for one of the problems of memory."""

    task, takes = "parity", "strings of 0s and 1s, or what the run's problem takes"

    def build(self, weights: Weights) -> None:
        """The problem's network."""
        s = self.settings
        self.problem = s.text("problem", "parity", ("parity", "adding", "copy"))
        self.silence = s.integer("max_length", 40, 1, 100_000)
        shape = Shape.of(s, hidden_size=16)
        if self.problem == "adding":
            self.model = Classifier(weights, "", None, MARKED, shape, 1, s)
            return
        symbols, size, outputs = (2, BITS, len(ANSWERS)) if self.problem == "parity" else (SYMBOLS, SYMBOLS, SYMBOLS)
        table = weights.take("inputs.weight", symbols, size)
        self.model = Classifier(weights, "", table, size, shape, outputs, s)

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[Prediction]:
        """The answer to each input."""
        texts = [self.text_of(one, number, len(inputs)) for number, one in enumerate(inputs, 1)]
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> Prediction:
        if self.problem == "parity":
            shares = softmax(self._scores(read_bits(text)))
            given = int(shares.argmax())
            return ParityPrediction(text, ANSWERS[given], float(shares[given]))
        if self.problem == "adding":
            pairs = read_marked(text)
            return SumPrediction(text, float(self._scores(pairs)[0]), float(pairs.prod(axis=1).sum()))
        symbols = read_symbols(text)
        silence = np.full(self.silence + REMEMBERED, BLANK)
        silence[-REMEMBERED - 1] = RECALL
        scores = self.model.prefix_scores(np.concatenate([symbols, silence]))
        said = scores[-REMEMBERED:].argmax(axis=1).tolist()
        return CopyPrediction(text, "".join(str(symbol) if symbol < BLANK else "-" for symbol in said))

    def _scores(self, x: Floats) -> Floats:
        scores: Floats = self.model(x[:, None], np.array([len(x)]))[0]
        return scores

    def stream(self) -> ClassStream:
        """A stream that reads bits and says YES or NO of all so far; of the problem parity alone.

        Raises:
            UserError: another problem.
        """
        if self.problem != "parity":
            raise UserError(f"`problem={self.problem}` has no streams; give all of an input to `predict`")
        return ClassStream(self.model, ANSWERS, read_bits)


def read_bits(text: str) -> Floats:
    """(T,) the bits of a string such as 1000010101.

    Raises:
        UserError: it is empty, or has something else than 0 and 1.
    """
    bits = text.strip()
    if not bits:
        raise UserError("there are no bits to read; give a string such as 1000010101")
    wrong = next((place for place, bit in enumerate(bits) if bit not in "01"), None)
    if wrong is not None:
        raise UserError(f"{bits[wrong]!r} at place {wrong + 1} of {bits[:60]!r} is neither 0 nor 1")
    return np.frombuffer(bits.encode(), np.uint8) & 1  # type: ignore[return-value]  # whole numbers, as tokens are


def read_marked(text: str) -> Floats:
    """(T, 2) numbers such as "0.1 0.5* 0.3 0.8*", each with 1 where it is marked and 0 elsewhere.

    Raises:
        UserError: a word is no number from 0 to 1, or other than two are marked.
    """
    pairs = []
    for place, word in enumerate(text.split(), 1):
        try:
            value = float(word.removesuffix("*"))
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            raise UserError(f"{word[:40]!r} at place {place} is no number from 0 to 1")
        pairs.append((value, float(word.endswith("*"))))
    marked = sum(mark for _, mark in pairs)
    if marked != 2:
        raise UserError(f"{marked:.0f} numbers are marked by a *; mark two, as in: 0.1 0.5* 0.3 0.8*")
    return np.array(pairs, np.float32)


def read_symbols(text: str) -> Floats:
    """(10,) ten digits such as 0123456712.

    Raises:
        UserError: there are not ten, or one is not from 0 to 7.
    """
    symbols = text.strip()
    if len(symbols) != REMEMBERED or not all("0" <= symbol < str(BLANK) for symbol in symbols):
        raise UserError(f"{symbols[:40]!r} is not {REMEMBERED} digits from 0 to {BLANK - 1}, as 0123456712 is")
    return np.array([int(symbol) for symbol in symbols])


MODEL = ParityModel
