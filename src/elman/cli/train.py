"""`elman train TASK`: one command a task, made from the task's settings."""

from __future__ import annotations

import inspect
import itertools
import re
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from elman import cli
from elman.cli.messages import as_options, shell_words, show_line
from elman.cli.panels import GROUPS, in_order, setting_parameters
from elman.cli.progress import TerminalDisplay
from elman.data.io.files import path_kind
from elman.errors import UserError
from elman.tasks import recipes, task_module
from elman.training.distributed.launcher import number_of_processes
from elman.training.progress import use_display
from elman.training.settings import TrainingSettings

Out = Annotated[
    Path | None,
    Parameter(
        group=GROUPS["Data"],
        help="Folder for the run: settings, weights, metrics, plots; runs/NAME, by the data's name, if not given.",
    ),
]
Resume = Annotated[
    bool, Parameter(group=GROUPS["Run"], negative="", help="Go on with the run in --out where it stopped.")
]
SettingsFile = Annotated[
    Path | None,
    Parameter(
        name="--settings",
        group=GROUPS["Run"],
        help="TOML file of settings, such as a run's settings.toml; options win over it.",
    ),
]


def train_command(name: str) -> Any:
    """The command that trains the task `name`; its options are the task's settings."""
    module = task_module(name)

    def command(
        *, out: Path | None = None, resume: bool = False, settings_file: Path | None = None, **given: Any
    ) -> None:
        settings = module.Settings(**given)
        if out is None:
            if resume:
                raise UserError("`resume` needs `out`, the folder of the run to go on with")
            if number_of_processes() > 1:
                raise UserError("several processes need `out`, one folder for all of them")
            out = free_folder(name, settings)
        train_and_show(name, settings, out, resume=resume)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = {parameter.name: parameter for parameter in setting_parameters(module.Settings)}
    parameters["out"] = inspect.Parameter("out", keyword, default=None, annotation=Out)
    parameters["resume"] = inspect.Parameter("resume", keyword, default=False, annotation=Resume)
    parameters["settings_file"] = inspect.Parameter("settings_file", keyword, default=None, annotation=SettingsFile)
    order = in_order(parameters)
    order.remove("out")
    order.insert(order.index("data") + 1 if "data" in order else 0, "out")
    command.__doc__ = as_options(module.__doc__ or "")
    vars(command)["__signature__"] = inspect.Signature([parameters[key] for key in order])
    command.__annotations__ = {key: parameters[key].annotation for key in order} | {"return": None}
    return command


def free_folder(task: str, settings: TrainingSettings) -> Path:
    """runs/NAME by the name of the data, else of the task; runs/NAME-2 and so on where something lies there."""
    data = getattr(settings, "data", None) or getattr(settings, recipes(task)[0], None) or task
    first = str(data if isinstance(data, str | Path) else data[0])
    stem = Path(first).name.split(".")[0]
    name = re.sub(r"[^\w-]+", "-", stem).strip("-") or task
    folders = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in itertools.count(1))
    return next(folder for folder in folders if path_kind(folder) == "nothing")


def train_and_show(task: str, settings: TrainingSettings, out: Path, *, resume: bool = False) -> None:
    """Train, then say what was reached, where it lies, and what to do next."""
    from elman.training.report import figure
    from elman.training_run import train

    use_display(TerminalDisplay(into=out))
    result = train(task, settings, out, resume=resume, since=cli.started)
    if not result.first_process:
        return
    minutes = (time.perf_counter() - cli.started) / 60
    show_line(
        f"best validation {result.metric} {figure(result.best)} at step {result.best_step} of {result.steps} "
        f"({minutes:.1f} min in all, {result.seconds / 60:.1f} of them training)"
    )
    show_line(f"in {out}: " + ", ".join(sorted(path.name for path in out.iterdir())))
    show_line("next: " + shell_words(["elman", "evaluate", str(out)]))


def __getattr__(name: str) -> Any:
    """The train command of a task, so that the command line can name it without importing it."""
    if name.startswith("_"):
        raise AttributeError(name)
    return train_command(name)
