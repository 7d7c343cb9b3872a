"""The task `parity`: even or odd, and the other tests of memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from elman.tasks.memory.prediction import CopyPrediction, ParityPrediction, SumPrediction
from elman.tasks.memory.settings import Options, Settings
from elman.training.progress import display
from elman.training.report import Report
from elman.training.task import AnswerKind, Carry, Loss, Prediction
from elman.training.task import Task as BaseTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from elman.data.synthetic import Part, ProblemBatch
    from elman.insight.example import InspectionExample
    from elman.insight.state_space import StateSpace
    from elman.tasks.memory.problems import Memory
    from elman.training.predicting.input_stream import InputStream
    from elman.training.run_folder import RunFolder

TEST_LENGTHS = (10, 20, 40, 60, 80, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000)
TEST_STRINGS = 1000
PREDICTIONS: dict[str, type[Prediction]] = {
    "parity": ParityPrediction,
    "adding": SumPrediction,
    "copy": CopyPrediction,
}
INPUTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "parity": ("strings of 0s and 1s", ("1000010101", "100011")),
    "adding": ("texts of numbers, two of them marked", ("0.1 0.5* 0.3 0.8*",)),
    "copy": ("ten digits 0 to 7", ("0123456712",)),
}
"""What `predict` takes, by problem, and examples."""


class Task(BaseTask[Settings]):
    """Even or odd, and the other tests of memory."""

    name = "parity"
    inputs = "strings of 0s and 1s; adding: numbers, two of them marked ('0.1 0.5* 0.3 0.8*'); copy: ten digits 0 to 7"
    predict_example: tuple[str, ...] = ("1000010101", "100011")
    options_type = Options

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        super().__init__(settings, folder)
        per_problem: dict[str, AnswerKind] = {"adding": "number", "copy": "classes at every step"}
        self.answer_kind = per_problem.get(settings.problem, "classes")
        self.inputs, self.predict_example = INPUTS[settings.problem]
        self.unit = "symbols" if settings.problem == "copy" else "answers"
        self.loss_unit = "squared error" if settings.problem == "adding" else f"nats per {self.unit[:-1]}"

    @classmethod
    def examples_for(cls, settings: Settings) -> tuple[str, ...]:
        """Those of the problem."""
        return INPUTS[settings.problem][1]

    @cached_property
    def memory(self) -> Memory:
        """The problem, put to a network."""
        from elman.tasks.memory.problems import Copying, Counting, Summing

        s = self.settings
        if s.problem == "adding":
            return Summing()
        return Copying() if s.problem == "copy" else Counting(every=s.supervise == "every")

    def build_model(self) -> nn.Module:
        """The problem's network; with `fixed` only its output layer learns."""
        s = self.settings
        model = self.memory.model(s.shape(self.memory.input_size), s.dropout)
        if s.fixed:
            model.requires_grad_(False)
            model.output.requires_grad_(True)
        return model

    @property
    def depends_on_steps(self) -> bool:
        """Where the length grows."""
        return self.settings.curriculum > 0

    def batch(self, step: int, rank: int, world: int) -> ProblemBatch:
        """New sequences; their length grows over the first part of the training."""
        s = self.settings
        growth = min(1.0, step / max(1.0, s.curriculum * s.steps))
        shortest = self.memory.shortest
        length = shortest + round(growth * (s.max_length - shortest))
        return self.memory.batch(length, s.effective_batch_size, s.seed, step, "train").share(rank, world)

    def loss(self, model: nn.Module, batch: ProblemBatch, carry: Carry) -> Loss:
        """The problem's own loss."""
        return Loss(*self.memory.loss(model, batch.to(next(model.parameters()).device)))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and accuracy on sequences of the longest length that was trained on."""
        return self._metrics(model, self.settings.max_length, "validation")

    def _metrics(self, model: nn.Module, length: int, part: Part) -> dict[str, float]:
        # One seed for all runs, so that runs are compared on the same sequences.
        batch = self.memory.batch(length, TEST_STRINGS, 0, length, part)
        return self.memory.metrics(model, batch.to(next(model.parameters()).device))

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """parity: accuracy by length, far past the lengths trained on; else loss and accuracy on new sequences."""
        if data:
            return super().examine(model, *data)
        if self.settings.problem == "parity":
            return Report(self._by_length(model))
        longest = self.settings.max_length
        return Report({f"test_{name}": value for name, value in self._metrics(model, longest, "test").items()})

    def _by_length(self, model: nn.Module) -> dict[str, float]:
        return {f"accuracy_at_length_{n}": self._metrics(model, n, "test")["accuracy"] for n in TEST_LENGTHS}

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the loss curve, and for parity the accuracy by length."""
        import torch

        super().finish(folder, model)
        if self.settings.problem == "parity":
            with torch.no_grad():
                self._draw_lengths(folder, self._by_length(model))

    def _draw_lengths(self, folder: RunFolder, metrics: dict[str, float]) -> None:
        from elman.plotting.palette import PALETTE
        from elman.plotting.style import DASHES, MARKERS, new_figure, save_figure

        lowest = min(metrics.values())
        longest = self.settings.max_length
        title = f"Trained on up to {longest} bits, at least {lowest:.1%} right on up to {TEST_LENGTHS[-1]:,} bits"
        figure, axes = new_figure(title, height=4.5)
        label = f"{TEST_STRINGS:,} new strings of each length"
        axes[0].plot(TEST_LENGTHS, list(metrics.values()), marker=MARKERS[0], color=PALETTE[0], label=label)
        axes[0].axvline(longest, color=PALETTE[1], linestyle=DASHES[1], label="longest in training")
        axes[0].axhline(0.5, color=PALETTE[2], linestyle=DASHES[2], label="guessing")
        axes[0].set(xlabel="length (bits)", ylabel="share answered correctly", ylim=(0.0, 1.05))
        axes[0].legend(loc="lower right")
        save_figure(figure, folder.path / "accuracy")

    def prediction_type(self) -> type[Prediction]:
        """That of the problem."""
        return PREDICTIONS[self.settings.problem]

    def predict(self, model: nn.Module, inputs: Sequence[str], options: Options) -> list[Prediction]:
        """The answer to each input, with its probability or what would be right.

        Raises:
            UserError: an input is not of the problem's form: says where.
        """
        return self.memory.answers(model, inputs, self.settings.max_length)

    @classmethod
    def suits_runtime(cls, options: Options, count: int) -> bool:
        """Always."""
        return True

    def batches(self, options: Options) -> bool:
        """Strings of bits are; the other problems take one after the other."""
        return self.settings.problem == "parity"

    def open_stream(self, model: nn.Module, options: Options) -> InputStream:
        """The answer after each bit of a string, or each number of a sum, that comes in pieces.

        Raises:
            UserError: the problem is copy, whose ten digits come together.
        """
        return self.memory.open_stream(model)

    def inspection_example(self, model: nn.Module, text: str) -> InspectionExample:
        """A string of the problem to look at, with what the answer should be.

        Raises:
            UserError: it is not of the problem's form: says where.
        """
        return self.memory.inspection_example(text, self.settings.max_length, next(model.parameters()).device)

    def show_states(self, batch: ProblemBatch, space: StateSpace) -> tuple[Figure, list[str]] | None:
        """parity: the picture that explains the answer, and what it shows in words; None for the other problems.

        Arguments:
            batch, space: strings, and where the states of a layer went on them.
        """
        if self.settings.problem != "parity":
            return None
        from elman.insight import fixed_points
        from elman.insight.fixed_points import ROUNDS
        from elman.tasks.memory.parity_states import parity_states
        from elman.tasks.memory.plots import plot_parity

        found = parity_states(space, batch.inputs)
        # in the lowest layer a bit is always the same vector; in a higher one its mean stands for it
        held = [space.x[space.real & (batch.inputs.cpu() == bit)].mean(0) for bit in (0, 1)]
        points = []
        for bit, x in enumerate(held):
            with display().counting(f"fixed points while only {bit}s come in, rounds", ROUNDS) as done:
                points.append(fixed_points(space, x, progress=done))
        words = [f"while only {bit}s come in: {here.summary}" for bit, here in enumerate(points)]
        return plot_parity(space, found, *points), [found.finding, *words]

    def show(self, predictions: Sequence[Prediction]) -> str:
        """A line for each input, the answers one below the other."""
        lines = [prediction.show().rsplit("  ", 1) for prediction in predictions]
        width = min(60, max(len(given) for given, _ in lines))
        return "\n".join(f"{given:<{width}}  {answer}" for given, answer in lines)
