"""Sound from WAV, FLAC and what else libsndfile reads: one channel, at one rate, whole or piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.io.files import read_bytes
from elman.errors import UserError, optional_imports

Sound = NDArray[np.float32]
SUFFIXES = (".wav", ".flac", ".ogg", ".aiff", ".aif")
_PIECE_SECONDS = 1.0


def read_sound(path: Path, rate: int) -> Sound:
    """(n,) the whole recording in [-1, 1] at `rate` samples a second, its channels averaged.

    Raises:
        UserError: there is no such file; it is no sound, empty, or silent throughout.
    """
    sound = np.concatenate([np.zeros(0, np.float32), *sound_pieces(path, rate)])
    if not len(sound):
        raise UserError(f"{path} has no sound in it (0 samples); give a longer recording")
    check_heard(float(np.abs(sound).max()), path)
    return sound


def check_heard(loudest: float, path: Path) -> None:
    """Raise a UserError where the largest sample of a recording says that it is silent."""
    if loudest == 0:
        raise UserError(f"{path} is silent: every sample is 0; record it again or take it out")


def sound_seconds(path: Path) -> float:
    """How long a recording is, from its header."""
    with _opened(path) as file:
        return float(file.frames / file.samplerate)


def sound_pieces(path: Path, rate: int) -> Iterator[Sound]:
    """The recording about a second at a time, so that memory stays the same however long it is.

    Resampled by soxr, which carries its filter from piece to piece.

    Raises:
        UserError: there is no such file, or it is no sound.
    """
    with optional_imports():
        import soundfile
        import soxr

    with _opened(path) as file:
        own = file.samplerate
        resampler = soxr.ResampleStream(own, rate, 1, dtype="float32") if own != rate else None
        left = file.frames
        try:
            for block in file.blocks(blocksize=max(1, round(own * _PIECE_SECONDS)), dtype="float32", always_2d=True):
                if not np.isfinite(block).all():
                    raise UserError(f"{path} is damaged: it has samples that are no numbers; restore it from a copy")
                left -= len(block)
                piece = block.mean(axis=1)
                yield piece if resampler is None else resampler.resample_chunk(piece, last=left <= 0)
        except soundfile.SoundFileError as error:
            raise UserError(f"{path} is damaged ({error}); restore it from a copy") from error


def _opened(path: Path) -> Any:
    with optional_imports():
        import soundfile

    if not path.is_file() or not path.stat().st_size:
        read_bytes(path)  # says what is wrong
    try:
        return soundfile.SoundFile(path)
    except soundfile.SoundFileError as error:
        reason = str(error).rstrip(".").rpartition(": ")[2].lower()
        raise UserError(f"{path} is no sound that can be read ({reason}); give a WAV or FLAC file") from error
