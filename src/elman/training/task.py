"""What a task is: everything that the training loop, `elman.run` and the command line may call.

A new task is one package with a class that inherits `Task`; see CONTRIBUTING.md, "how to add a task".
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from elman.errors import UserError
from elman.training.report import Report
from elman.training.settings import Choice, TrainingSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from elman.data.description.facts import Description
    from elman.insight.example import InspectionExample
    from elman.insight.state_space import StateSpace
    from elman.training.predicting.input_stream import InputStream
    from elman.training.run_folder import RunFolder

S = TypeVar("S", bound=TrainingSettings)

AnswerKind = Literal["classes", "number", "classes at every step"]
Carry = tuple["Tensor", ...]
"""State carried from one step to the next, each tensor (layers, B, H): the batch is dimension 1."""
Carries = tuple[Carry, ...]
"""The carried state of each micro-batch, which that of its number in the next step begins with; () at first."""


@dataclass(frozen=True)
class Loss:
    """The loss of one process's share of a batch, as a sum and what it was summed over.

    Sum and count are kept apart so that several processes together compute the mean that one would have.
    """

    total: Tensor  # () sum over the share
    count: int  # what `total` was summed over: characters, sequences, ...
    carry: Carry = ()  # the state to hand to the next step, cut from the graph


@dataclass(frozen=True)
class Prediction(ABC):
    """What a task says of one input.

    Every field is a plain value, a list, a tuple or a dictionary of these, or a dataclass; a field with `repr=False`
    is of use to `write` alone and stays out of the JSON.
    """

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as JSON has them: null for numbers that are not finite."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self) if field.repr}

    @abstractmethod
    def show(self) -> str:
        """The prediction as text for a terminal, without a line break at its end."""

    def write(self, path: str | Path) -> tuple[Path, ...]:
        """Write what the prediction has beside its text (a table, a picture) as `path` with suffixes; most have none.

        Returns:
            the files written.

        Raises:
            UserError: there is nothing to write, or it cannot be written there.
        """
        raise UserError("`out` is for predictions that have a table or a picture, and these are text alone")


class Task(ABC, Generic[S]):
    """A task: where its data come from, its model, its loss, its metrics, and its predictions.

    `new` and `load` make one; a subclass that needs nothing of its own to be kept does not override `__init__`.

    Attributes:
        settings: the task's settings, checked when they were made.
        folder: where the run's own files lie (vocabulary, classes, scaler); None for a new task, which makes them
            from its training data.
        begins: whether the weights are yet to begin: what they have of training data, as word vectors, is put into
            them by `build_model` then alone. True for a new task, and for a run stopped before its first checkpoint.
        choices: the settings that were found, and why they are what they are.
    """

    name: ClassVar[str]
    """The name on the command line."""
    inputs: str
    """What `predict` takes, for its help: "texts"."""
    options_type: ClassVar[type[Any]]
    """A frozen dataclass of what `predict` can be told beside its inputs."""
    metric: str = "loss"
    """The validation metric that decides which weights are best; a key of what `evaluate` returns."""
    higher_is_better: bool = False
    """Whether a larger value of `metric` is better."""
    answer_kind: AnswerKind = "classes"
    """How a `Classifier` of the task is asked, for an export: once a sequence for classes or for a number, or at every
    step, `every_step=True`."""
    calibrates: ClassVar[bool] = False
    """Whether `evaluate` also sets what the network keeps beside its weights, such as the width of intervals."""
    unit: str = "sequences"
    """What `Loss.count` counts, for the speed shown: "chars", "sequences"."""
    loss_unit: str = "nats"
    """The unit of the training loss, for the axis of its curve: "nats per character"."""
    looks_at_end: ClassVar[int] = 1
    """How often `finish` goes through the validation part, at most: `minutes` keep the time for it."""
    data_files: ClassVar[int] = 0
    """How many files or folders `examine` takes in place of the held-out data, at most."""
    inputs_are_files: ClassVar[bool] = False
    """Whether one input of `inspection_example` is a file's name."""
    streaming: ClassVar[bool] = False
    """Whether `stream` gives predictions as they come, and takes its inputs from elsewhere when there are none."""
    predict_help: ClassVar[str] = ""
    """The help of `elman predict`; a general sentence otherwise."""
    predict_example: tuple[str, ...] = ("INPUT",)
    """Words that stand after the run in the example of that help."""
    writes: ClassVar[str] = ""
    """What `write` makes of predictions, for the help: "a table and a picture"; empty for nothing."""
    input_suffixes: ClassVar[tuple[str, ...]] = ()
    """Endings of the files that are meant where `predict` is given a folder; empty where a folder is none of the
    runner's business."""
    takes: ClassVar[Literal["texts", "files", "arrays"]] = "texts"
    """What one input of `predict` may be: a text; a file's name; or one of these or an array, a table."""
    local_options: ClassVar[frozenset[str]] = frozenset()
    """Options that are about this computer (its files, its terminal): what serves others leaves them out."""

    def __init__(self, settings: S, folder: Path | None = None) -> None:
        self.settings = settings
        self.folder = folder
        self.begins = folder is None
        self.choices: list[Choice] = []

    @classmethod
    def examples_for(cls, settings: S) -> tuple[str, ...]:
        """What `predict_example` is for a run of these settings."""
        return cls.predict_example

    @classmethod
    def new(cls, settings: S) -> Self:
        """A task that is to be trained: what it keeps, and settings left open, are found from its data."""
        return cls(settings)

    def again(self, settings: S) -> Self:
        """A new task by other settings; where reading takes long, what this one has read is not read again."""
        return type(self)(settings)

    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """Changes of the settings that may do better than those found from the data; none for nothing to search."""
        return ()

    @classmethod
    def load(cls, folder: Path, settings: S) -> Self:
        """The task of a run: what it keeps is read from the run's folder, never from training data.

        Raises:
            UserError: a file is missing or damaged.
        """
        task = cls(settings, folder)
        task.restore(folder)
        return task

    @classmethod
    def describe(cls, settings: S) -> Description | None:
        """What the data that the settings name are understood to be, looked at more closely than training does.

        Raises:
            UserError: they cannot be read.
        """
        return cls(settings).understood(whole=True)

    def understood(self, *, whole: bool = False) -> Description | None:
        """What the training data were understood to be; None for a task that makes its own.

        Arguments:
            whole: also look at what takes as long as reading the data: their columns, and examples that come twice.
        """
        return None

    def findings(self) -> Sequence[str]:
        """What followed from the data, in lines that are told before training begins."""
        return ()

    def prepare(self) -> None:
        """Read and check everything that training needs, so that a mistake leaves nothing behind."""

    def check(self) -> None:
        """`prepare`, without what only computes and can refuse nothing: to see whether training can begin."""
        self.prepare()

    def learned_from(self) -> Mapping[str, Iterable[Any]]:
        """What decides the weights, by part, for `elman.training.checks.data_digest`: a resumed run compares it.

        Examples of texts, numbers, arrays or files, or one text; nothing by default, for a task that makes its data.
        """
        return {}

    def save(self, folder: Path) -> None:
        """Write into the folder what `restore` reads: vocabulary, classes, scaler. Nothing by default."""

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote.

        Raises:
            UserError: a file is missing or damaged.
        """

    @abstractmethod
    def build_model(self) -> nn.Module:
        """A new model; its initial weights come from torch's global random state."""

    @abstractmethod
    def batch(self, step: int, rank: int, world: int) -> Any:
        """The share of process `rank` of `world` in the batch of `step`: the same for the same arguments, always.

        A batch has `settings.effective_batch_size` sequences; micro-batches are shares of it, as processes' are.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Any, carry: Carry) -> Loss:
        """The loss of a batch.

        Arguments:
            carry: the state that the step before handed on; empty at first.
        """

    @abstractmethod
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on the validation part, `metric` among them; draws no random numbers."""

    @property
    def depends_on_steps(self) -> bool:
        """Whether a batch depends on how many steps there are, so that their number must not change on the way."""
        return False

    def compare(self, seconds: float) -> None:
        """Compute what `finish` tells of other methods before a training in so many seconds; leave out what is long.

        Nothing by default, for a task that compares with nothing, or does so in `prepare`.
        """

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw what shows how training went, into the folder. The loss curve by default.

        Arguments:
            model: with the best weights, in evaluation mode.
        """
        from elman.training.monitoring.loss_curve import draw_loss_curve

        draw_loss_curve(folder, self.metric, self.loss_unit, higher_is_better=self.higher_is_better)

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """Metrics and tables on the held-out data, or on `data` where the task takes other data (`data_files`).

        Raises:
            UserError: the data cannot be read, or the task is measured on its own held-out data only.
        """
        if data:
            raise UserError(f"a {self.name} run is measured on its own held-out data; leave `data` out")
        return Report({f"validation_{name}": value for name, value in self.evaluate(model).items()})

    def input_from(self, value: Any) -> Any:
        """One input that a program has, such as an array, as `predict` takes it: as it is, by default."""
        return value

    @abstractmethod
    def predict(self, model: nn.Module, inputs: Sequence[Any], options: Any) -> list[Prediction]:
        """One prediction for each input, or several where an input holds several sequences; writes no file.

        Raises:
            UserError: an input that the task cannot read.
        """

    def prediction_type(self) -> type[Prediction]:
        """What `predict` returns, for those who describe it; `Prediction` where a task does not say."""
        return Prediction

    @classmethod
    def suits_runtime(cls, options: Any, count: int) -> bool:
        """Whether `elman.runtime`, which reads runs of elman's own tasks, says of `count` texts what `predict` does.

        With these options, and about as soon as torch is imported.
        """
        return False

    def from_runtime(self, record: Any) -> Prediction:
        """The prediction that a record of `elman.runtime` stands for: of the same fields, where a task says no other.

        Asked of a task that `restore` was not called for: all it has are settings.
        """
        return self.prediction_type()(**vars(record))

    def batches(self, options: Any) -> bool:
        """Whether several inputs are predicted side by side, each with the answer that it gets alone.

        False by default: the task takes one after the other, or what is drawn for one depends on those beside it.
        """
        return False

    def open_stream(self, model: nn.Module, options: Any) -> InputStream:
        """What takes one input in pieces, as it comes, and says after each what can be said so far.

        Raises:
            UserError: the task takes inputs whole, or this run does.
        """
        raise UserError(f"a {self.name} run takes inputs whole, not in pieces; ask for a prediction")

    def stream(self, model: nn.Module, inputs: Sequence[Any], options: Any) -> Iterator[Prediction]:
        """Predictions one after the other, as they come; all of `predict` unless the task is `streaming`."""
        yield from self.predict(model, inputs, options)

    def show(self, predictions: Sequence[Prediction]) -> str:
        """Several predictions as one text; one below the other by default."""
        return "\n".join(prediction.show() for prediction in predictions)

    def view(self, predictions: Sequence[Prediction]) -> Sequence[Any]:
        """What a terminal shows: texts, or what rich can print where colour says more. The text by default."""
        return [self.show(predictions)]

    def write(self, predictions: Sequence[Prediction], path: str | Path) -> tuple[Path, ...]:
        """Write what predictions have beside their text: one as `path`, several as `path`-1, `path`-2, ...

        Returns:
            the files written.

        Raises:
            UserError: there is nothing to write, or it cannot be written there.
        """
        path = picture_name(path)
        if len(predictions) == 1:
            return predictions[0].write(path)
        numbered = enumerate(predictions, 1)
        return tuple(file for n, one in numbered for file in one.write(path.with_name(f"{path.name}-{n}")))

    def inspected(self, model: nn.Module) -> nn.Module:
        """The part of a run's model that `elman.insight` is to look into; all of it by default."""
        return model

    @property
    def inspection_input(self) -> str:
        """What `inspection_example` may be given, for messages; empty where it takes nothing."""
        return "" if self.why_not_inspected() else self.predict_example[0]

    @classmethod
    def why_not_inspected(cls) -> str:
        """Why no input can be looked at, and what looks at the network without one; "" where one can."""
        if cls.inspection_example is not Task.inspection_example:
            return ""
        return (
            f"a {cls.name} run has no inputs that can be looked at one by one; elman inspect flow and elman inspect"
            " states look at the next training batch, without an input"
        )

    def inspection_example(self, model: nn.Module, given: str) -> InspectionExample:
        """One input as `elman.insight` takes it: `insight.unroll(model, example.inputs, example.targets)`.

        Raises:
            UserError: an input that the task cannot read, or a task whose inputs cannot be looked at one by one.
        """
        raise UserError(self.why_not_inspected())

    def show_states(self, batch: Any, space: StateSpace) -> tuple[Figure, list[str]] | None:
        """A picture of the task's own of where the states go on a batch, and what it shows in words; None for none."""
        return None


def picture_name(path: str | Path) -> Path:
    """A name that suffixes are added to: without the one of a picture, where somebody wrote it."""
    path = Path(path)
    return path.with_suffix("") if path.suffix.lower() in (".svg", ".png") else path


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "tolist"):  # numpy and torch
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
