"""The translation of one text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from elman.errors import one_line_of
from elman.training.task import Prediction, picture_name


@dataclass(frozen=True)
class Alignment:
    """What each token of a translation attended to. S tokens were read, T written, their end marks among them.

    Attributes:
        read, written: the tokens as texts.
        weights: T rows of S numbers, each row with the sum 1.
    """

    read: list[str]
    written: list[str]
    weights: list[list[float]]


@dataclass(frozen=True)
class Translation(Prediction):
    """What a translator writes for one text; for an empty one an empty one.

    Attributes:
        input: the text.
        text: its translation.
        log_probability: of the translation, in nats.
        ended: whether the translator wrote its end mark, so that nothing was cut off.
        alignment: what each token attended to, where it was asked for and the run has attention.
        draw: draws what each word of the translation attended to, as files beginning with a path.
    """

    input: str
    text: str
    log_probability: float
    ended: bool
    alignment: Alignment | None = None
    draw: Callable[[Path], tuple[Path, ...]] | None = field(default=None, repr=False, compare=False)

    def show(self) -> str:
        """The translation, one line for each text."""
        return one_line_of(self.text)

    def write(self, path: str | Path) -> tuple[Path, ...]:
        """Draw what each word attended to, as `path`.svg and `path`.png; nothing for an empty text."""
        return self.draw(picture_name(path)) if self.draw is not None else ()
