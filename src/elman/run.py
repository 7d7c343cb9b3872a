"""A run from the outside: train one, load one, evaluate, predict. What the command line and Python users call alike."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from elman.atomic_io import remove_leftovers
from elman.data.io.files import path_kind, without_stray
from elman.errors import UserError, optional_imports
from elman.export.onnx.file import is_export
from elman.tasks import task_module
from elman.training.checks.data_digest import check_digest, save_digest
from elman.training.report import Report
from elman.training.run_folder import RunFolder, settings_from
from elman.training.run_lock import RunLock, check_idle
from elman.training.settings import write_choices
from elman.training.task import Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from elman.export.trained import Exported
    from elman.insight.example import InspectionExample
    from elman.training.loop import Result
    from elman.training.run_state import NotFiniteError
    from elman.training.search.halving import Outcome
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
            inputs: a list of inputs, or one: a text or the name of a file, or where the task takes them an array, a
                series or a data frame.
            options: the task's `Options`, or None for its defaults.

        Raises:
            UserError: no inputs, or inputs that the task cannot read.
        """
        import torch

        given = inputs_of(inputs, self.task)
        with torch.no_grad():
            return self.task.predict(self.model, given, self._options(options))

    def stream(self, inputs: list[Any], options: Any = None) -> Iterator[Prediction]:
        """Predictions one after the other, as they come, where the task gives them so; else all of `predict`.

        Raises:
            UserError: as `predict`; but a task that streams may take its inputs from elsewhere when there are none.
        """
        if self.task.streaming:
            given = inputs_of(inputs, self.task) if inputs else []
            yield from self.task.stream(self.model, given, self._options(options))
        else:
            yield from self.predict(inputs, options)

    def export(self, to: str = "onnx", out: Path | str | None = None, precision: str = "float32") -> Exported:
        """Write the run in another format: see `elman.export.export`.

        Raises:
            UserError: a part of the run has no form in it: says which.
        """
        from elman.export import export

        return export(self, to, None if out is None else Path(out), precision)

    def _options(self, options: Any) -> Any:
        kind = self.task.options_type
        if options is not None and not isinstance(options, kind):
            raise UserError(f"`options` is {_named(options)}; give {kind.__module__}.{kind.__name__}, or leave it out")
        return kind() if options is None else options

    def inspection_example(self, given: str) -> InspectionExample:
        """An input as `elman.insight` takes it: `insight.unroll(run.inspected, example.inputs, example.targets)`.

        Arguments:
            given: what `predict` takes, one of it.

        Raises:
            UserError: an input that the task cannot read, or a task that shows none.
        """
        return self.task.inspection_example(self.inspected, text_of(given, "the input"))

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


class ExportedRun(Run):
    """An exported file in the place of its run: evaluates and predicts alike, and has no network to look into.

    Attributes:
        folder: the file, as a path.
        model: the graph, asked as the network is.
    """

    def inspection_example(self, given: str) -> InspectionExample:
        """None: see `inspected`."""
        raise self._nothing_inside()

    @property
    def inspected(self) -> nn.Module:
        """None: a graph has no layers that torch could differentiate.

        Raises:
            UserError: always.
        """
        raise self._nothing_inside()

    def batch(self) -> Any:
        """None: see `inspected`."""
        raise self._nothing_inside()

    def _nothing_inside(self) -> UserError:
        return UserError(f"{self.folder.path} is an exported file, a graph without layers; name the run it was made of")


def inputs_of(inputs: Any, task: Task[Any]) -> list[Any]:
    """The inputs of `predict` as a list, each of a kind that the task takes.

    Raises:
        UserError: there are none, or one is of another kind: says which.
    """
    several = isinstance(inputs, list | tuple)
    given = list(inputs) if several else [inputs]
    if not given:
        raise UserError(f"nothing to predict; give at least one input to this {task.name} run")
    if several and task.takes == "arrays" and all(isinstance(one, int | float) for one in given):
        given = [given]  # one series as a list of numbers
    for number, one in enumerate(given, 1):
        text = isinstance(one, str) or (isinstance(one, Path) and task.takes != "texts")
        array = task.takes == "arrays" and (hasattr(one, "__array__") or isinstance(one, list | tuple))
        if not (text or array):
            raise UserError(f"input {number} of {len(given)} is {_named(one)}; a {task.name} run takes {task.inputs}")
        if task.takes == "texts":
            given[number - 1] = text_of(one, f"input {number} of {len(given)}")
    return [part for one in given for part in _with_folders(task.input_from(one), task)]


