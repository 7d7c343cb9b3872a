"""WAV files by hand: whole numbers of 8 to 32 bits and floats, their channels averaged, in [-1, 1].

The format: RIFF chunks, of which "fmt " says how samples are written and "data" holds them (Microsoft and IBM 1991).
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.runtime.files import read_bytes
from elman.runtime.tensors import Floats

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
LOUDEST = 1e10
"""Samples of whole numbers kept as floats reach 2^31; what is louder, or no number, is damage."""
CANCELLED = 0.01
"""Channels whose average is so much softer than the loudest of them are of opposite phase."""
_INTEGERS = {1: "u1", 2: "<i2", 4: "<i4"}


def read_wav(path: Path, rate: int) -> Floats:
    """(n,) the samples of a WAV file.

    Raises:
        UserError: it is no WAV file, damaged, of another rate, empty or silent, or its channels cancel each other.
    """
    if path.suffix.lower() != ".wav":
        raise UserError(f"{path} is no WAV file, which is all that is read without libsndfile; convert it")
    raw = read_bytes(path)
    try:
        own, block = _samples(raw)
    except (ValueError, struct.error) as error:
        raise UserError(f"{path} is no WAV file that can be read ({str(error)[:80]}); convert it") from error
    if own != rate:
        raise UserError(
            f"{path} has {own:,} samples a second, and this run reads {rate:,}; resample it first, for instance by"
            f" ffmpeg -i {path.name} -ar {rate} out.wav"
        )
    if not block.size:
        raise UserError(f"{path} has no sound in it (0 samples); give a longer recording")
    if not (np.abs(block) <= LOUDEST).all():
        raise UserError(f"{path} is damaged: it has samples that are no numbers; restore it from a copy")
    sound = block.mean(axis=1)
    loudest = float(np.abs(block).max())
    if loudest and float(np.abs(sound).max()) < CANCELLED * loudest:
        raise UserError(f"{path} has channels of opposite phase, which cancel each other; save one of them alone")
    return heard(sound, str(path))


def heard(sound: Floats, what: str) -> Floats:
    """The same samples.

    Raises:
        UserError: there are none, or all are 0.
    """
    if not len(sound):
        raise UserError(f"{what} has no sound in it (0 samples); give a longer recording")
    if not np.abs(sound).max():
        raise UserError(f"{what} is silent: every sample is 0; record it again or take it out")
    return sound


def _samples(raw: bytes) -> tuple[int, Floats]:
    """Samples a second, and (n, channels) the samples."""
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise ValueError("it does not begin as one")
    at, form = 12, b""
    while at + 8 <= len(raw):
        name, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        if name == b"fmt ":
            form = raw[at + 8 : at + 8 + size]
        elif name == b"data":
            whole = raw[at + 8 :]
            return _decoded(form, whole[:size] if 0 < size < 0xFFFFFFFF else whole)  # a stream did not know its size
        at += 8 + size + size % 2
    raise ValueError("it has no samples")


def _decoded(form: bytes, data: bytes) -> tuple[int, Floats]:
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if kind == EXTENSIBLE:
        kind = struct.unpack_from("<H", form, 24)[0]
    width = bits // 8
    if (
        not channels
        or bits % 8
        or (kind, width) not in ((PCM, 1), (PCM, 2), (PCM, 3), (PCM, 4), (FLOAT, 4), (FLOAT, 8))
    ):
        raise ValueError(f"format {kind} of {bits} bits")
    data = data[: len(data) // (width * channels) * width * channels]
    if kind == FLOAT:
        with np.errstate(over="ignore"):  # to infinity, which is refused
            values = np.frombuffer(data, f"<f{width}").astype(np.float32)
    elif width == 3:
        bytes_of = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(bytes_of), 4), np.uint8)
        wide[:, 1:] = bytes_of
        values = wide.reshape(-1).view("<i4").astype(np.float32) / np.float32(2**31)
    else:
        whole = np.frombuffer(data, _INTEGERS[width]).astype(np.float32)
        values = (whole - 128) / np.float32(128) if width == 1 else whole / np.float32(2 ** (bits - 1))
    return rate, values.reshape(-1, channels)
