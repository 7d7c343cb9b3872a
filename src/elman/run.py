"""A run from the outside: train one, load one, evaluate, predict. What the command line and Python users call alike."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from elman.atomic_io import remove_leftovers
from elman.errors import UserError, optional_imports
from elman.tasks import task_module
from elman.training.report import Report
from elman.training.run_folder import RunFolder, settings_from
from elman.training.run_lock import RunLock
from elman.training.task import Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from elman.insight.example import InspectionExample
    from elman.training.loop import Result
    from elman.training.settings import TrainingSettings

log = logging.getLogger("elman")


class Run:
    """A trained model with the task that it was trained for.

    Attributes:
        folder: where it lies.
        task: how data are read and predictions shown.
        model: the network, in evaluation mode.
        header: what the weights file says of itself: the step and the validation metrics.
    """

    def __init__(self, folder: RunFolder, task: Task[Any], model: nn.Module, header: dict[str, Any]) -> None:
        self.folder = folder
        self.task = task
        self.model = model
        self.header = header

    def evaluate(self, data: Path | str | Sequence[Path | str] | None = None) -> dict[str, float]:
        """The task's metrics on held-out data, or on other data of the same kind."""
        return self.examine(data).metrics

    def examine(self, data: Path | str | Sequence[Path | str] | None = None) -> Report:
        """The task's metrics on held-out data, and tables where it has them.

        Arguments:
            data: a file or folder to measure on instead; two files where the task takes two that belong together.

        Raises:
            UserError: the data cannot be read, or the task measures on its own held-out data only.
        """
        import torch

        given = () if data is None else (data,) if isinstance(data, str | Path) else tuple(data)
        most = self.task.data_files
        if most and len(given) > most:
            what = "one file or folder" if most == 1 else f"at most {most} files"
            raise UserError(
                f"`data` names {len(given)} things, and a {self.task.name} run takes {what}; leave some out"
            )
        with torch.no_grad():
            return self.task.examine(self.model, *map(Path, given))

    def predict(self, inputs: Any, options: Any = None) -> list[Prediction]:
        """One prediction for each input; what both are, the task says.

        Arguments:
            inputs: a list of inputs, or one.
            options: the task's `Options`, or None for its defaults.

        Raises:
            UserError: no inputs, or inputs that the task cannot read.
        """
        import torch

        given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if not given:
            raise UserError(f"nothing to predict; give at least one input to this {self.task.name} run")
        with torch.no_grad():
            return self.task.predict(self.model, given, options or self.task.options_type())

    def stream(self, inputs: list[Any], options: Any = None) -> Iterator[Prediction]:
        """Predictions one after the other, as they come, where the task gives them so; else all of `predict`.

        Raises:
            UserError: as `predict`; but a task that streams may take its inputs from elsewhere when there are none.
        """
        if self.task.streaming:
            yield from self.task.stream(self.model, inputs, options or self.task.options_type())
        else:
            yield from self.predict(inputs, options)

    def inspection_example(self, given: str) -> InspectionExample:
        """An input as `elman.insight` takes it: `insight.unroll(run.inspected, example.inputs, example.targets)`.

        Arguments:
            given: what `predict` takes, one of it.

        Raises:
            UserError: an input that the task cannot read, or a task that shows none.
        """
        return self.task.inspection_example(self.inspected, given)

    @property
    def inspected(self) -> nn.Module:
        """What `elman.insight` looks into: the model, or one network of several."""
        return self.task.inspected(self.model)

    def batch(self) -> Any:
        """The batch that would be next in training, with which `cost` can be called.

        Raises:
            UserError: the training data are gone.
        """
        return self.task.batch(self.task.settings.steps, 0, 1)

    def cost(self, model: nn.Module, batch: Any) -> Tensor:
        """The mean loss of a batch, as in training: `insight.gradient_flow(run.inspected, run.batch(), run.cost)`."""
        loss = self.task.loss(model, batch, ())
        mean: Tensor = loss.total / loss.count
        return mean


def train(task_name: str, settings: TrainingSettings, out: str | Path, *, resume: bool = False) -> Result:
    """Train a model into the folder `out`, or go on with the run that is there.

    Everything is read and checked before the folder is made, so that a mistake leaves nothing behind.

    Raises:
        UserError: wrong data, a folder that holds another run, settings that do not fit the run to resume.
    """
    from elman.training.tensor_files import check_sizes

    folder = RunFolder(Path(out))
    if resume:
        check_task(folder, task_name)
        folder.check_same(settings)
        settings = settings.filled_from(folder.read()[1])
        if folder.has_checkpoint():
            check_sizes(settings, folder.checkpoint)
    kind = task_module(task_name).Task
    task: Task[Any] = kind.load(folder.path, settings) if resume else kind.new(settings)
    settings = task.settings  # what was left open is found from the data

    with optional_imports():
        from elman.training.loop import train as train_loop
        from elman.training.optim import start_accelerator

    accelerator = start_accelerator(settings)
    with contextlib.ExitStack() as held:
        if accelerator.is_main_process:
            if not resume:
                folder.check_free()
            task.prepare()  # before the loop sets the random state: what it draws must not differ in a resumed run
            held.enter_context(RunLock(folder.path))
            remove_leftovers(folder.path)
            if not resume:
                folder.check_free()  # another training may have been quicker
                task.save(folder.path)
                folder.write_settings(task_name, settings)  # last: it makes a run of the folder
        accelerator.wait_for_everyone()
        try:
            result = train_loop(task, settings, folder, accelerator, resume=resume)
        except KeyboardInterrupt:
            if not folder.checkpoint.exists():
                log.warning("nothing is saved yet in %s; the same command begins again", folder.path)
            raise
        if accelerator.is_main_process:
            finish(task, folder)
    return result


def finish(task: Task[Any], folder: RunFolder) -> None:
    """Draw what shows how training went; without the plotting packages only say so, since the run is complete."""
    try:
        task.finish(folder, load(folder.path).model)
    except UserError as error:
        log.warning("the run is complete, but not all of its plots: %s", error)


def load(path: str | Path, *, weights: Literal["best", "last"] = "best", device: str = "cpu") -> Run:
    """A trained run, ready to evaluate and predict.

    Arguments:
        path: the run's folder.
        weights: the best ones on the validation part, or the last checkpoint's.

    Raises:
        UserError: no run there, or files that are damaged or do not fit.
    """
    from elman.training.checkpoint import fill_model, group, load_weights
    from elman.training.tensor_files import check_sizes, read_tensors

    folder = RunFolder(Path(path))
    name, table = folder.read()
    module = task_module(name)
    settings = settings_from(module.Settings, table, folder.settings)
    path = folder.weights if weights == "best" else folder.checkpoint
    check_sizes(settings, path)
    task: Task[Any] = module.Task.load(folder.path, settings)
    model = task.build_model()
    if weights == "best":
        header = load_weights(path, model)
    else:
        tensors, header = read_tensors(path)
        fill_model(model, group(tensors, "model"), path)
    return Run(folder, task, model.to(device).eval(), header)


def check_task(folder: RunFolder, task_name: str) -> None:
    """Raise a UserError if the run in `folder` is of another task."""
    name, _ = folder.read()
    if name != task_name:
        raise UserError(
            f"{folder.path} is a run of the task {name}, not {task_name}; name a run of the task {task_name}"
        )