def text_of(given: str, what: str) -> str:
    """A text with the bytes in it that Python could not decode, as on a command line in an ASCII locale, read as UTF-8.

    Raises:
        UserError: they are no UTF-8 either.
    """
    try:
        return given.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError as error:
        raise UserError(f"{what} is not UTF-8: {given[:40]!r}; convert it") from error


def _with_folders(one: Any, task: Task[Any]) -> list[Any]:
    """An input, or the files that are meant where it is a folder and the task's files have endings of their own."""
    if not (task.input_suffixes and isinstance(one, str | Path) and path_kind(Path(one)) == "folder"):
        return [one]
    found = [path for path in Path(one).rglob("*") if path.suffix.lower() in task.input_suffixes]
    files = [str(path) for path in without_stray(found)]
    if not files:
        raise UserError(f"{one} holds no files that end in {', '.join(task.input_suffixes)}; name another folder")
    return files


def _named(value: Any) -> str:
    return f"{str(value)[:40]!r}, of type {type(value).__name__}"


def train(
    task_name: str, settings: TrainingSettings | Mapping[str, Any], out: str | Path, *, resume: bool = False
) -> Result:
    """Train a model into the folder `out`, or go on with the run that is there, to more steps if so many are asked for.

    Everything is read and checked before the folder is made, so that a mistake leaves nothing behind.

    Arguments:
        task_name: "series", and the other names of `elman train`.
        settings: the task's `Settings`, or a dictionary of them: {"data": "reviews.csv", "steps": 500}.

    Raises:
        UserError: wrong data, a folder that holds another run, settings that do not fit the run to resume.
    """
    module = task_module(task_name)
    asked: TrainingSettings = settings_of(module.Settings, settings) if isinstance(settings, Mapping) else settings
    if not isinstance(asked, module.Settings):
        wanted = f"{module.Settings.__module__}.{module.Settings.__name__}"
        raise UserError(f"`settings` is {_named(asked)}; the task {task_name} takes {wanted}, or a dictionary")
    folder = RunFolder(Path(out))
    task = _task_to_resume(task_name, asked, folder) if resume else module.Task.new(asked)

    with optional_imports():
        from elman.training.loop import train as train_loop
        from elman.training.optim import start_accelerator
        from elman.training.run_state import NotFiniteError
        from elman.training.search.halving import write_outcomes
        from elman.training.search.search import searched

    accelerator = start_accelerator(task.settings)
    outcomes: list[Outcome] = []
    described = False
    if not resume and (asked.minutes or asked.tune):
        if folder.exists():
            check_idle(folder.path)
        folder.check_free()  # before minutes are spent
        described = True
        if description := task.understood():
            log.info("%s", description.brief())
        task, outcomes = searched(task, asked, accelerator)
    with contextlib.ExitStack() as held:
        # data are read before the loop sets the random state: what reading draws must not differ in a resumed run
        if accelerator.is_main_process:
            if not resume and folder.exists():
                check_idle(folder.path)  # who holds it says more than that it holds a run
            if not resume:
                folder.check_free()
            task.prepare()
            told = [] if resume else what_was_read(task, described=described)
            lock = held.enter_context(RunLock(folder.path))
            remove_leftovers(folder.path, alone=True)
            if resume:
                check_digest(folder.path, task.learned_from())
                if task.settings.steps != folder.read()[1].get("steps"):
                    folder.write_settings(
                        task_name, task.settings
                    )  # before a step is taken that they would not explain
            else:
                _make_run(task_name, task, folder, lock)
                write_outcomes(folder.path, outcomes)
                for line in told:
                    log.info("%s", line)
        accelerator.wait_for_everyone()
        if not accelerator.is_main_process:
            logging.getLogger("elman").setLevel(logging.WARNING)  # the main process has said what was read
            task.prepare()
        try:
            result = train_loop(task, task.settings, folder, accelerator, resume=resume)
        except KeyboardInterrupt:
            if not folder.checkpoint.exists():
                log.warning("nothing is saved yet in %s; the same command begins again", folder.path)
            raise
        except NotFiniteError as error:
            raise UserError(f"{error}; {what_to_try(error, task.settings, folder)}") from error
        if accelerator.is_main_process:
            finish(task, folder)
    return result


def settings_of(kind: type[Any], given: Mapping[str, Any]) -> Any:
    """Settings of a class from a dictionary: lists become tuples, and paths texts.

    Raises:
        UserError: a name that the class does not have (suggests the near one), or a value that it refuses.
    """
    known = [field.name for field in dataclasses.fields(kind)]
    if unknown := [str(name) for name in given if name not in known]:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"they are {', '.join(known)}"
        raise UserError(f"there is no setting {unknown[0]!r}; {advice}")
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()})


