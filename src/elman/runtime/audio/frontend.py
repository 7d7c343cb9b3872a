"""From sound to steps: log-mel frames or cepstra, scaled, some to a step; see `elman.data.audio`.

n samples, N frames, M bands, C values of a frame (its bands or its cepstra), T steps of stack * C values.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from elman.errors import UserError
from elman.runtime.scaling import Scaler
from elman.runtime.tensors import Floats

WINDOW, HOP = 0.025, 0.01
"""Seconds of a frame, and from frame to frame."""
LEAST_POWER = np.float32(1e-6)
LEAST_STD = 1e-3
_NEPERS = np.log(10) / 10
"""A decibel of power, as a natural logarithm."""


class FrontEnd:
    """What all sound goes through.

    Arguments:
        rate: samples a second.
        bands: M.
        stack: frames that make a step.
        scaler: over the C values; None scales each recording by itself, which needs all of it.
        cepstra: C of them in place of the bands; 0 keeps the bands.
        floor: where a recording is scaled by itself, decibels below its loudest band that are silence; 0 for none.
    """

    def __init__(self, rate: int, bands: int, stack: int, scaler: Scaler | None, cepstra: int, floor: float) -> None:
        self.rate, self.bands, self.stack, self.scaler, self.cepstra, self.floor = (
            rate,
            bands,
            stack,
            scaler,
            cepstra,
            floor,
        )
        self.width, self.hop = round(WINDOW * rate), round(HOP * rate)
        wrong = scaler is not None and (len(scaler.mean) != (cepstra or bands) or scaler.floor is not None)
        if self.hop < 1 or wrong:
            raise UserError("the settings of the run do not fit its scaler.json; restore both from a copy")

    @property
    def size(self) -> int:
        """I, values of a step."""
        return self.stack * (self.cepstra or self.bands)

    @property
    def seconds(self) -> float:
        """From step to step."""
        return self.stack * self.hop / self.rate

    @cached_property
    def filters(self) -> Floats:
        """(points / 2 + 1, M) triangles on the mel scale (Davis and Mermelstein 1980, figure 1)."""
        highest = 2595 * np.log10(1 + self.rate / 2 / 700)
        corners = 700 * (10 ** (np.linspace(0, highest, self.bands + 2) / 2595) - 1)
        low, centre, high = corners[:-2], corners[1:-1], corners[2:]
        frequencies = np.fft.rfftfreq(self._points, 1 / self.rate)[:, None]
        rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
        return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)

    @property
    def _points(self) -> int:
        return 1 << (self.width - 1).bit_length()

    @cached_property
    def _hann(self) -> Floats:
        return np.hanning(self.width).astype(np.float32)

    def frames(self, sound: Floats) -> Floats:
        """(N, M) log-mel frames from (n,): every whole one; a shorter sound is filled up with silence."""
        if len(sound) < self.width:
            sound = np.pad(sound, (0, self.width - len(sound)))
        windows = np.lib.stride_tricks.sliding_window_view(sound, self.width)[:: self.hop]
        found = np.empty((len(windows), self.bands), np.float32)
        for begin in range(0, len(windows), 1000):  # ten seconds at a time: memory stays that of the sound
            some = windows[begin : begin + 1000] * self._hann
            power = np.square(np.abs(np.fft.rfft(some, self._points))).astype(np.float32)
            found[begin : begin + 1000] = np.log(power @ self.filters + LEAST_POWER)
        return found

    def __call__(self, sound: Floats) -> tuple[Floats, float]:
        """(T, I) the steps of a whole recording (n,), and the second at which the first begins."""
        if self.scaler is not None:
            return self.stacked(self.scaler(self.shaped(self.frames(sound)))), 0.0
        values, begin = self._by_itself(sound)
        return self.stacked(values), begin * HOP

    def shaped(self, frames: Floats, quiet: float | None = None) -> Floats:
        """(N, C) from (N, M): with a floor of silence, as bands or as cepstra."""
        if quiet is not None:
            frames = np.logaddexp(frames, np.float32(quiet))
        if not self.cepstra:
            return frames
        waves = np.cos(np.pi * np.arange(self.cepstra) * (np.arange(self.bands)[:, None] + 0.5) / self.bands)
        shaped: Floats = frames @ (waves / np.sqrt(np.square(waves).sum(axis=0))).astype(np.float32)
        return shaped

    def stacked(self, values: Floats) -> Floats:
        """(T, stack * C) from (N, C): the last step filled up with the last frame."""
        lacking = -len(values) % self.stack
        if lacking:
            values = np.concatenate([values, np.repeat(values[-1:], lacking, axis=0)])
        return values.reshape(len(values) // self.stack, -1)

    def _by_itself(self, sound: Floats) -> tuple[Floats, int]:
        """(N', C) a recording scaled by its own loudness, mean and size, and the number of its first frame heard."""
        frames = self.frames(sound * np.float32(1 / float(np.abs(sound).max())))
        quiet, begin, end = None, 0, len(frames)
        if self.floor:
            peaks = frames.max(axis=1)
            quiet = float(peaks.max()) - self.floor * _NEPERS
            (loud,) = np.nonzero(peaks > quiet)
            begin, end = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, 0)
        values = self.shaped(frames[begin:end], quiet)
        if not len(values):
            raise UserError("nothing is heard above the floor of silence; give a louder recording")
        count = len(values)
        mean = values.sum(axis=0, dtype=np.float64) / count
        around = np.square(values, dtype=np.float64).sum(axis=0) / count
        std = float(np.sqrt(max(0.0, float((around - np.square(mean)).mean())))) + LEAST_STD
        return (values - mean.astype(np.float32)) / np.float32(std), begin
