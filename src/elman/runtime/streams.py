"""A classifier that is given its sequence piece by piece: its answer to all that came so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.runtime.classifier import Classifier, Scorer
from elman.runtime.predictions import ClassPrediction, class_prediction
from elman.runtime.recurrent import State, softmax
from elman.runtime.tensors import Array, Floats


class ClassStream:
    """Reads pieces of one sequence; memory does not grow with it.

    Arguments:
        read: from what `push` is given to x (T, ...).

    Raises:
        UserError: the network also reads backwards, so that its answer needs the whole sequence.
    """

    def __init__(self, model: Classifier, classes: Sequence[str], read: Callable[[Any], Floats]) -> None:
        if model.shape.bidirectional:
            raise UserError(
                "this run also reads from the end, so that it has no answer before it; train with `bidirectional=False`"
            )
        self._model, self._classes, self._read = model, classes, read
        self._state: State = ()
        self._count = 0
        # what readouts need of the states so far: the last, their sum and maximum, and attention's weighted sum
        self._last = self._total = self._largest = self._weighted = np.zeros(0, np.float32)
        self._weight, self._top = 0.0, -np.inf

    def push(self, piece: Any) -> ClassPrediction:
        """Read a piece, and answer as if the sequence ended with it.

        Raises:
            UserError: the piece cannot be read, or nothing has come yet.
        """
        x = self._read(piece)
        if len(x):
            states, self._state = self._model.recurrent(self._model.inputs(x[:, None]), self._state)
            self._take_in(states[:, 0])
        if not self._count:
            raise UserError("nothing has come yet; give some of the sequence")
        shares: list[float] = softmax(self._model.answer(self._pooled())).tolist()
        return class_prediction(piece if isinstance(piece, str) else "stream", self._classes, shares)

    def _take_in(self, states: Floats) -> None:
        first, self._last = not self._count, states[-1]
        self._count += len(states)
        total, largest = states.sum(axis=0), states.max(axis=0)
        self._total = total if first else self._total + total
        self._largest = largest if first else np.maximum(self._largest, largest)
        if self._model.attention is not None:
            weight, bias = self._model.attention
            scores = (states @ weight.T + bias)[:, 0]
            top = max(self._top, float(scores.max()))
            powers = np.exp(scores - top)
            before = float(np.exp(self._top - top))
            self._weight = self._weight * before + float(powers.sum())
            weighted = (powers[:, None] * states).sum(axis=0)
            self._weighted = weighted if first else self._weighted * np.float32(before) + weighted
            self._top = top

    def _pooled(self) -> Floats:
        mean = self._total / np.float32(self._count)
        readout = self._model.readout
        if readout == "attention":
            return self._weighted / np.float32(self._weight)
        by_name = {"last": self._last, "mean": mean, "sum": self._total, "max": self._largest}
        return by_name[readout] if readout in by_name else np.concatenate([mean, self._largest])


class RereadingStream:
    """Reads pieces of one sequence, and with each all of it anew.

    Arguments:
        read: from what `push` is given to x (T, ...).
        most: steps that are read, at most.
    """

    def __init__(self, model: Scorer, classes: Sequence[str], read: Callable[[Any], Array], most: int) -> None:
        self._model, self._classes, self._read, self._most = model, classes, read, most
        self._pieces: list[Array] = []

    def push(self, piece: Any) -> ClassPrediction:
        """Read a piece, and answer as if the sequence ended with it.

        Raises:
            UserError: the piece cannot be read, nothing has come yet, or too much has.
        """
        x = np.concatenate([*self._pieces, self._read(piece)])
        if len(x) > self._most:
            raise UserError(
                f"the text has more than {self._most:,} tokens, and a stream reads no more; give all of it to `predict`"
            )
        if not len(x):
            raise UserError("nothing has come yet; give some of the sequence")
        self._pieces = [x]
        shares: list[float] = softmax(self._model(x[:, None], np.array([len(x)])))[0].tolist()
        return class_prediction(piece if isinstance(piece, str) else "stream", self._classes, shares)