def what_was_read(task: Task[Any], *, described: bool = False) -> list[str]:
    """What a training begins with: its data in a line, unless that is said already, and what followed from them."""
    description = None if described else task.understood()
    return [*([description.brief()] if description else []), *task.findings()]


def _task_to_resume(task_name: str, settings: TrainingSettings, folder: RunFolder) -> Task[Any]:
    """The task of a run that is to go on.

    Raises:
        UserError: it is of another task or other settings, or a file is missing or damaged.
    """
    from elman.training.checks.sizes import check_sizes

    check_task(folder.path, task_name)
    folder.check_same(settings)
    settings = settings.filled_from(folder.read()[1])
    goes_on = folder.has_checkpoint()
    if goes_on:
        check_sizes(settings, folder.checkpoint)
    task: Task[Any] = task_module(task_name).Task.load(folder.path, settings)
    task.begins = not goes_on
    return task


def _make_run(task_name: str, task: Task[Any], folder: RunFolder, lock: RunLock) -> None:
    """Write all that a run needs, and last the settings, which make a run of the folder."""
    folder.check_free()  # another training may have been quicker
    folder.clear_begun()
    lock.keep = True
    task.save(folder.path)
    if task.choices or task.settings.by_data:
        write_choices(folder.path, task.choices)
    save_digest(folder.path, task.learned_from())
    folder.write_settings(task_name, task.settings)
    lock.keep = False


def what_to_try(error: NotFiniteError, settings: TrainingSettings, folder: RunFolder) -> str:
    """What mends a training that has blown up, and what is left of it."""
    from elman.training.monitoring.gradient_monitor import remedies

    if not error.updates:
        return (
            "no weight had changed by then, so the data or the first weights are the cause: look for values that are"
            " far larger than the others, and choose a smaller `init` if it is a number"
        )
    kept = "the last good checkpoint stays" if folder.checkpoint.exists() else "no checkpoint was saved before it"
    return f"{remedies(settings)['not finite']}; {kept}"


def finish(task: Task[Any], folder: RunFolder) -> None:
    """Draw what shows how training went; without the plotting packages only say so, since the run is complete."""
    try:
        task.finish(folder, load(folder.path).model)
    except UserError as error:
        log.warning("the run is complete, but not all of its plots: %s", error)


def load(path: str | Path, *, weights: Literal["best", "last"] = "best", device: str = "cpu") -> Run:
    """A trained run, ready to evaluate and predict.

    Arguments:
        path: the run's folder, or a file that it was exported to as ONNX.
        weights: the best ones on the validation part, or the last checkpoint's.

    Raises:
        UserError: no run there, or files that are damaged or do not fit.
    """
    if is_export(Path(path)):
        return _load_export(Path(path), weights, device)
    from elman.training.checkpoint import fill_model, group, load_weights
    from elman.training.checks.sizes import build_like, check_sizes
    from elman.training.tensor_files import read_tensors

    folder = RunFolder(Path(path))
    name, table = folder.read()
    module = task_module(name)
    settings = settings_from(module.Settings, table, folder.settings)
    path = folder.weights if weights == "best" else folder.checkpoint
    check_sizes(settings, path)
    task: Task[Any] = module.Task.load(folder.path, settings)
    model = build_like(task.build_model, path)
    if weights == "best":
        header = load_weights(path, model)
    else:
        tensors, header = read_tensors(path)
        fill_model(model, group(tensors, "model"), path)
    return Run(folder, task, model.to(device).eval(), header)


def _load_export(path: Path, weights: str, device: str) -> ExportedRun:
    from elman.export.onnx.read import read_onnx

    if weights != "best":
        raise UserError(f"{path} holds the best weights alone; leave `weights={weights}` out, or name the run's folder")
    if device != "cpu":
        raise UserError(f"{path} runs on the CPU, not on {device}; leave `device` out, or load the run's folder")
    return ExportedRun(RunFolder(path), *read_onnx(path))


def holds_run(path: Path) -> bool:
    """Whether a run, or a file that one was exported to, is there."""
    return path_kind(path) == "file" if is_export(path) else RunFolder(path).exists()


def task_name_of(path: Path) -> str:
    """The name of the task of a run, or of a file that one was exported to.

    Raises:
        UserError: neither is there, or it is damaged.
    """
    if is_export(path):
        from elman.export.onnx.read import task_of_file

        return task_of_file(path)
    return RunFolder(path).read()[0]


def check_task(path: Path, task_name: str) -> None:
    """Raise a UserError if the run at `path` is of another task."""
    name = task_name_of(path)
    if name != task_name:
        raise UserError(f"{path} is a run of the task {name}, not {task_name}; name a run of the task {task_name}")
