"""A run from the outside: load one, evaluate, predict. What the command line and Python users call alike."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from elman.errors import UserError
from elman.export.onnx.file import is_export
from elman.tasks import task_module
from elman.training.predicting.inputs import inputs_of, named, text_of
from elman.training.progress import display
from elman.training.report import Report
from elman.training.run_folder import RunFolder, settings_from
from elman.training.task import Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from elman.export.trained import Exported
    from elman.hub.address import HubAddress
    from elman.hub.card import Measured
    from elman.hub.push import Pushed, PushOptions
    from elman.insight.example import InspectionExample
    from elman.training.predicting.input_stream import InputStream

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
        with torch.no_grad(), display().doing("measuring"):
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
        with torch.no_grad(), display().doing("predicting"):
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

    def open_stream(self, options: Any = None) -> InputStream:
        """What takes one input in pieces, as it comes: `push` each, then `finish`; both say what can be said so far.

        Arguments:
            options: the task's `Options`, or None for its defaults.

        Raises:
            UserError: the task, or this run, takes inputs whole.
        """
        return self.task.open_stream(self.model, self._options(options))

    def export(self, to: str = "onnx", out: Path | str | None = None, precision: str = "float32") -> Exported:
        """Write the run in another format: see `elman.export.export`.

        Raises:
            UserError: a part of the run has no form in it: says which.
        """
        from elman.export import export

        with display().doing("exporting, and comparing with the run"):
            return export(self, to, None if out is None else Path(out), precision)

    def _options(self, options: Any) -> Any:
        kind = self.task.options_type
        if options is not None and not isinstance(options, kind):
            raise UserError(f"`options` is {named(options)}; give {kind.__module__}.{kind.__name__}, or leave it out")
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

    def push(self, address: str, options: PushOptions | None = None) -> Pushed:
        """Send the run to a hub, with a card made from it: its metrics are measured for it first.

        Arguments:
            address: `hf://USER/NAME`, or `USER/NAME`.
            options: an `elman.hub.push.PushOptions`: licence, private, replace, checkpoint, dry_run.

        Raises:
            UserError: no such account or none that may, a repository that holds something else, no network.
        """
        from elman.hub.address import HubAddress
        from elman.hub.push import PushOptions as Options
        from elman.hub.push import find_place, push_run

        options = options or Options()
        place = find_place(HubAddress.parse(address), options)
        return push_run(place, self.folder, self.task, self.model, self._measured(place.address), options)

    def _measured(self, address: HubAddress) -> Measured:
        """The metrics for the card: on the held-out data, or where these are gone what the training found."""
        from elman.hub.card import Measured

        step = int(self.header["step"])
        try:
            return Measured(step, self.evaluate(), f"on the held-out data by `elman evaluate {address}`")
        except UserError as error:
            log.warning("the card has the metrics of the training, as the run cannot be measured now: %s", error)
        kept = {name: value for name, value in self.header.items() if name != "step" and isinstance(value, float)}
        found = {f"validation_{name}": value for name, value in kept.items()}
        return Measured(step, found, "on the validation part by the training itself")


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


def load(path: str | Path, *, weights: Literal["best", "last"] = "best", device: str = "cpu") -> Run:
    """A trained run, ready to evaluate and predict.

    Arguments:
        path: the run's folder; `hf://USER/NAME`, a run on a hub, downloaded into the hub's cache; or a file that it was
            exported to as ONNX.
        weights: the best ones on the validation part, or the last checkpoint's.

    Raises:
        UserError: no run there, or files that are damaged or do not fit.
    """
    from elman.hub.address import HubAddress, on_hub

    if on_hub(path):
        from elman.hub.download import download_run

        path = download_run(HubAddress.parse(str(path)), checkpoint=weights == "last")
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
