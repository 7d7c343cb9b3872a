"""What long work tells of itself. Nothing is shown here: a face, such as the command line, puts its own display in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("elman")


class Bar:
    """How far a training is; this one shows nothing."""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def step(self, done: int) -> None:
        """Take in how many steps are done."""

    def planned(self, steps: int) -> None:
        """Take in how many steps there are in all, which a training in so many minutes finds while it goes on."""

    def metrics(self, loss: float, speed: float) -> None:
        """Take in the training loss and the speed, in the task's units per second."""

    def evaluating(self, now: bool) -> None:
        """Take in whether the validation part is being measured now."""

    def line(self, text: str) -> None:
        """Take in a line about an evaluation."""

    def warn(self, text: str) -> None:
        """Take in a line that must be read, so it is logged."""
        log.warning(text)


class Display:
    """Where progress is shown; this one shows none."""

    def training(self, steps: int, start: int, unit: str) -> Bar:
        """The bar of a training of `steps` steps, `start` of which are done."""
        return Bar()

    @contextmanager
    def counting(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """Follow `total` pieces of work; what is yielded is called with how many are done."""
        yield lambda done: None

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Take in what is done while this lasts, which cannot be counted: "reading the data"."""
        yield

    def text(self, piece: str) -> None:
        """Take in a piece of a text while it is made; a line break ends it."""


_display = Display()


def display() -> Display:
    """The display in use."""
    return _display


def use_display(new: Display) -> None:
    """Show progress there from now on."""
    global _display
    _display = new
