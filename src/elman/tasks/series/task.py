"""The task `series`: labelled series, their scale, the classifier, and its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.errors import UserError
from elman.tasks.classification.prediction import ClassPrediction
from elman.tasks.classification.task import ClassificationTask, Examples, Part
from elman.tasks.series.settings import Options, Settings
from elman.training.task import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from elman.data.io.records import Record
    from elman.data.scaling import Scaler
    from elman.data.timeseries.classification import LabelledSequences, SequenceClasses
    from elman.insight.example import InspectionExample


SCALER = "scaler.json"


class Task(ClassificationTask[Settings]):
    """The class of a series."""

    name = "series"
    inputs = "files, or folders of them: a .csv file is one series, a .ts or .npz file holds several"
    inputs_are_files = True
    predict_example = ("one.csv",)
    takes = "arrays"
    input_suffixes = (".csv", ".ts", ".npz")
    options_type = Options

    @cached_property
    def data(self) -> SequenceClasses:
        """The series as they are in the files."""
        from elman.data.timeseries.classification import read_sequences

        s = self.settings
        return read_sequences(s.data, interpolate=s.interpolate, validation_share=s.validation_share)

    def classes_of_data(self) -> tuple[str, ...]:
        """The names of the classes in the training data."""
        return self.data.classes

    def learned_from(self) -> dict[str, Iterable[Any]]:
        """Values and labels."""
        parts = {"training part": self.data.train, "validation part": self.data.validation}
        return {name: zip(part.values, part.labels.tolist(), strict=True) for name, part in parts.items()}

    @cached_property
    def scaler(self) -> Scaler:
        """The run's own, or one fitted on the training part."""
        from elman.data.scaling import Scaler

        return Scaler.fit(self.data.train.values, self.settings.scale)

    @property
    def channels(self) -> int:
        """I, the numbers of one step."""
        return len(self.scaler.mean)

    def save(self, folder: Path) -> None:
        """Write classes and scaler."""
        super().save(folder)
        self.scaler.save(folder / SCALER)

    def restore(self, folder: Path) -> None:
        """Read classes and scaler."""
        from elman.data.scaling import Scaler

        super().restore(folder)
        self.scaler = Scaler.load(folder / SCALER)

    def read_examples(self, part: Part) -> Examples:
        """The series of a part, scaled."""
        return self._scaled(getattr(self.data, part), part)

    def other_examples(self, path: Path) -> Examples:
        """Series of a file or folder."""
        from elman.data.timeseries.classification import read_sequence_part

        part = read_sequence_part(path, self.classes, self.channels, interpolate=self.settings.interpolate)
        return self._scaled(part, path.name)

    def _scaled(self, part: LabelledSequences, name: str) -> Examples:
        names = [f"{name} series {number}" for number in range(1, len(part) + 1)]
        return Examples([self.scaler(values) for values in part.values], part.labels, names)

    def build_model(self) -> nn.Module:
        """A classifier of the channels as they are."""
        from torch import nn

        from elman.models.classifier import Classifier

        s = self.settings
        shape = s.shape(self.channels, bidirectional=s.bidirectional)
        return Classifier(nn.Identity(), shape, len(self.classes), **s.answering)

    def predict(
        self, model: nn.Module, inputs: Sequence[str | Path | NDArray[np.float32]], options: Options
    ) -> list[Prediction]:
        """Label and probabilities of each series.

        Arguments:
            inputs: names of files, or arrays (T, I); (T,) for one channel.

        Raises:
            UserError: a file cannot be read, or a series has other channels than the training part.
        """
        import numpy as np

        from elman.data.io.records import checked
        from elman.metrics.classification import answer

        read = [pair for number, given in enumerate(inputs, 1) for pair in _series(given, number)]
        records = checked([record for _, record in read], self.settings.interpolate, self.channels)
        unknown = np.zeros(len(records), dtype=np.int64)
        answers = answer(model, [self.scaler(record.values) for record in records], unknown)
        shares = answers.scores.softmax(-1).tolist()
        return [ClassPrediction.of(name, self.classes, one) for (name, _), one in zip(read, shares, strict=True)]

    def inspection_example(self, model: nn.Module, file: str) -> InspectionExample:
        """The first series of a file to look at; a unit may follow one of its channels, or the time.

        Raises:
            UserError: the file cannot be read, or the series has other channels than the training part.
        """
        import torch

        from elman.data.io.records import checked
        from elman.models.classifier import Classifier
        from elman.tasks.classification.inspect import example_of_own_prediction

        assert isinstance(model, Classifier)
        record = checked([next(_series(file, 1))[1]], self.settings.interpolate, self.channels)[0]
        values = self.scaler(record.values)
        tracks = {f"channel {k}": channel.tolist() for k, channel in enumerate(record.values.T, 1)}
        tracks["time"] = list(range(len(values)))
        tokens = [f"{t} " for t in range(1, len(values) + 1)]
        return example_of_own_prediction(model, torch.from_numpy(values), tokens, self.classes, tracks)


def _series(given: str | Path | NDArray[np.float32], number: int) -> Iterator[tuple[str, Record]]:
    """The series that an input of `predict` stands for, each with what to call it."""
    import numpy as np

    from elman.data.io.arrays import read_csv_values, read_npz
    from elman.data.io.records import Record
    from elman.data.io.ts import read_ts

    if not isinstance(given, str | Path):
        values = np.asarray(given, dtype=np.float32)
        if values.ndim not in (1, 2):
            raise UserError(f"series {number} has shape {values.shape}; give (T, I), or (T,) for one channel")
        name = f"series {number}"
        yield name, Record(values.reshape(len(values), -1), "", Path(name))
        return
    path = Path(given)
    kind = path.suffix.lower()
    if kind == ".csv":
        yield path.name, Record(read_csv_values(path), "", path)
        return
    if kind not in (".ts", ".npz"):
        raise UserError(f"cannot tell the format of {path}; give a .csv, .ts or .npz file")
    records = read_ts(path) if kind == ".ts" else [record for part in read_npz(path).values() for record in part]
    for place, record in enumerate(records, 1):
        yield f"{path.name} series {place}", record
