"""A trained run without torch: `load` reads its folder, and the model answers, step by step where it is asked to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.runtime.files import Settings
from elman.runtime.predictions import Prediction
from elman.runtime.recurrent import Weights
from elman.runtime.tensors import read_weights

TASKS = ("language", "parity", "sentiment", "series", "forecasting", "speech", "captioning")
"""The tasks whose runs can be loaded, a module of `elman.runtime.tasks` each."""


class Model(ABC):
    """A trained run, ready to predict.

    Attributes:
        task: the name of its task.
        folder: where it lies.
        header: what the weights file says of itself: the step and the validation metrics.
    """

    task: str
    takes: str
    """What one input is, for messages."""

    def __init__(self, folder: Path, settings: Settings, header: dict[str, Any]) -> None:
        self.folder, self.settings, self.header = folder, settings, header

    @abstractmethod
    def build(self, weights: Weights) -> None:
        """Read what the run keeps beside its weights, and take these."""

    @np.errstate(all="ignore")  # states of a network may grow without bound
    def predict(self, inputs: Any, **options: Any) -> list[Any]:
        """One prediction for each input, with the fields of those that `elman.load(run).predict` gives.

        Arguments:
            inputs: a list of inputs, or one; the task says what they are.
            options: as the task's `Options` in elman, by name.

        Raises:
            UserError: no inputs, one that cannot be read, or an option that the task does not have.
        """
        several = isinstance(inputs, list | tuple)
        given = list(inputs) if several and not self.is_one(inputs) else [inputs]
        if not given:
            raise UserError(f"nothing to predict; a {self.task} run takes {self.takes}")
        known = self.options()
        if unknown := next((name for name in options if name not in known), None):
            has = ", ".join(f"`{name}`" for name in known) or "none"
            raise UserError(f"`{unknown}` is no option of a {self.task} run; it has {has}")
        for name, value in options.items():
            check_kind(name, value, known[name])
        return list(self.answer(given, {**known, **options}))

    def is_one(self, inputs: Sequence[Any]) -> bool:
        """Whether a list is one input and not several."""
        return False

    def options(self) -> dict[str, Any]:
        """The options of `predict`, and what they are where they are left out."""
        return {}

    @abstractmethod
    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[Prediction]:
        """The predictions; every option is there."""

    def stream(self) -> Any:
        """A stream: what it is given piece by piece is read once, and the state is carried from piece to piece.

        Raises:
            UserError: the run reads from both ends, or its task has no streams.
        """
        raise UserError(f"a {self.task} run has no streams; give all of an input to `predict`")

    def text_of(self, given: Any, number: int, count: int) -> str:
        """An input that must be a text.

        Raises:
            UserError: it is none.
        """
        if not isinstance(given, str):
            raise UserError(f"input {number} of {count} is {named(given)}; a {self.task} run takes {self.takes}")
        try:
            return given.encode("utf-8", "surrogateescape").decode("utf-8")
        except UnicodeError as error:
            raise UserError(f"input {number} of {count} is not UTF-8: {given[:40]!r}; convert it") from error


def load(path: str | Path) -> Model:
    """A trained run by its folder, with its best weights.

    Raises:
        UserError: no run there, files that are damaged or do not fit, or a task or cell that needs all of elman.
    """
    folder = Path(path)
    settings = settings_of(folder)
    tensors, header = read_weights(folder / "model.safetensors")
    return assembled(folder, settings, Weights(tensors, folder / "model.safetensors"), header)


def settings_of(folder: Path) -> Settings:
    """The settings of the run in a folder.

    Raises:
        UserError: no run there, a damaged file, or a task that needs all of elman.
    """
    source = folder / "settings.toml"
    if not folder.is_dir() or not source.exists():
        raise UserError(f"{folder} holds no run (no settings.toml in it); name the folder of a trained run")
    settings = Settings.read(source)
    task = settings.text("task", "")
    if task not in TASKS:
        known = ", ".join(TASKS)
        raise UserError(f"{source} is of the task {task[:40]!r}, and elman.runtime has {known}; load it with elman")
    return settings


def assembled(folder: Path, settings: Settings, weights: Weights, header: dict[str, Any]) -> Model:
    """The model of a run's settings, with these weights and what else its folder keeps.

    Raises:
        UserError: they do not fit each other.
    """
    kind: type[Model] = import_module(f"elman.runtime.tasks.{settings.text('task', '')}").MODEL
    model = kind(folder, settings, header)
    model.build(weights)
    weights.close()
    return model


def check_kind(name: str, value: Any, default: Any) -> None:
    """Raise a UserError unless an option is of its default's type and not below 0."""
    kinds = (int, float) if isinstance(default, float) else (type(default),)
    wrong = type(value) not in kinds and not (value is None and default is None)
    if isinstance(default, bool):
        wrong = type(value) is not bool
    elif default is None:
        wrong = value is not None and type(value) is not int
    if wrong or (type(value) in (int, float) and not value >= 0):
        kind = "True or False" if isinstance(default, bool) else "a number of 0 or more"
        raise UserError(f"`{name}` is {named(value)}; give {kind}")


def named(value: Any) -> str:
    """A value that was given, for a message."""
    return f"{str(value)[:40]!r}, of type {type(value).__name__}"
