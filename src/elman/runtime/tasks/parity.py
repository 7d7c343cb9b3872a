"""Runs of the task `parity`: even or odd, the sum of two marked numbers, ten symbols after a silence."""

from __future__ import annotations

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
from elman.runtime.text.memory_problems import BLANK, RECALL, REMEMBERED, read_bits, read_marked, read_symbols

ANSWERS = ("NO", "YES")
TOKENS = RECALL + 1
"""Copy memory: the symbols, the blank, and the sign to write down."""
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
        symbols, size, outputs = (2, BITS, len(ANSWERS)) if self.problem == "parity" else (TOKENS, TOKENS, TOKENS)
        table = weights.take("inputs.weight", symbols, size)
        self.model = Classifier(weights, "", table, size, shape, outputs, s)

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[Prediction]:
        """The answer to each input."""
        texts = [self.text_of(one, number, len(inputs)) for number, one in enumerate(inputs, 1)]
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> Prediction:
        if self.problem == "parity":
            shares = softmax(self._scores(_bits(text)))
            given = int(shares.argmax())
            return ParityPrediction(text, ANSWERS[given], float(shares[given]))
        if self.problem == "adding":
            pairs = np.array(read_marked(text), np.float32)
            return SumPrediction(text, float(self._scores(pairs)[0]), float(pairs.prod(axis=1).sum()))
        symbols = np.array(read_symbols(text))
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
        return ClassStream(self.model, ANSWERS, _bits)


def _bits(text: str) -> Floats:
    return np.array(read_bits(text))  # whole numbers, as tokens are


MODEL = ParityModel
