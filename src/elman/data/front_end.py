"""From a recording to the steps that a network reads: log-mel frames, scaled by the training part, some to a step.

M bands, S frames to a step, T steps of I = S M values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
LEAST_STD = 1e-3
"""Added to the standard deviation of a recording, whose frames may all be alike."""
KEPT_SECONDS = 60.0
"""How much of a recording is kept to be drawn."""


@dataclass(frozen=True)
class FrontEnd:
    """What all sound goes through.

    Arguments:
        spectrum: sound to frames.
        stack: S.
        scaler: over the M bands; None scales each recording by itself: its loudest sample to 1, each band to mean 0,
            all bands together to standard deviation 1. That takes out much of microphone, room and voice, and needs the
            whole recording.
    """

    spectrum: LogMel
    stack: int
    scaler: Scaler | None

    @classmethod
    def fit(cls, spectrum: LogMel, stack: int, sounds: Sequence[Sound]) -> FrontEnd:
        """With the scaler of these sounds."""
        some = sounds[:: -(-len(sounds) // MOST_FITTED)]
        return cls(spectrum, stack, Scaler.fit([spectrum(sound) for sound in some], "channels"))

    def fitted(self, pieces: Callable[[], Iterable[Sound]]) -> tuple[np.float32, Scaler]:
        """What to multiply a recording's samples by, and the scaler of its frames.

        Arguments:
            pieces: gives the recording from its beginning, piece by piece, each time it is called.
        """
        if self.scaler is not None:
            return np.float32(1), self.scaler
        loudest = max((float(np.abs(piece).max(initial=0)) for piece in pieces()), default=0.0)
        gain = np.float32(1 / loudest if loudest else 1)
        count, total, squares = 0, np.zeros(self.spectrum.bands), np.zeros(self.spectrum.bands)
        for frames in frame_pieces(self.spectrum, pieces(), gain):
            count += len(frames)
            total += frames.sum(axis=0, dtype=np.float64)
            squares += np.square(frames, dtype=np.float64).sum(axis=0)
        mean = total / max(1, count)
        overall = float(np.sqrt(max(0.0, float(squares.sum() / (max(1, count) * len(mean)) - mean.mean() ** 2))))
        std = np.full(len(mean), overall + LEAST_STD, np.float32)
        return gain, Scaler(mean.astype(np.float32), std)

    @property
    def size(self) -> int:
        """I."""
        return self.stack * self.spectrum.bands

    @property
    def seconds(self) -> float:
        """From step to step."""
        return self.stack * self.spectrum.step / self.spectrum.rate

    def __call__(self, sound: Sound) -> Frames:
        """(T, I) from (n,), which is not silent."""
        gain, scaler = self.fitted(lambda: [sound])
        return stacked(scaler(self.spectrum(sound * gain)), self.stack)


def frame_pieces(spectrum: LogMel, pieces: Iterable[Sound], gain: np.float32) -> Iterator[Frames]:
    """(N, M) the frames of a recording that comes in pieces, louder by `gain`."""
    stream = LogMelStream(spectrum)
    for piece in pieces:
        yield stream.push(piece * gain)
    yield stream.close()


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
        gain, scaler = self._front_end.fitted(lambda: sound_pieces(self.path, spectrum.rate))
        held = np.zeros((0, spectrum.bands), np.float32)
        for frames in frame_pieces(spectrum, self._heard(), gain):
            held = np.concatenate([held, self._keep(frames)])
            whole = len(held) // stack * stack
            if whole:
                yield torch.from_numpy(stacked(scaler(held[:whole]), stack))
            held = held[whole:]
        if len(held):
            yield torch.from_numpy(stacked(scaler(held), stack))

    def _heard(self) -> Iterator[Sound]:
        """The recording, with an eye on whether there is anything in it."""
        loudest, samples, rate = 0.0, 0, self._front_end.spectrum.rate
        for piece in sound_pieces(self.path, rate):
            loudest = max(loudest, float(np.abs(piece).max(initial=0)))
            samples += len(piece)
            yield piece
        if not samples:
            raise UserError(f"{self.path} has no sound in it (0 samples); give a longer recording")
        check_heard(loudest, self.path)
        self.seconds = samples / rate

    def _keep(self, frames: Frames) -> Frames:
        if sum(map(len, self._kept)) * self._front_end.spectrum.hop < KEPT_SECONDS:
            self._kept.append(frames)
        return frames
