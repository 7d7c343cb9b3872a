"""The recordings of a run with their sounds in memory, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from elman.data.audio.io import Sound, read_sound
from elman.data.audio.recordings import Part, Recording, read_recordings, without_long
from elman.errors import UserError


@dataclass(frozen=True)
class Spoken:
    """Recordings, read at `rate` samples a second when they are first needed.

    Arguments:
        note: what a person should know of them, or "".
    """

    recordings: Sequence[Recording]
    rate: int
    note: str = ""

    @classmethod
    def read(
        cls, data: str | Path, *, speaker: str, without: str, validation_share: float, max_seconds: float, rate: int
    ) -> Spoken:
        """Those of a dataset or folder that are not too long.

        Raises:
            UserError: as `read_recordings`.
        """
        found = read_recordings(data, speaker=speaker, without=without, validation_share=validation_share)
        recordings, note = without_long(found, max_seconds)
        return cls(recordings, rate, note)

    @cached_property
    def _sounds(self) -> dict[Path, Sound]:
        return {}

    def part(self, part: Part) -> list[Recording]:
        """The recordings of a part, in order."""
        return [one for one in self.recordings if one.part == part]

    def sound(self, recording: Recording) -> Sound:
        """(n,) its samples.

        Raises:
            UserError: it is no sound, empty, or silent.
        """
        if recording.path not in self._sounds:
            self._sounds[recording.path] = read_sound(recording.path, self.rate)
        return self._sounds[recording.path]


def symbols_of(transcript: str, kind: str) -> list[str]:
    """A transcript as words or as characters."""
    return transcript.split() if kind == "words" else list(transcript)


def text_of(symbols: Sequence[str], kind: str) -> str:
    """The transcript of these symbols."""
    return " ".join(symbols) if kind == "words" else "".join(symbols)


def numbered_symbols(transcript: str, kind: str, symbols: Sequence[str], place: str) -> list[int]:
    """The numbers of a transcript's symbols, from 1 on (0 is the blank).

    Raises:
        UserError: one of them is not among `symbols`.
    """
    numbers = {symbol: number for number, symbol in enumerate(symbols, 1)}
    found = symbols_of(transcript, kind)
    for symbol in found:
        if symbol not in numbers:
            shown = " ".join(symbols[:30]) + (" ..." if len(symbols) > 30 else "")
            raise UserError(
                f"{place}: the {kind[:-1]} {symbol!r} was never seen in training, which had {shown}; correct the"
                " transcript or take the recording out"
            )
    return [numbers[symbol] for symbol in found]
