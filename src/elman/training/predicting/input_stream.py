"""An input that comes in pieces: what takes it in, and says after each piece what can be said so far."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

Event = dict[str, Any]
"""What is said: plain values by name, as JSON has them; "event" names its kind."""


class InputStream(ABC):
    """One input that comes in pieces. The network's state is carried from piece to piece.

    Attributes:
        takes: what a piece is: a text, numbers as lists (one inner list a step), or bytes of sound.
    """

    takes: ClassVar[Literal["text", "numbers", "sound"]] = "text"

    @abstractmethod
    def push(self, piece: Any) -> Iterator[Event]:
        """Take in what comes next, and say what follows from it.

        Raises:
            UserError: a piece that the task cannot read; the stream is as it was before it.
        """

    def finish(self) -> Iterator[Event]:
        """Say what is left to be said after the last piece; nothing by default."""
        yield from ()
