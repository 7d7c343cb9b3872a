"""What all tasks that give a sequence one of several classes have in common. N sequences, T steps, B in a batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeVar

from elman.data.names import read_names, save_names
from elman.tasks.classification.prediction import ClassPrediction, aligned
from elman.tasks.classification.settings import ClassifierSettings
from elman.training.progress import display
from elman.training.report import Report, Table
from elman.training.task import Carry, Loss, Prediction, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from elman.data.batching import Buckets
    from elman.metrics.classification import Answers
    from elman.training.run_folder import RunFolder

S = TypeVar("S", bound=ClassifierSettings)
Part = Literal["train", "validation", "test"]
MISTAKES = 20


@dataclass(frozen=True)
class Examples:
    """N sequences, each (T_n, ...), the numbers of their classes (N,), and how each is called in a table."""

    sequences: Sequence[NDArray[Any]]
    labels: NDArray[np.int64]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)


class LabelledBatch(NamedTuple):
    """x (T, B, ...), lengths (B,) and labels (B,)."""

    x: Tensor
    lengths: Tensor
    labels: Tensor


class ClassificationTask(Task[S]):
    """Batches, loss, metrics and tables of a classifier; the task says where its examples come from."""

    data_files: ClassVar[int] = 1
    looks_at_end: ClassVar[int] = 2
    loss_unit = "nats per sequence"

    def __init__(self, settings: S, folder: Path | None = None) -> None:
        super().__init__(settings, folder)
        self.metric = settings.best_by
        self.higher_is_better = self.metric == "accuracy"
        self._parts: dict[Part, Examples] = {}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes: the run's own, or those of the training data."""
        return self.classes_of_data()

    @abstractmethod
    def classes_of_data(self) -> tuple[str, ...]:
        """The names of the classes in the training data."""

    def examples(self, part: Part) -> Examples:
        """The examples of a part, read once; the test part may be empty."""
        if part not in self._parts:
            self._parts[part] = self.read_examples(part)
        return self._parts[part]

    @abstractmethod
    def read_examples(self, part: Part) -> Examples:
        """Read the examples of a part."""

    @abstractmethod
    def other_examples(self, path: Path) -> Examples:
        """Examples from a file or folder, to evaluate on."""

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        _ = self.examples("train"), self.examples("validation"), self.examples("test")

    def save(self, folder: Path) -> None:
        """Write the names of the classes."""
        save_names(folder / "classes.json", self.classes)

    def restore(self, folder: Path) -> None:
        """Read the names of the classes."""
        self.classes = read_names(folder / "classes.json")

    @cached_property
    def _buckets(self) -> Buckets:
        from elman.data.batching import Buckets, lengths_of

        lengths = lengths_of(self.examples("train").sequences)
        return Buckets(lengths, self.settings.effective_batch_size, self.settings.seed)

    def shown(self, index: int, step: int) -> NDArray[Any]:
        """A training sequence as a step shows it: as it is, where the task does not vary it."""
        sequence: NDArray[Any] = self.examples("train").sequences[index]
        return sequence

    def batch(self, step: int, rank: int, world: int) -> LabelledBatch:
        """Sequences of like length side by side."""
        import torch

        from elman.data.batching import IGNORE_INDEX, pad_sequences, process_share

        share, counts = process_share(self._buckets.batch(step), rank, world)
        labels = torch.from_numpy(self.examples("train").labels[share])
        x, lengths = pad_sequences([self.shown(index, step) for index in share.tolist()])
        return LabelledBatch(x, lengths, labels if counts else torch.full_like(labels, IGNORE_INDEX))

    def loss(self, model: nn.Module, batch: LabelledBatch, carry: Carry) -> Loss:
        """Cross-entropy in nats."""
        from elman.models.losses import token_loss

        device = next(model.parameters()).device
        total, count = token_loss(model(batch.x.to(device), batch.lengths.to(device)), batch.labels.to(device))
        return Loss(total, count)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and accuracy on the validation part."""
        return self.figures(model)

    def figures(self, model: nn.Module) -> dict[str, float]:
        """The same of a model that is taken as it is."""
        return self.answers(model, "validation").metrics()

    def answers(self, model: nn.Module, part: Part) -> Answers:
        """What the model answers to the examples of a part."""
        return self._ask(model, self.examples(part))

    def judged(self, part: Part) -> Examples:
        """The examples that `answers` are of, in their order."""
        return self.examples(part)

    def _ask(self, model: nn.Module, examples: Examples) -> Answers:
        from elman.metrics.classification import answer

        with display().counting("judging, sequences", len(examples)) as counted:
            return answer(model, examples.sequences, examples.labels, counted)

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """Metrics on the validation and the test part; confusion, classes and mistakes of the test part.

        Arguments:
            data: a file or folder to measure on in place of the parts.
        """
        if data:
            examples = self.other_examples(data[0])
            answers = self._ask(model, examples)
            return Report(answers.metrics(), self._tables(answers, examples, data[0].name))
        part: Part = "test" if len(self.examples("test")) else "validation"
        metrics = {f"validation_{name}": value for name, value in self.figures(model).items()}
        answers = self.answers(model, part)
        metrics |= {f"{part}_{name}": value for name, value in answers.metrics().items()}
        return Report(metrics, self._tables(answers, self.judged(part), part))

    def _tables(self, answers: Answers, examples: Examples, where: str) -> tuple[Table, ...]:
        confusion = answers.confusion().tolist()
        rows = zip(self.classes, confusion, strict=True)
        counts = Table(
            "confusion",
            f"{where}: true class (row) and answer (column)",
            ("true class", *self.classes),
            tuple((name, *row) for name, row in rows),
        )
        measured = zip(self.classes, answers.by_class().tolist(), confusion, strict=True)
        classes = Table(
            "classes",
            f"{where}: by class",
            ("class", "precision", "recall", "F1", "examples"),
            tuple((name, *measures, sum(row)) for name, measures, row in measured),
        )
        confident = zip(answers.given.tolist(), answers.confidence.tolist(), strict=True)
        given = [(self.classes[index], probability) for index, probability in confident]
        wrong = [
            (self.classes[int(examples.labels[i])], *given[i], examples.names[i]) for i in answers.mistakes(MISTAKES)
        ]
        columns = ("true class", "answer", "probability", "example")
        return counts, classes, Table("mistakes", f"{where}: the most confident mistakes", columns, tuple(wrong))

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves, and the confusions of the validation part."""
        import torch

        from elman.plotting.confusion import draw_confusion

        super().finish(folder, model)
        with torch.no_grad():
            answers = self.answers(model, "validation")
        draw_confusion(answers.confusion(), self.classes, "validation part", folder.path / "confusion")

    def show(self, predictions: Sequence[Prediction]) -> str:
        """A line for each sequence, the classes one below the other."""
        return aligned([one for one in predictions if isinstance(one, ClassPrediction)])
