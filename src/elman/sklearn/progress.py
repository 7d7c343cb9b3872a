"""The setting `verbose` of estimators: how far a training is, a line now and then on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from elman.training.progress import Bar, Display, display, use_display

SECONDS = 2.0
"""Between two lines, at least."""


class _Lines(Bar):
    def __init__(self, name: str, steps: int, every: float) -> None:
        self._name, self._steps, self._every = name, steps, every
        self._said, self._loss = time.monotonic(), ""

    def step(self, done: int) -> None:
        if done == self._steps or time.monotonic() - self._said >= self._every:
            self.line(f"step {done} of {self._steps}{self._loss}")

    def metrics(self, loss: float, speed: float) -> None:
        self._loss = f", training loss {loss:.4g}"

    def line(self, text: str) -> None:
        self._said = time.monotonic()
        sys.stderr.write(f"{self._name}: {' '.join(text.split())}\n")
        sys.stderr.flush()


class _Display(Display):
    def __init__(self, name: str, every: float) -> None:
        self._name, self._every = name, every

    def training(self, steps: int, start: int, unit: str) -> Bar:
        return _Lines(self._name, steps, self._every)


@contextmanager
def telling(estimator: object, verbose: int) -> Iterator[None]:
    """Tell of a training inside: with 1 at its evaluations and every two seconds, with 2 after every step."""
    before = display()
    use_display(_Display(type(estimator).__name__, SECONDS if verbose < 2 else 0.0) if verbose else Display())
    try:
        yield
    finally:
        use_display(before)
