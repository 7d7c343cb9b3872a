"""A recording scaled by itself: how loud it is, what of it is silence, its mean and its size.

N frames of M bands; C values of each frame, which are its bands or its cepstra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from elman.data.audio.io import Sound
from elman.data.audio.log_mel import Frames, LogMel, LogMelStream, cosines
from elman.data.scaling import Scaler

LEAST_STD = 1e-3
"""Added to the standard deviation of a recording, whose frames may all be alike."""
_NEPERS = np.log(10) / 10
"""A decibel of power, as a natural logarithm."""


@dataclass(frozen=True)
class Tuning:
    """What is done to all frames of one recording.

    Arguments:
        gain: what its samples are multiplied by.
        quiet: the logarithm of a power that is added to that of every band, or None.
        begin, end: the first frame that is heard, and the first that is not any more, or None for the last of all.
        cepstra: C of them in place of the bands; 0 keeps the bands.
        scaler: over C values.
    """

    gain: np.float32
    quiet: float | None
    begin: int
    end: int | None
    cepstra: int
    scaler: Scaler

    def __call__(self, frames: Frames, first: int = 0) -> Frames:
        """(n, C) from the frames (N, M) that follow the first so many of the recording: those that are heard."""
        end = len(frames) if self.end is None else max(0, self.end - first)
        return self.scaler(shaped(frames[max(0, self.begin - first) : end], self.quiet, self.cepstra))


def shaped(frames: Frames, quiet: float | None, cepstra: int) -> Frames:
    """(N, C) from (N, M): with a floor of silence, as bands or as cepstra."""
    if quiet is not None:
        frames = np.logaddexp(frames, np.float32(quiet))
    return frames @ cosines(frames.shape[1], cepstra) if cepstra else frames


def frame_pieces(spectrum: LogMel, pieces: Iterable[Sound], gain: np.float32) -> Iterator[Frames]:
    """(N, M) the frames of a recording that comes in pieces, louder by `gain`."""
    stream = LogMelStream(spectrum)
    for piece in pieces:
        yield stream.push(piece * gain)
    yield stream.close()


def gain_of(pieces: Iterable[Sound]) -> np.float32:
    """What makes the loudest sample of a recording 1."""
    loudest = max((float(np.abs(piece).max(initial=0)) for piece in pieces), default=0.0)
    return np.float32(1 / loudest if loudest else 1)


def tuned(gain: np.float32, pieces: Callable[[], Iterable[Frames]], floor: float, cepstra: int) -> Tuning:
    """What suits a recording: each value has mean 0, all together standard deviation 1.

    Arguments:
        gain: what its samples were multiplied by.
        pieces: gives its frames from its beginning, piece by piece, each time it is called, which is twice at most.
        floor: what is so many decibels softer than the loudest band of all frames is silence; frames of nothing else
            are left out at both ends. 0 for none of this.
        cepstra: C, or 0.
    """
    quiet: float | None = None
    begin: int = 0
    end: int | None = None
    if floor:  # 4 bytes a frame are kept: 1.4 MB an hour
        peaks = [frames.max(axis=1) for frames in pieces()]
        peak = np.concatenate([np.zeros(0, np.float32), *peaks])
        quiet = float(peak.max(initial=-np.inf)) - floor * _NEPERS
        (heard,) = np.nonzero(peak > quiet)
        begin, end = (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, 0)
    bare = Tuning(gain, quiet, begin, end, cepstra, Scaler(np.zeros(1, np.float32), np.ones(1, np.float32)))
    count, at, total, squares = 0, 0, np.zeros(1), np.zeros(1)
    for frames in pieces():
        values = bare(frames, at)
        at += len(frames)
        count += len(values)
        total = total + values.sum(axis=0, dtype=np.float64)
        squares = squares + np.square(values, dtype=np.float64).sum(axis=0)
    mean, around = total / max(1, count), squares / max(1, count)
    std = float(np.sqrt(max(0.0, float((around - np.square(mean)).mean())))) + LEAST_STD
    return replace(bare, scaler=Scaler(mean.astype(np.float32), np.full(len(mean), std, np.float32)))
