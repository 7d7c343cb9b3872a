"""From a recording to the steps that a network reads: log-mel frames, scaled by the training part, some to a step.

M bands, S frames to a step, T steps of I = S M values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from elman.data.audio import Sound, check_heard, sound_pieces
from elman.data.scaling import Scaler
from elman.data.spectrum import Frames, LogMel, LogMelStream, stacked
from elman.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

MOST_FITTED = 500
"""The scaler is fitted on at most so many recordings."""
KEPT_SECONDS = 60.0
"""How much of a recording is kept to be drawn."""


@dataclass(frozen=True)
class FrontEnd:
    """What all sound goes through.

    Arguments:
        spectrum: sound to frames.
        stack: S.
        scaler: over the M bands.
    """

    spectrum: LogMel
    stack: int
    scaler: Scaler

    @classmethod
    def fit(cls, spectrum: LogMel, stack: int, sounds: Sequence[Sound]) -> FrontEnd:
        """With the scaler of these sounds."""
        some = sounds[:: -(-len(sounds) // MOST_FITTED)]
        return cls(spectrum, stack, Scaler.fit([spectrum(sound) for sound in some], "channels"))

    @property
    def size(self) -> int:
        """I."""
        return self.stack * self.spectrum.bands

    @property
    def seconds(self) -> float:
        """From step to step."""
        return self.stack * self.spectrum.step / self.spectrum.rate

    def __call__(self, sound: Sound) -> Frames:
        """(T, I) from (n,)."""
        return stacked(self.scaler(self.spectrum(sound)), self.stack)


class Listening:
    """Reads a recording from its file piece by piece: iterate for the steps (t, I), then ask what it was like.

    Attributes:
        seconds: how long it was.
        first: (N, M) its frames, unscaled, of the first `KEPT_SECONDS`.
    """

    def __init__(self, path: Path, front_end: FrontEnd) -> None:
        self.path = path
        self.seconds = 0.0
        self._front_end = front_end
        self._kept: list[Frames] = []

    @property
    def first(self) -> Frames:
        return np.concatenate(self._kept)

    def __iter__(self) -> Iterator[Tensor]:
        """The steps, about a second of them at a time.

        Raises:
            UserError: the file is no sound, empty, or silent throughout (said after its end).
        """
        import torch

        spectrum, stack = self._front_end.spectrum, self._front_end.stack
        stream, held = LogMelStream(spectrum), np.zeros((0, spectrum.bands), np.float32)
        loudest, samples = 0.0, 0
        for piece in sound_pieces(self.path, spectrum.rate):
            loudest = max(loudest, float(np.abs(piece).max(initial=0)))
            samples += len(piece)
            held = np.concatenate([held, self._keep(stream.push(piece))])
            whole = len(held) // stack * stack
            yield torch.from_numpy(stacked(self._front_end.scaler(held[:whole]), stack))
            held = held[whole:]
        if not samples:
            raise UserError(f"{self.path} has no sound in it (0 samples); give a longer recording")
        check_heard(loudest, self.path)
        self.seconds = samples / spectrum.rate
        held = np.concatenate([held, self._keep(stream.close())])
        if len(held):
            yield torch.from_numpy(stacked(self._front_end.scaler(held), stack))

    def _keep(self, frames: Frames) -> Frames:
        if sum(map(len, self._kept)) * self._front_end.spectrum.hop < KEPT_SECONDS:
            self._kept.append(frames)
        return frames
