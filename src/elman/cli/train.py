"""`elman train TASK`: one command a task, made from the task's settings."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from elman.cli.messages import as_options, console, shell_words
from elman.cli.panels import GROUPS, in_order, setting_parameters
from elman.tasks import task_module
from elman.training.settings import TrainingSettings

Out = Annotated[Path, Parameter(group=GROUPS["Data"], help="Folder for the run: settings, weights, metrics, plots.")]
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

    def command(*, out: Path, resume: bool = False, settings_file: Path | None = None, **given: Any) -> None:
        train_and_show(name, module.Settings(**given), out, resume=resume)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = {parameter.name: parameter for parameter in setting_parameters(module.Settings)}
    parameters["out"] = inspect.Parameter("out", keyword, annotation=Out)
    parameters["resume"] = inspect.Parameter("resume", keyword, default=False, annotation=Resume)
    parameters["settings_file"] = inspect.Parameter("settings_file", keyword, default=None, annotation=SettingsFile)
    order = in_order(parameters)
    order.remove("out")
    order.insert(order.index("data") + 1 if "data" in order else 0, "out")
    command.__doc__ = as_options(module.__doc__ or "")
    vars(command)["__signature__"] = inspect.Signature([parameters[key] for key in order])
    command.__annotations__ = {key: parameters[key].annotation for key in order} | {"return": None}
    return command


def train_and_show(task: str, settings: TrainingSettings, out: Path, *, resume: bool = False) -> None:
    """Train, then say what was reached, where it lies, and what to do next."""
    from elman.run import train

    start = time.perf_counter()
    result = train(task, settings, out, resume=resume)
    if not result.first_process:
        return
    shown = console()
    minutes = (time.perf_counter() - start) / 60
    shown.print(
        f"best validation {result.metric} {result.best:.4f} at step {result.best_step} of {result.steps} "
        f"({minutes:.1f} min in all, {result.seconds / 60:.1f} of them training)"
    )
    shown.print(f"in {out}: " + ", ".join(sorted(path.name for path in out.iterdir())))
    shown.print("next: " + shell_words(["elman", "evaluate", str(out)]))


def __getattr__(name: str) -> Any:
    """The train command of a task, so that the command line can name it without importing it."""
    if name.startswith("_"):
        raise AttributeError(name)
    return train_command(name)
