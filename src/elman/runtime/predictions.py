"""What a model says of one input: the fields and the text of the predictions of `elman.load(run).predict`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from elman.errors import one_line_of

SHOWN_STEPS = 12


@dataclass(frozen=True)
class Prediction:
    """What a model says of one input; `str` is its text."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as JSON has them: None for numbers that are not finite."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True)
class Continuation(Prediction):
    """A prompt, and the text that a language model puts after it."""

    prompt: str
    text: str

    def __str__(self) -> str:
        return self.prompt + self.text


@dataclass(frozen=True)
class ClassPrediction(Prediction):
    """The class of one sequence: the most probable one, its probability, and that of each class by name."""

    input: str
    label: str
    probability: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.label}  {self.probability:.1%}")


@dataclass(frozen=True)
class RunningPrediction:
    """What a classifier predicts after one token."""

    token: str
    label: str
    probability: float


@dataclass(frozen=True)
class TextPrediction(ClassPrediction):
    """The class of one text, and the prediction after each token where that was asked for."""

    opinion: tuple[RunningPrediction, ...] = ()


@dataclass(frozen=True)
class ParityPrediction(Prediction):
    """YES or NO, and how probable that answer is."""

    input: str
    answer: str
    probability: float

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.answer}")


@dataclass(frozen=True)
class SumPrediction(Prediction):
    """The sum that the network gives, and the right one."""

    input: str
    answer: float
    sum: float

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.answer:.3f}")


@dataclass(frozen=True)
class CopyPrediction(Prediction):
    """The symbols that the network writes after the silence; "-" for a blank."""

    input: str
    answer: str

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.answer}")


@dataclass(frozen=True)
class Forecast(Prediction):
    """How one series goes on: F times, and for each target "forecast" and, with intervals, "lower" and "upper"."""

    input: str
    series: str
    times: list[str]
    targets: dict[str, dict[str, list[float]]]

    def __str__(self) -> str:
        lines = [one_line_of(" ".join(filter(None, [self.input, self.series])))]
        for name, target in self.targets.items():
            lines.append(f"  {one_line_of(name)}")
            rows = list(zip(self.times, *target.values(), strict=True))
            lines += [f"    {time}  {_with_ends(numbers)}" for time, *numbers in rows[:SHOWN_STEPS]]
            if len(rows) > SHOWN_STEPS:
                lines.append(f"    ... {len(rows) - SHOWN_STEPS} more")
        return "\n".join(lines)


@dataclass(frozen=True)
class Transcript(Prediction):
    """The text of one recording, how many seconds it has, and each symbol with the second at which it was heard."""

    input: str
    text: str
    seconds: float
    heard: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.text}")


@dataclass(frozen=True)
class WordChoice:
    """How probable a word was, and what would have been the next best."""

    word: str
    probability: float
    runner_up: str
    runner_up_probability: float


@dataclass(frozen=True)
class Caption(Prediction):
    """What a captioner writes about one picture, the probability of all of it, and the words where asked for."""

    input: str
    caption: str
    probability: float
    words: tuple[WordChoice, ...] = ()

    def __str__(self) -> str:
        return one_line_of(f"{self.input}  {self.caption}  ({self.probability:.2g})")


def best_of(classes: Sequence[str], probabilities: Sequence[float]) -> tuple[str, float]:
    """The most probable class, the first of several, and its probability."""
    best = max(range(len(classes)), key=probabilities.__getitem__)
    return classes[best], probabilities[best]


def _with_ends(numbers: list[float]) -> str:
    point, *ends = (f"{number:.6g}" for number in numbers)
    return f"{point}  ({ends[0]} to {ends[1]})" if ends else point


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
