"""`elman train TASK`: one command a task, made from the task's settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from elman.tasks import task_module
from elman.training.settings import TrainingSettings

Out = Annotated[Path, Parameter(help="Folder for the run: settings, weights, figures, plots.")]
Resume = Annotated[bool, Parameter(negative="", help="Go on with the run in --out where it stopped.")]
SettingsFile = Annotated[
    Path | None,
    Parameter(name="--settings", help="TOML file of settings, such as a run's settings.toml; options win over it."),
]


def train_command(name: str) -> Any:
    """The command that trains the task `name`; its options are the task's settings."""
    module = task_module(name)

    def command(settings: Any = None, *, out: Path, resume: bool = False, settings_file: Path | None = None) -> None:
        train_and_show(name, settings or module.Settings(), out, resume=resume)

    command.__doc__ = module.__doc__
    command.__annotations__ |= {
        "settings": module.Settings | None,
        "out": Out,
        "resume": Resume,
        "settings_file": SettingsFile,
        "return": None,
    }
    return command


def train_and_show(task: str, settings: TrainingSettings, out: Path, *, resume: bool = False) -> None:
    """Train, then say what was reached, where it lies, and what to do next."""
    from rich.console import Console

    from elman.run import train

    start = time.perf_counter()
    result = train(task, settings, out, resume=resume)
    if not result.first_process:
        return
    console = Console(highlight=False, soft_wrap=True)
    minutes = (time.perf_counter() - start) / 60
    console.print(
        f"best validation {result.metric} {result.best:.4f} at step {result.best_step} of {result.steps} "
        f"({minutes:.1f} min in all, {result.seconds / 60:.1f} of them training)"
    )
    console.print(f"in {out}: " + ", ".join(sorted(path.name for path in out.iterdir())))
    console.print(f"next: elman evaluate {out}")


def __getattr__(name: str) -> Any:
    """The train command of a task, so that the command line can name it without importing it."""
    if name.startswith("_"):
        raise AttributeError(name)
    return train_command(name)
