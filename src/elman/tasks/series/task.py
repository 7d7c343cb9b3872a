"""The task `series`: labelled series, their scale, the classifier, and its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from elman.errors import UserError
from elman.tasks.classification.comparison import Baseline
from elman.tasks.classification.ensemble import EnsembleTask
from elman.tasks.classification.prediction import ClassPrediction
from elman.tasks.classification.task import Examples, Part
from elman.tasks.series.settings import Options, Settings
from elman.training.progress import display
from elman.training.settings import Choice
from elman.training.task import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from elman.data.description.facts import Description
    from elman.data.io.records import Record
    from elman.data.scaling import Scaler
    from elman.data.timeseries.classification import LabelledSequences, SequenceClasses
    from elman.insight.example import InspectionExample
    from elman.training.predicting.input_stream import InputStream


SCALER = "scaler.json"


class Task(EnsembleTask[Settings]):
    """The class of a series."""

    name = "series"
    inputs = "files, or folders of them: a .csv file is one series, a .ts or .npz file holds several"
    inputs_are_files = True
    predict_example = ("one.csv",)
    takes = "arrays"
    input_suffixes = (".csv", ".ts", ".npz")
    options_type = Options

    @classmethod
    def of(cls, settings: Settings, data: SequenceClasses) -> Self:
        """A task whose series are in memory, in place of what `settings.data` names."""
        task = cls(settings)
        task.data = data
        return task.settled()

    @cached_property
    def data(self) -> SequenceClasses:
        """The series as they are in the files."""
        from elman.data.timeseries.classification import read_sequences

        s = self.settings
        return read_sequences(s.data, interpolate=s.interpolate, validation_share=s.validation_share)

    def understood(self, *, whole: bool = False) -> Description:
        """Series, classes and lengths."""
        from elman.data.description.sequences import describe_sequences

        return describe_sequences(self.data, self.settings.data, whole=whole)

    @property
    def _training_part(self) -> LabelledSequences:
        """The series that are learned from: under cross-validation those that else were held out, too."""
        data = self.data
        return data.train.joined(data.validation) if self.settings.folds > 0 and data.held_out else data.train

    def choose(self) -> list[Choice]:
        """What the number of the series and their lengths say of settings that are left open."""
        import numpy as np

        from elman.data.scaling import spread_of_sizes
        from elman.tasks.series.auto import SeriesFacts, choose

        data = self.data
        known = data.train.joined(data.validation) if data.held_out else data.train
        facts = SeriesFacts(
            examples=len(known),
            length=int(np.median(known.lengths)),
            channels=data.channels,
            classes=len(data.classes),
            smallest=int(np.bincount(known.labels).min()),
            own_validation=not data.held_out,
            spread=spread_of_sizes(known.values),
        )
        return choose(facts, self.settings)

    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """Other sizes, rates and ways of reading."""
        from elman.tasks.series.auto import candidates

        return candidates(self.settings)

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

        scale = self.settings.scale
        assert scale != "auto"  # a new task is settled
        return Scaler.fit(self._training_part.values, scale)

    @property
    def channels(self) -> int:
        """I, the numbers of one step as it was measured."""
        return self.scaler.channels

    @property
    def outputs(self) -> int:
        """C, the numbers that the network answers with: one a class."""
        return len(self.classes)

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
        return self._scaled(self._training_part if part == "train" else getattr(self.data, part), part)

    def shown(self, index: int, step: int) -> NDArray[np.float32]:
        """A training series, varied a little."""
        import numpy as np

        from elman.data.timeseries.augmentation import vary

        series: NDArray[np.float32] = super().shown(index, step)
        if not self.settings.augment > 0:
            return series
        return vary(series, self.settings.augment, np.random.default_rng((self.settings.seed, step, index)))

    def baselines(self) -> list[Baseline]:
        """The nearest neighbour of the training part, by Euclidean distance and by time warping."""
        from elman.tasks.series.neighbours import neighbour_baselines

        return neighbour_baselines(self.examples("train"), self.judged("validation"), self.held_out())

    def other_examples(self, path: Path) -> Examples:
        """Series of a file or folder."""
        from elman.data.timeseries.classification import read_sequence_part

        part = read_sequence_part(path, self.classes, self.channels, interpolate=self.settings.interpolate)
        return self._scaled(part, path.name)

    def _scaled(self, part: LabelledSequences, name: str) -> Examples:
        names = [f"{name} series {number}" for number in range(1, len(part) + 1)]
        return Examples([self.scaler(values) for values in part.values], part.labels, names)

    def build_member(self) -> nn.Module:
        """A classifier of patches at several scales, or of the channels as they are."""
        from torch import nn

        from elman.models.classification.multiscale import MultiScaleClassifier
        from elman.models.classifier import Classifier

        s, inputs = self.settings, len(self.scaler.mean)
        shape = s.shape(inputs, bidirectional=s.bidirectional)
        if not s.patched:
            return Classifier(nn.Identity(), shape, self.outputs, **s.answering)
        answering = {name: value for name, value in s.answering.items() if name != "small_init"}
        size = self.scaler.difference
        return MultiScaleClassifier(
            [1.0] * inputs if size is None else size.tolist(),
            shape,
            self.outputs,
            [s.stride * 2**scale for scale in range(s.scales)],
            **answering,
        )

    def prediction_type(self) -> type[Prediction]:
        """A `ClassPrediction`."""
        return ClassPrediction

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

        read: list[tuple[str, Record]] = []
        with display().counting("reading, inputs", len(inputs)) as counted:
            for number, given in enumerate(inputs, 1):
                read += _series(given, number)
                counted(number)
        records = checked([record for _, record in read], self.settings.interpolate, self.channels)
        unknown = np.zeros(len(records), dtype=np.int64)
        with display().counting("judging, series", len(records)) as counted:
            answers = answer(model, [self.scaler(record.values) for record in records], unknown, counted)
        shares = answers.scores.softmax(-1).tolist()
        return [ClassPrediction.of(name, self.classes, one) for (name, _), one in zip(read, shares, strict=True)]

    def batches(self, options: Options) -> bool:
        """Always."""
        return True

    def open_stream(self, model: nn.Module, options: Options) -> InputStream:
        """The class of a series that comes step by step, after each piece."""
        from elman.tasks.series.streaming import SeriesStream

        def judge(values: NDArray[np.float32]) -> ClassPrediction:
            (found,) = self.predict(model, [values], options)
            assert isinstance(found, ClassPrediction)
            return found

        return SeriesStream(self.channels, judge)

    def inspection_example(self, model: nn.Module, file: str) -> InspectionExample:
        """The first series of a file to look at; a unit may follow one of its channels, or the time.

        Raises:
            UserError: the file cannot be read, or the series has other channels than the training part.
        """
        import torch

        from elman.data.io.records import checked
        from elman.tasks.classification.inspect import example_of_own_prediction

        record = checked([next(_series(file, 1))[1]], self.settings.interpolate, self.channels)[0]
        values = self.scaler(record.values)
        s = self.settings
        steps = range(0, len(values), s.stride if s.patched else 1)  # those of the finest scale
        tracks = {f"channel {k}": channel[:: steps.step].tolist() for k, channel in enumerate(record.values.T, 1)}
        tracks["time"] = list(steps)
        tokens = [f"{t + 1} " for t in steps]
        example = example_of_own_prediction(model, torch.from_numpy(values), tokens, self.classes, tracks)
        return replace(example, layer="recurrent.0.layer") if s.patched else example


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
