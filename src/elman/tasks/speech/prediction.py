"""What a network heard in one recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elman.errors import one_line_of
from elman.training.task import Prediction, picture_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_TITLE = 60


@dataclass(frozen=True)
class Transcript(Prediction):
    """The text of one recording.

    Attributes:
        input: the file's name.
        text: what was said.
        seconds: how long the recording is.
        heard: each symbol, and the second at which it was heard.
        frames: (T, bands) the log-mel spectrum of its beginning.
        hop: seconds from one frame to the next.
    """

    input: str
    text: str
    seconds: float
    heard: tuple[tuple[str, float], ...]
    frames: NDArray[np.float32] = field(repr=False, compare=False)
    hop: float = field(repr=False, compare=False)

    def show(self) -> str:
        """The file and its text on one line."""
        return one_line_of(f"{self.input}  {self.text}")

    def write(self, path: str | Path) -> tuple[Path, ...]:
        """Draw the spectrogram with the symbols over it, as `path`.svg and `path`.png."""
        from elman.plotting.spectrogram import draw_spectrogram

        name = Path(self.input).name
        text = self.text if len(self.text) <= LONGEST_TITLE else self.text[: LONGEST_TITLE - 1] + "…"
        title = f"{name}: “{text}” was heard" if text else f"{name}: nothing was heard"
        return tuple(draw_spectrogram(self.frames, self.hop, list(self.heard), title, picture_name(path)))
