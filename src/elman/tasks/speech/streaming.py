"""Sound that comes in pieces, as from a microphone, and what is heard in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from elman.data.audio.frontend import FrontEnd
from elman.data.audio.io import Sound
from elman.data.audio.log_mel import Frames, LogMelStream, stacked
from elman.errors import UserError, optional_imports
from elman.models.recurrent import State
from elman.models.transcriber import Transcriber
from elman.runtime.ctc import Greedy
from elman.training.predicting.input_stream import Event, InputStream

RATES = (4_000, 192_000)
"""Samples a second that a stream may have."""
AGAIN_SECONDS = 0.5
"""A run that needs the whole recording reads it anew when so much has come."""
MOST_SECONDS = 60.0
"""The most that such a run is given."""


class _Sound(InputStream):
    """Sound at any rate, brought to the run's own."""

    takes: ClassVar[Literal["text", "numbers", "sound"]] = "sound"

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler: Any = None
        self._from = 0

    def push(self, piece: tuple[Sound, int]) -> Iterator[Event]:
        """Samples (n,) in [-1, 1], and how many there are a second."""
        sound, rate = piece
        if not RATES[0] <= rate <= RATES[1]:
            raise UserError(f"`rate` is {rate:,} samples a second; {RATES[0]:,} to {RATES[1]:,} are read")
        if self._from not in (0, rate):
            raise UserError(f"`rate` is {rate:,}, and was {self._from:,} before; begin another stream")
        if not np.isfinite(sound).all():
            raise UserError("the sound has samples that are no numbers")
        self._from = rate
        if rate != self._rate:
            sound = self._resampled(sound, last=False)
        yield from self.hear(sound)

    def _resampled(self, sound: Sound, *, last: bool) -> Sound:
        with optional_imports():
            import soxr

        if self._resampler is None:
            self._resampler = soxr.ResampleStream(self._from, self._rate, 1, dtype="float32")
        heard: Sound = self._resampler.resample_chunk(sound, last=last)
        return heard

    def finish(self) -> Iterator[Event]:
        """What is still in the resampler."""
        if self._resampler is not None:
            yield from self.hear(self._resampled(np.zeros(0, np.float32), last=True))
        yield from self.end()

    def hear(self, sound: Sound) -> Iterator[Event]:
        """Take in sound at the run's rate."""
        raise NotImplementedError

    def end(self) -> Iterator[Event]:
        """Say what is left to be said."""
        yield from ()


class TranscriptStream(_Sound):
    """Symbols as they are heard, by a run in one direction: the state is carried.

    Events: "symbol" with the second at which it was heard.

    Arguments:
        symbols: V of them, as texts.
    """

    def __init__(self, model: Transcriber, front_end: FrontEnd, symbols: tuple[str, ...]) -> None:
        super().__init__(front_end.spectrum.rate)
        self._model = model
        self._front_end = front_end
        self._symbols = symbols
        self._tuning = front_end.tuned(lambda: ())
        self._frames = LogMelStream(front_end.spectrum)
        self._held: Frames = np.zeros((0, front_end.size // front_end.stack), np.float32)
        self._state: State = ()
        self._decoder = Greedy()

    def hear(self, sound: Sound) -> Iterator[Event]:
        """The symbols in the steps that are whole now."""
        stack = self._front_end.stack
        self._held = np.concatenate([self._held, self._tuning(self._frames.push(sound))])
        whole = len(self._held) // stack * stack
        ready, self._held = self._held[:whole], self._held[whole:]
        yield from self._steps(ready)

    def end(self) -> Iterator[Event]:
        """The symbols in what is left."""
        rest = np.concatenate([self._held, self._tuning(self._frames.close())])
        self._held = rest[:0]
        yield from self._steps(rest)

    def _steps(self, frames: Frames) -> Iterator[Event]:
        if not len(frames):
            return
        steps = torch.from_numpy(stacked(frames, self._front_end.stack))
        with torch.no_grad():
            logits, self._state = self._model.go_on(steps.unsqueeze(1), self._state)
        for one in self._decoder.push(logits[:, 0].float().log_softmax(-1).numpy()):
            at = round(one.step * self._front_end.seconds, 3)
            yield {"event": "symbol", "symbol": self._symbols[one.symbol - 1], "second": at}


class WholeSoundStream(_Sound):
    """What is heard so far, by a run that needs the whole recording: it is read anew every half second.

    Events: "provisional" while it goes on, "prediction" at the end.

    Arguments:
        judge: what is heard in a recording (n,) which is not silent.
    """

    def __init__(self, rate: int, judge: Callable[[Sound], Event]) -> None:
        super().__init__(rate)
        self._judge = judge
        self._pieces: list[Sound] = []
        self._samples = 0
        self._due = AGAIN_SECONDS

    def hear(self, sound: Sound) -> Iterator[Event]:
        """What is heard in all of it, where enough has come."""
        if self._samples + len(sound) > MOST_SECONDS * self._rate:
            raise UserError(
                f"the recording is longer than {MOST_SECONDS:g} seconds, and this run reads it as a whole;"
                " begin another stream"
            )
        self._pieces.append(sound)
        self._samples += len(sound)
        if self._samples >= self._due * self._rate:
            self._due = self._samples / self._rate + AGAIN_SECONDS
            yield from self._heard("provisional")

    def end(self) -> Iterator[Event]:
        """What is heard in the whole."""
        yield from self._heard("prediction")

    def _heard(self, event: str) -> Iterator[Event]:
        whole = np.concatenate([np.zeros(0, np.float32), *self._pieces])
        self._pieces = [whole]
        if np.abs(whole).max(initial=0) > 0:
            with torch.no_grad():
                yield {"event": event, "seconds": self._samples / self._rate, **self._judge(whole)}
