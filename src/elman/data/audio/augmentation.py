"""Sound made on the spot: recordings changed a little, and joined into strings with pauses between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from elman.data.audio.io import Sound
from elman.errors import UserError

_HISS = 1e-3  # the loudest that a pause hisses, as a standard deviation


class Perturbation(NamedTuple):
    """How an utterance is to be said: how much longer the vocal tract is and how much faster it goes, as factors; and
    how much longer the sound before and after it lasts, as shares of the whole (below 0: cut off)."""

    stretch: float = 1.0
    tempo: float = 1.0
    before: float = 0.0
    after: float = 0.0


@dataclass(frozen=True)
class Augmentation:
    """How far recordings are changed in training.

    Arguments:
        speed: 0.1 plays them up to 10 % faster or slower, which shifts the pitch too, as another voice would.
        gain: decibels louder or softer, at most.
        hiss: standard deviation of the noise that is added, at most.
        tract: 0.1 makes the vocal tract up to 10 % longer or shorter, with the pitch as it is.
        tempo: 0.1 speaks up to 10 % faster or slower, with the pitch as it is.
        ends: 0.1 cuts up to 10 % off either end, or lets the end last so much longer.
    """

    speed: float = 0.0
    gain: float = 0.0
    hiss: float = 0.0
    tract: float = 0.0
    tempo: float = 0.0
    ends: float = 0.0

    def __call__(self, sound: Sound, generator: np.random.Generator) -> Sound:
        """(n',) a changed copy of (n,)."""
        if self.speed:
            count = max(2, round(len(sound) / generator.uniform(1 - self.speed, 1 + self.speed)))
            places = np.linspace(0, len(sound) - 1, count)
            sound = np.interp(places, np.arange(len(sound)), sound).astype(np.float32)
        if self.gain:
            sound = sound * np.float32(10 ** (generator.uniform(-self.gain, self.gain) / 20))
        if self.hiss:
            noise = generator.standard_normal(len(sound), dtype=np.float32)
            sound = sound + noise * np.float32(generator.uniform(0, self.hiss))
        return sound

    def manner(self, generator: np.random.Generator) -> Perturbation:
        """How a whole utterance is said."""
        stretch = generator.uniform(1 - self.tract, 1 + self.tract) if self.tract else 1.0
        tempo = generator.uniform(1 - self.tempo, 1 + self.tempo) if self.tempo else 1.0
        before, after = generator.uniform(-self.ends, self.ends, size=2).tolist() if self.ends else (0.0, 0.0)
        return Perturbation(stretch, tempo, before, after)


@dataclass(frozen=True)
class Joiner:
    """UtteranceSampler of recordings of one speaker each.

    Arguments:
        sounds: of each speaker the recordings and the numbers of their symbols.
        between: the numbers of what is written between two recordings.
        shortest, longest: how many recordings a string has, both included.
        rate: samples a second.
        pause: seconds before, between and after the recordings, at most.
        gain: decibels that each recording is louder or softer, at most.
    """

    sounds: Sequence[Sequence[tuple[Sound, Sequence[int]]]]
    between: Sequence[int]
    shortest: int
    longest: int
    rate: int
    pause: float
    gain: float

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise UserError(f"strings of {self.shortest} to {self.longest} recordings cannot be; the first is the less")

    def __call__(self, generator: np.random.Generator, variation: Augmentation) -> tuple[Sound, list[int]]:
        """One string: its sound and its symbols, which follow from the state of the generator."""
        voice = self.sounds[int(generator.integers(len(self.sounds)))]
        hiss = generator.uniform(0, _HISS)
        parts = [self._silence(generator, hiss)]
        symbols: list[int] = []
        for number in generator.integers(len(voice), size=generator.integers(self.shortest, self.longest + 1)).tolist():
            sound, said = voice[number]
            loudness = np.float32(10 ** (generator.uniform(-self.gain, self.gain) / 20))
            parts += [variation(sound, generator) * loudness, self._silence(generator, hiss)]
            symbols += [*(self.between if symbols else ()), *said]
        return np.concatenate(parts), symbols

    def _silence(self, generator: np.random.Generator, hiss: float) -> Sound:
        count = int(generator.uniform(0, self.pause) * self.rate)
        return generator.standard_normal(count, dtype=np.float32) * np.float32(hiss)
