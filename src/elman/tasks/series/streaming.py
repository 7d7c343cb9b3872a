"""A series that comes step by step, and its class after each piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError
from elman.tasks.classification.prediction import ClassPrediction
from elman.training.predicting.input_stream import Event, InputStream

MOST_STEPS = 100_000
"""Of a series that is read anew after each piece."""


class SeriesStream(InputStream):
    """The class of what has come so far. What scales and patches a series needs all of it, so that it is read anew.

    With `scale=series` each answer is by the size of what has come until then, as if the series ended there.

    Arguments:
        channels: I.
        judge: the prediction for a series (T, I).
    """

    takes: ClassVar[Literal["text", "numbers", "sound"]] = "numbers"

    def __init__(self, channels: int, judge: Callable[[NDArray[np.float32]], ClassPrediction]) -> None:
        self._channels = channels
        self._judge = judge
        self._values = np.zeros((0, channels), np.float32)

    def push(self, piece: Any) -> Iterator[Event]:
        """An event "opinion" after the steps (t, I), or (t,) of one channel, that follow."""
        try:
            values = np.asarray(piece, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise UserError("the steps are no lists of numbers of one length; give one inner list a step") from error
        if values.ndim == 1 and self._channels == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != self._channels or not np.isfinite(values).all():
            raise UserError(f"the steps have shape {values.shape}; give finite numbers (steps, {self._channels})")
        if len(self._values) + len(values) > MOST_STEPS:
            raise UserError(f"the series has more than {MOST_STEPS:,} steps, and no more are read; begin another")
        self._values = np.concatenate([self._values, values])
        if len(values):
            found = self._judge(self._values).to_json()
            yield {"event": "opinion", "steps": len(self._values), **{k: v for k, v in found.items() if k != "input"}}
