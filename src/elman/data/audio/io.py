"""Sound from WAV, FLAC and what else libsndfile reads: one channel, at one rate, whole or piece by piece."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.io.files import check_file, read_bytes
from elman.errors import UserError, optional_imports

Sound = NDArray[np.float32]
SUFFIXES = (".wav", ".flac", ".ogg", ".aiff", ".aif")
_PIECE_SECONDS = 1.0
_RATES = (1_000, 1_000_000)
"""Samples a second that a header may claim; others come from damage, and would be resampled to a thousand times."""
_LOUDEST = 1e10
"""Samples of whole numbers kept as floats reach 2^31; what is louder, or no number, is damage."""
_CANCELLED = 0.01
"""Channels whose average is so much softer than the loudest of them are of opposite phase."""
_UNKNOWN_FRAMES = 1 << 40
"""A header with as many samples and more does not know how many there are: FLAC from a stream."""


def read_sound(path: Path, rate: int) -> Sound:
    """(n,) the whole recording in [-1, 1] at `rate` samples a second, its channels averaged.

    Raises:
        UserError: there is no such file; it is no sound, empty, or silent throughout, or its channels cancel.
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
    """How long a recording is, from its header; raises as `sound_pieces`."""
    with _opened(path) as file:
        return float(file.frames / file.samplerate)


@dataclass(frozen=True)
class SoundForm:
    """What a recording's header says.

    Arguments:
        rate: samples a second.
        channels: how many.
        seconds: how long it is.
        encoding: of file and samples: "WAV PCM_16".
    """

    rate: int
    channels: int
    seconds: float
    encoding: str


def sound_form(path: Path) -> SoundForm:
    """How a recording is written, from its header; raises as `sound_pieces`."""
    with _opened(path) as file:
        seconds = float(file.frames / file.samplerate)
        return SoundForm(file.samplerate, file.channels, seconds, f"{file.format} {file.subtype}")


def sound_pieces(path: Path, rate: int) -> Iterator[Sound]:
    """The recording about a second at a time, so that memory stays the same however long it is.

    Resampled by soxr, which carries its filter from piece to piece.

    Raises:
        UserError: there is no such file, or it is no sound, or its channels cancel each other.
    """
    with optional_imports():
        import soxr

    with _opened(path) as file:
        own = file.samplerate
        resampler = soxr.ResampleStream(own, rate, 1, dtype="float32") if own != rate else None
        size = max(1, round(own * _PIECE_SECONDS))
        loudest = averaged = 0.0
        block = _block(file, size, path)
        while len(block):
            following = _block(file, size, path)
            piece = block.mean(axis=1)
            loudest = max(loudest, float(np.abs(block).max()))
            averaged = max(averaged, float(np.abs(piece).max()))
            yield piece if resampler is None else resampler.resample_chunk(piece, last=not len(following))
            block = following
        if averaged < _CANCELLED * loudest:
            raise UserError(f"{path} has channels of opposite phase, which cancel each other; save one of them alone")


def _block(file: Any, size: int, path: Path) -> NDArray[np.float32]:
    """(n, channels) the next samples of a file, at most `size` of each channel."""
    with optional_imports():
        import soundfile

    try:
        block: NDArray[np.float32] = file.read(size, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise UserError(f"{path} is damaged ({error}); restore it from a copy") from error
    if not (np.abs(block) <= _LOUDEST).all():
        raise UserError(f"{path} is damaged: it has samples that are no numbers; restore it from a copy")
    return block


def _opened(path: Path) -> Any:
    with optional_imports():
        import soundfile

    if not check_file(path):
        read_bytes(path)  # says what is wrong
    try:
        file = soundfile.SoundFile(path)
        if not file.frames and (whole := _with_size(path)):
            file.close()
            file = soundfile.SoundFile(io.BytesIO(whole))
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(error).rstrip(".").rpartition(": ")[2].lower()
        raise UserError(f"{path} is no sound that can be read ({reason}); give a WAV or FLAC file") from error
    least, most = _RATES
    if not least <= file.samplerate <= most:
        file.close()
        raise UserError(
            f"{path} says that it has {file.samplerate:,} samples a second, and {least:,} to {most:,} are read;"
            " mend its header"
        )
    if file.frames >= _UNKNOWN_FRAMES:
        file.close()
        raise UserError(f"{path} does not say how long it is, as a stream writes it; decode it and encode it again")
    return file


def _with_size(path: Path) -> bytearray | None:
    """A WAV file written by a stream, which could not go back to say how much it is: with the size that it has.

    None where the file is something else, or really has no samples.
    """
    raw = bytearray(read_bytes(path))
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        return None
    at = 12
    while at + 8 <= len(raw):
        size = int.from_bytes(raw[at + 4 : at + 8], "little")
        if raw[at : at + 4] == b"data":
            inside = raw[at + 8 :]
            another = inside[:4].isalnum() and 8 + int.from_bytes(inside[4:8], "little") <= len(inside)
            if size or not inside or another:
                return None
            raw[at + 4 : at + 8] = len(inside).to_bytes(4, "little")
            raw[4:8] = (len(raw) - 8).to_bytes(4, "little")
            return raw
        at += 8 + size + size % 2
    return None
