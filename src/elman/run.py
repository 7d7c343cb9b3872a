"""A run from the outside: train one, load one, evaluate, predict. What the command line and Python users call alike."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from elman.errors import UserError
from elman.tasks import task_module
from elman.training.report import Report
from elman.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from elman.insight.example import InspectionExample
    from elman.training.loop import Result
    from elman.training.settings import TrainingSettings


class Run:
    """A trained model with the task that it was trained for.

    Attributes:
        task: how data are read and predictions shown.
        model: the network, in evaluation mode.
        header: what the weights file says of itself: the step and the validation figures.
    """

    def __init__(self, folder: RunFolder, task: Any, model: nn.Module, header: dict[str, Any]) -> None:
        self.folder = folder
        self.task = task
        self.model = model
        self.header = header

    @property
    def options(self) -> Any:
        """The class of this task's prediction options."""
        return task_module(self.task.name).Options

    def evaluate(self, data: Path | Sequence[Path] | None = None) -> dict[str, float]:
        """The task's figures on held-out data, or on other data of the same kind."""
        return self.examine(data).metrics

    def examine(self, data: Path | Sequence[Path] | None = None) -> Report:
        """The task's figures on held-out data, and tables where it has them.

        Arguments:
            data: a file or folder to measure on instead; two files where the task takes two that belong together.

        Raises:
            UserError: the data cannot be read, or the task measures on its own held-out data only.
        """
        import torch

        given = () if data is None else (data,) if isinstance(data, str | Path) else tuple(data)
        most = getattr(self.task, "data_files", 1)
        if len(given) > most:
            what = "one file or folder" if most == 1 else f"at most {most} files"
            raise UserError(
                f"--data names {len(given)} things, and a {self.task.name} run takes {what}; leave some out"
            )
        with torch.no_grad():
            if hasattr(self.task, "examine"):
                report: Report = self.task.examine(self.model, *given)
                return report
            if given:
                raise UserError(f"a {self.task.name} run is measured on its own held-out data; leave --data out")
            return Report(self.task.report(self.model))

    def predict(self, inputs: list[Any], options: Any = None) -> list[Any]:
        """One prediction for each input; what both are, the task says.

        Arguments:
            options: the task's `Options`, or None for its defaults.

        Raises:
            UserError: no inputs, or inputs that the task cannot read.
        """
        import torch

        if not inputs:
            raise UserError(f"nothing to predict; give at least one input to this {self.task.name} run")
        with torch.no_grad():
            predictions: list[Any] = self.task.predict(self.model, inputs, options or self.options())
        return predictions

    def stream(self, inputs: list[Any], options: Any = None) -> Iterator[Any]:
        """Predictions one after the other, as they come, where the task gives them so; else all of `predict`.

        Raises:
            UserError: as `predict`; but a task that streams may take its inputs from elsewhere when there are none.
        """
        if hasattr(self.task, "stream"):
            yield from self.task.stream(self.model, inputs, options or self.options())
        else:
            yield from self.predict(inputs, options)

    def inspection_example(self, text: str) -> InspectionExample:
        """An input as `elman.insight` takes it: `insight.unroll(run.model, look.inputs, look.targets)`.

        Arguments:
            text: what `predict` takes, one of it.

        Raises:
            UserError: an input that the task cannot read, or a task that shows none.
        """
        if not hasattr(self.task, "inspection_example"):
            raise UserError(f"a {self.task.name} run has no inputs that can be looked at one by one")
        look: InspectionExample = self.task.inspection_example(self.model, text)
        return look

    def batch(self) -> Any:
        """The batch that would be next in training, with which `cost` can be called.

        Raises:
            UserError: the training data are gone.
        """
        return self.task.batch(self.task.settings.steps, 0, 1)

    def cost(self, model: nn.Module, batch: Any) -> Tensor:
        """The mean loss of a batch, as in training: `insight.gradient_flow(run.model, run.batch(), run.cost)`."""
        loss = self.task.loss(model, batch, ())
        mean: Tensor = loss.total / loss.count
        return mean


def train(task_name: str, settings: TrainingSettings, out: str | Path, *, resume: bool = False) -> Result:
    """Train a model into the folder `out`, or go on with the run that is there.

    Everything is read and checked before the folder is made, so that a mistake leaves nothing behind.

    Raises:
        UserError: wrong data, a folder that holds another run, settings that do not fit the run to resume.
    """
    folder = RunFolder(Path(out))
    if resume:
        check_task(folder, task_name)
        folder.check_same(settings)
    task = task_module(task_name).Task(settings, folder.path)

    from elman.training.loop import train as train_loop
    from elman.training.optim import start_accelerator

    accelerator = start_accelerator(settings)
    if accelerator.is_main_process and not resume:
        folder.check_free()
        task.prepare()
        folder.write_settings(task_name, settings)
        task.save(folder.path)
    accelerator.wait_for_everyone()
    result = train_loop(task, settings, folder, accelerator, resume=resume)
    if accelerator.is_main_process:
        task.finish(folder, load(folder.path).model)
    return result


def load(path: str | Path, *, weights: Literal["best", "last"] = "best", device: str = "cpu") -> Run:
    """A trained run, ready to evaluate and predict.

    Arguments:
        path: the run's folder.
        weights: the best ones on the validation part, or the last checkpoint's.

    Raises:
        UserError: no run there, or files that are damaged or do not fit.
    """
    from elman.training.checkpoint import fill_model, group, load_weights, read_tensors

    folder = RunFolder(Path(path))
    name, table = folder.read()
    module = task_module(name)
    task = module.Task(settings_from(module.Settings, table, folder.settings), folder.path)
    model = task.build_model()
    if weights == "best":
        header = load_weights(folder.weights, model)
    else:
        tensors, header = read_tensors(folder.checkpoint)
        fill_model(model, group(tensors, "model"), folder.checkpoint)
    return Run(folder, task, model.to(device).eval(), header)


def check_task(folder: RunFolder, task_name: str) -> None:
    """Raise a UserError if the run in `folder` is of another task."""
    name, _ = folder.read()
    if name != task_name:
        raise UserError(
            f"{folder.path} is a run of the task {name}, not {task_name}; name a run of the task {task_name}"
        )


def settings_from(kind: type[Any], table: dict[str, Any], path: Path) -> Any:
    """Settings as they stand in a run's file, checked again.

    Raises:
        UserError: a setting that this version does not know, or of the wrong type.
    """
    known = {field.name for field in fields(kind)}
    if unknown := sorted(table.keys() - known):
        raise UserError(f"{path} has the setting {unknown[0]!r}, which this version of elman does not know; remove it")
    try:
        return kind(**table)
    except TypeError as error:
        raise UserError(f"{path} is damaged: {error}; restore it from a copy") from error
