"""From a recording to the steps that a network reads: log-mel frames or cepstra, scaled, some to a step.

M bands, C values of a frame (its bands or its cepstra), S frames to a step, T steps of I = S C values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from elman.data.audio.augmentation import Perturbation
from elman.data.audio.io import Sound, check_heard, sound_pieces
from elman.data.audio.log_mel import Frames, LogMel, retimed, stacked
from elman.data.audio.normalization import Tuning, frame_pieces, gain_of, shaped, tuned
from elman.data.scaling import Scaler
from elman.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

MOST_FITTED = 500
"""The scaler is fitted on at most so many recordings."""
AS_IT_IS = Perturbation()
KEPT_SECONDS = 60.0
"""How much of a recording is kept to be drawn."""


@dataclass(frozen=True)
class FrontEnd:
    """What all sound goes through.

    Arguments:
        spectrum: sound to frames.
        stack: S.
        scaler: over the C values; None scales each recording by itself: its loudest sample to 1, each value to mean 0,
            all together to standard deviation 1. That takes out much of microphone, room and voice, and needs the
            whole recording.
        cepstra: C of them in place of the bands; 0 keeps the bands.
        floor: where a recording is scaled by itself, what is so many decibels softer than its loudest band is silence,
            and silence at both ends is left out; 0 for none of this.
    """

    spectrum: LogMel
    stack: int
    scaler: Scaler | None
    cepstra: int = 0
    floor: float = 0.0

    @classmethod
    def fit(cls, spectrum: LogMel, stack: int, sounds: Sequence[Sound], cepstra: int = 0) -> FrontEnd:
        """With the scaler of these sounds."""
        some = sounds[:: -(-len(sounds) // MOST_FITTED)]
        values = [shaped(spectrum(sound), None, cepstra) for sound in some]
        return cls(spectrum, stack, Scaler.fit(values, "channels"), cepstra)

    def tuned(self, pieces: Callable[[], Iterable[Sound]]) -> Tuning:
        """What is done to the frames of a recording.

        Arguments:
            pieces: gives the recording from its beginning, piece by piece, each time it is called.
        """
        if self.scaler is not None:
            return self._as_trained(self.scaler)
        gain = gain_of(pieces())
        return tuned(gain, lambda: frame_pieces(self.spectrum, pieces(), gain), self.floor, self.cepstra)

    def _as_trained(self, scaler: Scaler) -> Tuning:
        return Tuning(np.float32(1), None, 0, None, self.cepstra, scaler)

    @property
    def size(self) -> int:
        """I."""
        return self.stack * (self.cepstra or self.spectrum.bands)

    @property
    def seconds(self) -> float:
        """From step to step."""
        return self.stack * self.spectrum.step / self.spectrum.rate

    def __call__(self, sound: Sound, manner: Perturbation = AS_IT_IS) -> Frames:
        """(T, I) from (n,), which is not silent, said in another manner."""
        spectrum = self.spectrum if manner.stretch == 1 else replace(self.spectrum, stretch=manner.stretch)
        if self.scaler is not None:
            values = self._as_trained(self.scaler)(spectrum(sound))
        else:
            gain = gain_of([sound])
            frames = spectrum(sound * gain)
            values = tuned(gain, lambda: [frames], self.floor, self.cepstra)(frames)
        if manner != AS_IT_IS:
            values = retimed(values, manner.tempo, manner.before * len(values), manner.after * len(values))
        return stacked(values, self.stack)


class Listening:
    """Reads a recording from its file piece by piece: iterate for the steps (t, I), then ask what it was like.

    Attributes:
        seconds: how long it was.
        begin: when its first step begins, in seconds.
        first: (N, M) its frames, unscaled, of the first `KEPT_SECONDS`.
    """

    def __init__(self, path: Path, front_end: FrontEnd) -> None:
        self.path = path
        self.seconds, self.begin = 0.0, 0.0
        self._front_end = front_end
        self._kept: list[Frames] = []

    @property
    def first(self) -> Frames:
        """(T, bands) the spectrum of the recording's beginning; at most what was kept while it was read."""
        return np.concatenate(self._kept)

    def __iter__(self) -> Iterator[Tensor]:
        """The steps, about a second of them at a time.

        Raises:
            UserError: the file is no sound, empty, or silent throughout (said after its end).
        """
        import torch

        spectrum, stack = self._front_end.spectrum, self._front_end.stack
        tuning = self._front_end.tuned(lambda: sound_pieces(self.path, spectrum.rate))
        self.begin = tuning.begin * spectrum.hop
        held, read = np.zeros((0, self._front_end.size // stack), np.float32), 0
        for frames in frame_pieces(spectrum, self._heard(), tuning.gain):
            held = np.concatenate([held, tuning(self._keep(frames), read)])
            read += len(frames)
            whole = len(held) // stack * stack
            if whole:
                yield torch.from_numpy(stacked(held[:whole], stack))
            held = held[whole:]
        if len(held):
            yield torch.from_numpy(stacked(held, stack))

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
