"""Runs of the task `speech`: which word a recording is, or all that is said in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elman.errors import UserError, one_line_of
from elman.runtime.audio.frontend import FrontEnd
from elman.runtime.audio.wav import heard, read_wav
from elman.runtime.classifier import Classifier, linear_in, mean_probabilities
from elman.runtime.ctc import Emitted, Greedy, PrefixBeam
from elman.runtime.files import names_in
from elman.runtime.model import Model, named
from elman.runtime.predictions import Prediction, class_prediction
from elman.runtime.recurrent import Recurrent, Shape, State, Weights, log_softmax
from elman.runtime.scaling import Scaler
from elman.runtime.tensors import Floats

PIECE_SECONDS = 30
"""A longer recording is put into a class piece by piece."""
CHUNK, CONTEXT = 512, 96
"""Steps that are transcribed at once in both directions, and steps on either side that are read with them."""
MOST_BEAM = 1000


class Transcript(Prediction):
    """The text of one recording, how many seconds it has, and each symbol with the second at which it was heard."""

    input: str
    text: str
    seconds: float
    heard: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.text}")


class SpeechModel(Model):
    """A network that listens, with the way from sound to steps."""

    task, takes = "speech", "names of WAV files, or arrays of samples (n,) in [-1, 1] at the run's rate"

    def build(self, weights: Weights) -> None:
        """Front end, and a classifier or a transcriber."""
        s = self.settings
        scaler = Scaler.load(self.folder / "scaler.json") if s.text("normalise", "training") != "recording" else None
        sizes = s.integer("rate", 8000, 100, 10**6), s.integer("bands", 40, 1, 10**4), s.integer("stack", 3, 1, 1000)
        self.front_end = FrontEnd(*sizes, scaler, s.integer("cepstra", 0, 0, 10**4), s.number("floor", 0.0))
        shape = Shape.of(s, bidirectional=s.flag("bidirectional", True))
        self.whole = s.text("answer", "class", ("class", "symbols")) == "class"
        if self.whole:
            self.names = names_in(self.folder / "classes.json")
            self.classifier = Classifier(weights, "", None, self.front_end.size, shape, len(self.names), s, "max")
            return
        self.names = names_in(self.folder / "symbols.json")
        kind = s.text("symbols", "auto", ("auto", "words", "characters"))
        words = kind == "words" or (kind == "auto" and s.text("data", "fsdd") == "fsdd")
        self.between = " " if words else ""
        self.recurrent = Recurrent(weights, "recurrent.layer.", self.front_end.size, shape)
        self.output = linear_in(weights, "output", len(self.names) + 1, self.recurrent.output_size)

    def is_one(self, inputs: Sequence[Any]) -> bool:
        """A list of numbers is one recording."""
        return bool(inputs) and all(isinstance(one, int | float) for one in inputs)

    def options(self) -> dict[str, Any]:
        """Prefixes that transcription keeps; 1 is greedy."""
        return {"beam": 1}

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[Prediction]:
        """Label and probabilities of each recording, or its text and when each symbol was heard."""
        beam = options["beam"]
        if not 1 <= beam <= MOST_BEAM or (self.whole and beam > 1):
            raise UserError(
                f"`beam` is {beam}; it is from 1 to {MOST_BEAM:,}, and for runs trained with `answer=symbols`"
            )
        return [self._answer(*self._sound(one, number), beam) for number, one in enumerate(inputs, 1)]

    def _sound(self, given: Any, number: int) -> tuple[str, Floats]:
        if isinstance(given, str | Path):
            return str(given), read_wav(Path(given), self.front_end.rate)
        return f"recording {number}", heard(samples_of(given, number), f"recording {number}")

    def _answer(self, name: str, sound: Floats, beam: int) -> Prediction:
        steps, begin = self.front_end(sound)
        if self.whole:
            most = round(PIECE_SECONDS / self.front_end.seconds)
            shares: list[float] = mean_probabilities(self.classifier, steps, most).tolist()
            return class_prediction(name, self.names, shares)
        decoder = PrefixBeam(beam) if beam > 1 else Greedy()
        for scores in self._scores(steps):
            decoder.push(scores)
        emitted, seconds = decoder.best(), self.front_end.seconds
        said = tuple((self.names[one.symbol - 1], round(begin + one.step * seconds, 3)) for one in emitted)
        return Transcript(name, self.text(emitted), len(sound) / self.front_end.rate, said)

    def text(self, emitted: Sequence[Emitted]) -> str:
        """The text of symbols."""
        return self.between.join(self.names[one.symbol - 1] for one in emitted)

    def _scores(self, steps: Floats) -> Iterator[Floats]:
        """(t, V + 1) log-probabilities, piece by piece where a recording in both directions is long."""
        if not self.recurrent.shape.bidirectional:
            yield self.log_probabilities(steps, ())[0]
            return
        begin = 0
        while len(steps) - begin >= CHUNK + CONTEXT:
            first = max(0, begin - CONTEXT)
            scores, _ = self.log_probabilities(steps[first : begin + CHUNK + CONTEXT], ())
            yield scores[begin - first : begin - first + CHUNK]
            begin += CHUNK
        if len(steps) > begin:
            first = max(0, begin - CONTEXT)
            yield self.log_probabilities(steps[first:], ())[0][begin - first :]

    def log_probabilities(self, steps: Floats, state: State) -> tuple[Floats, State]:
        """(T, V + 1) of steps (T, I), and the state after them."""
        states, state = self.recurrent(steps[:, None], state)
        return log_softmax(states[:, 0] @ self.output[0].T + self.output[1]), state

    def stream(self) -> SpeechStream:
        """A stream that is given sound as it comes, and writes down what it hears.

        Raises:
            UserError: the run reads from both ends, scales a recording by all of it, or says a class alone.
        """
        if self.whole:
            raise UserError("streams are for runs trained with `answer=symbols`; give a whole recording to `predict`")
        if self.recurrent.shape.bidirectional:
            raise UserError(
                "this run also reads from the end, so that it has no text before it; train with `bidirectional=False`"
            )
        if self.front_end.scaler is None:
            raise UserError("a recording's mean is not known before its end; train with `normalise=training`")
        return SpeechStream(self)


class SpeechStream:
    """Sound that comes piece by piece; memory does not grow with it."""

    def __init__(self, model: SpeechModel) -> None:
        self._model, self._decoder = model, Greedy()
        self._sound, self._values = np.zeros(0, np.float32), list[Floats]()
        self._state: State = ()

    def push(self, samples: Any) -> str:
        """Read samples (n,) in [-1, 1] at the run's rate; the text that they add."""
        front = self._model.front_end
        sound = np.concatenate([self._sound, samples_of(samples, 1)])
        count = max(0, (len(sound) - front.width) // front.hop + 1)
        self._sound = sound[count * front.hop :]
        if not count or front.scaler is None:
            return ""
        held = np.concatenate(
            [*self._values, front.scaler(front.shaped(front.frames(sound[: front.width + (count - 1) * front.hop])))]
        )
        whole = len(held) // front.stack * front.stack
        self._values = [held[whole:]]
        return self._read(front.stacked(held[:whole])) if whole else ""

    def close(self) -> str:
        """The end of the sound; the text of its last, unfinished step."""
        rest = np.concatenate(self._values) if self._values else np.zeros((0, 0), np.float32)
        self._values = []
        return self._read(self._model.front_end.stacked(rest)) if len(rest) else ""

    @property
    def text(self) -> str:
        """All that was heard so far."""
        return self._model.text(self._decoder.best())

    def _read(self, steps: Floats) -> str:
        before = bool(self._decoder.best())
        scores, self._state = self._model.log_probabilities(steps, self._state)
        new = self._model.text(self._decoder.push(scores))
        return (self._model.between if before and new else "") + new


def samples_of(given: Any, number: int) -> Floats:
    """(n,) float32 samples from an array or a list.

    Raises:
        UserError: it is none, or has numbers that are not finite.
    """
    if not (hasattr(given, "__array__") or isinstance(given, list | tuple)):
        raise UserError(
            f"recording {number} is {named(given)}; give the name of a WAV file, or an array of samples (n,)"
        )
    try:
        sound = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"recording {number} is no array of numbers ({str(error)[:80]}); give samples (n,)") from error
    if sound.ndim != 1 or not np.isfinite(sound).all():
        raise UserError(
            f"recording {number} has shape {sound.shape}, or samples that are no numbers; give finite ones (n,)"
        )
    return sound


MODEL = SpeechModel
