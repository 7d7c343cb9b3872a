"""Sound as a network reads it: the logarithm of how strong each band of frequencies is, frame by frame.

n samples, N frames, M bands, C cepstral coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from elman.data.audio.io import Sound

Frames = NDArray[np.float32]
LEAST_POWER = 1e-6
"""Added to the power of a band before the logarithm: what is softer than this counts as silence."""
STRAIGHT = 0.8
"""Up to about this share of the highest frequency, which stays in place, a voice is stretched evenly."""


@dataclass(frozen=True)
class LogMel:
    """Log-mel filter banks: power spectra of overlapping Hann windows, summed in triangles on the mel scale.

    mel(f) = 2595 log10(1 + f / 700) (O'Shaughnessy 1987); triangles as of Davis and Mermelstein (1980, figure 1).

    Arguments:
        rate: samples a second.
        bands: M.
        window, hop: seconds of a frame, and from frame to frame.
        stretch: the triangles lie at so many times their frequencies, as if the voice came from a vocal tract so much
            longer than it is (Jaitly and Hinton 2013, equation 1).
    """

    rate: int
    bands: int = 40
    window: float = 0.025
    hop: float = 0.01
    stretch: float = 1.0

    @property
    def width(self) -> int:
        """Samples of a frame."""
        return round(self.window * self.rate)

    @property
    def step(self) -> int:
        """Samples from frame to frame."""
        return round(self.hop * self.rate)

    @property
    def points(self) -> int:
        """Of the Fourier transform: the power of two that a frame fits in."""
        return 1 << (self.width - 1).bit_length()

    @cached_property
    def filters(self) -> NDArray[np.float32]:
        """(points / 2 + 1, M) the triangles: each rises from the centre of the one before, and falls to the next's."""
        highest = 2595 * np.log10(1 + self.rate / 2 / 700)
        corners = self._stretched(700 * (10 ** (np.linspace(0, highest, self.bands + 2) / 2595) - 1))
        low, centre, high = corners[:-2], corners[1:-1], corners[2:]
        frequencies = np.fft.rfftfreq(self.points, 1 / self.rate)[:, None]
        rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
        return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)

    def _stretched(self, frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Times `stretch`, and from a bend near the top on, straight to the highest, which stays."""
        if self.stretch == 1:
            return frequencies
        top = self.rate / 2
        bend = STRAIGHT * top * min(self.stretch, 1) / self.stretch
        return np.interp(frequencies, (0, bend, top), (0, bend * self.stretch, top))

    def __call__(self, sound: Sound) -> Frames:
        """(N, M) from (n,): every frame that is whole; a recording shorter than one frame is filled up with silence."""
        if len(sound) < self.width:
            sound = np.pad(sound, (0, self.width - len(sound)))
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.width)[:: self.step]
        power = np.square(np.abs(np.fft.rfft(frames * self._hann, self.points))).astype(np.float32)
        strength: Frames = np.log(power @ self.filters + LEAST_POWER)
        return strength

    @property
    def _hann(self) -> NDArray[np.float32]:
        return _hann(self.width)


@cache
def _hann(width: int) -> NDArray[np.float32]:
    window: NDArray[np.float32] = np.hanning(width).astype(np.float32)
    return window


class LogMelStream:
    """The same frames, piece by piece as sound comes in."""

    def __init__(self, spectrum: LogMel) -> None:
        self._spectrum = spectrum
        self._rest: Sound = np.zeros(0, np.float32)
        self._any = False

    def push(self, piece: Sound) -> Frames:
        """(N, M) the frames that are whole now."""
        sound = np.concatenate([self._rest, piece])
        spectrum = self._spectrum
        if len(sound) < spectrum.width:
            self._rest = sound
            return np.zeros((0, spectrum.bands), np.float32)
        self._any = True
        count = (len(sound) - spectrum.width) // spectrum.step + 1
        self._rest = sound[count * spectrum.step :]
        return spectrum(sound)

    def close(self) -> Frames:
        """What is left: one frame where there was not sound enough for any."""
        if self._any or not len(self._rest):
            return np.zeros((0, self._spectrum.bands), np.float32)
        return self._spectrum(self._rest)


@cache
def cosines(bands: int, count: int) -> NDArray[np.float32]:
    """(M, C) the first C cosines over M bands, of length 1 each: frames times these are cepstra.

    The cosine transform of Davis and Mermelstein (1980): what varies slowly from band to band, which is the shape of
    the vocal tract, without the ripples of the pitch.
    """
    waves = np.cos(np.pi * np.arange(count) * (np.arange(bands)[:, None] + 0.5) / bands)
    unit: NDArray[np.float32] = (waves / np.sqrt(np.square(waves).sum(axis=0))).astype(np.float32)
    return unit


def retimed(frames: Frames, tempo: float, before: float, after: float) -> Frames:
    """(N', M) from (N, M): played faster, the pitch as it was, with straight lines between frames.

    Arguments:
        tempo: the factor.
        before, after: so many frames, first, in which the first or the last one lasts; cut off, where below 0.
    """
    begin, end = -before, len(frames) - 1 + after
    places = np.linspace(begin, end, max(1, round((end - begin + 1) / tempo))).clip(0, len(frames) - 1)
    left = places.astype(np.int64)
    share = (places - left)[:, None].astype(np.float32)
    played: Frames = frames[left] * (1 - share) + frames[np.minimum(left + 1, len(frames) - 1)] * share
    return played


def stacked(frames: Frames, count: int) -> Frames:
    """(N, M) to (N / count, count * M): frames joined into longer steps, the last one filled up with itself."""
    lacking = -len(frames) % count
    if lacking:
        frames = np.concatenate([frames, np.repeat(frames[-1:], lacking, axis=0)])
    return frames.reshape(len(frames) // count, -1)
