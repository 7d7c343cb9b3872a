"""Runs of the task `series`: which kind of series it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.runtime.arrays import read_series_file
from elman.runtime.classifier import Classifier, MultiScaleClassifier, build, check_channels
from elman.runtime.files import names_in
from elman.runtime.model import Model, named
from elman.runtime.predictions import ClassPrediction, class_prediction
from elman.runtime.recurrent import Shape, Weights, softmax
from elman.runtime.scaling import Scaler
from elman.runtime.streams import ClassStream
from elman.runtime.tables import read_numbers
from elman.runtime.tensors import Floats


class SeriesModel(Model):
    """A classifier of series, their scale and its classes."""

    task, takes = "series", "arrays (T, I), or names of .csv files (a row a step) and .npz files (x)"

    def build(self, weights: Weights) -> None:
        """Classes, scale, and one network or several."""
        s = self.settings
        self.classes, self.scaler = names_in(self.folder / "classes.json"), Scaler.load(self.folder / "scaler.json")
        self.channels, inputs, C = self.scaler.channels, len(self.scaler.mean), len(self.classes)
        self.interpolate = s.flag("interpolate")
        shape = Shape.of(s, bidirectional=s.flag("bidirectional", True))
        stride, scales = max(1, s.integer("stride", 1)), max(1, s.integer("scales", 1, 0, 20))

        def make(prefix: str) -> Classifier | MultiScaleClassifier:
            if stride == scales == 1:
                return Classifier(weights, prefix, None, inputs, shape, C, s, "mean-max")
            strides = [stride * 2**scale for scale in range(scales)]
            return MultiScaleClassifier(weights, prefix, inputs, shape, C, strides, s)

        self.model = build(s, make)

    def is_one(self, inputs: Sequence[Any]) -> bool:
        """A list of numbers is one series."""
        return bool(inputs) and all(isinstance(one, int | float) for one in inputs)

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[ClassPrediction]:
        """Label and probabilities of each series; like lengths are read together."""
        read = [pair for number, one in enumerate(inputs, 1) for pair in self._series(one, number)]
        found: list[ClassPrediction] = []
        for name, values in read:  # one by one: a batch would pad, and a patch reads past an end
            shares: list[float] = softmax(self.model(self.scaler(values)[:, None], np.array([len(values)])))[0].tolist()
            found.append(class_prediction(name, self.classes, shares))
        return found

    def _series(self, given: Any, number: int) -> list[tuple[str, Floats]]:
        """The series that an input stands for, each with what to call it."""
        if isinstance(given, str | Path):
            path = Path(given)
            if path.suffix.lower() not in (".csv", ".npz"):
                raise UserError(f"cannot tell the format of {path}; give a .csv or .npz file, or an array")
            if path.suffix.lower() == ".csv":
                found = [(path.name, read_numbers(path))]
            else:
                found = [(f"{path.name} series {place}", one) for place, one in enumerate(read_series_file(path), 1)]
        else:
            found = [(f"series {number}", array_of(given, f"series {number}"))]
        for name, values in found:
            check_channels(values, self.channels, name)
        return [(name, filled(values, self.interpolate, name)) for name, values in found]

    def stream(self) -> ClassStream:
        """A stream that reads rows (T, I) and says which class all so far make.

        Raises:
            UserError: the run reads from both ends, patches, by several networks, or scales a series by its own size.
        """
        if self.scaler.floor is not None:
            raise UserError(
                "this run scales a series by its own size, which its end decides; give all of a series to `predict`"
            )
        if not isinstance(self.model, Classifier):
            raise UserError("a run of patches or of several networks has no streams; give all of a series to `predict`")

        def rows(piece: Any) -> Floats:
            values = array_of(piece, "the piece")
            check_channels(values, self.channels, "the piece")
            return self.scaler(filled(values, False, "the piece"))

        return ClassStream(self.model, self.classes, rows)


def array_of(given: Any, what: str) -> Floats:
    """(T, I) float32 from an array or lists of numbers, (T,) being one channel.

    Raises:
        UserError: it is none.
    """
    if not (hasattr(given, "__array__") or isinstance(given, list | tuple)):
        raise UserError(f"{what} is {named(given)}; give an array (T, I), or the name of a .csv file")
    try:
        with np.errstate(over="ignore"):  # infinite then, and refused as such
            values = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} is no array of numbers ({str(error)[:80]}); give (T, I)") from error
    if values.ndim not in (1, 2):
        raise UserError(f"{what} has shape {values.shape}; give (T, I), or (T,) for one channel")
    return values[:, None] if values.ndim == 1 else values


def filled(values: Floats, interpolate: bool, what: str) -> Floats:
    """The values, where none is missing, or missing ones on the line between their neighbours in time.

    Raises:
        UserError: one is missing and is not to be filled in, or a whole channel is.
    """
    good = np.isfinite(values)
    if good.all():
        return values
    step, channel = np.argwhere(~good)[0].tolist()
    if not interpolate:
        raise UserError(
            f"{what}: the value of step {step + 1}, channel {channel + 1} is missing (NaN or infinite); mend it"
        )
    values, steps = values.copy(), np.arange(len(values))
    for number in np.flatnonzero(~good.all(axis=0)).tolist():
        known = good[:, number]
        if not known.any():
            raise UserError(f"{what}: channel {number + 1} has no value; take the sequence out")
        values[:, number] = np.interp(steps, steps[known], values[known, number])
    return values


MODEL = SeriesModel
