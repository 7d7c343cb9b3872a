"""What is found by short trainings before a training begins, in the order in which it follows."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from elman.errors import MissingPackageError, UserError
from elman.training.search.budget import check_time, fit_to_time
from elman.training.search.halving import COST, Outcome, tune
from elman.training.search.time_limit import TimeLimit
from elman.training.settings import TrainingSettings
from elman.training.task import Task


def searched(
    task: Task[Any], asked: TrainingSettings, accelerator: Accelerator, limit: TimeLimit | None = None
) -> tuple[Task[Any], list[Outcome]]:
    """The task with settings for the minutes allowed, tuned where that is asked for; and what was tried.

    With both, the search takes four fifths of the time that reading the data leaves.

    Arguments:
        task: with settings found from its data.
        asked: the settings as they were asked for.
        limit: when the minutes end, where some are asked for.

    Raises:
        UserError: steps and minutes are both given, reading the data took all minutes, nothing can be tuned, or several
            processes train together.
    """
    if not (asked.minutes or asked.tune):
        return task, []
    if accelerator.num_processes > 1:
        raise UserError("`minutes` and `tune` are for one process; find the settings with one, then train with several")
    check_time(asked)
    outcomes: list[Outcome] = []
    until = math.inf
    if limit:
        task.prepare()  # what is read once counts as reading, not as a slow step
        limit.check()
        limit.looks_at_end, limit.drawing = task.looks_at_end, seconds_of_a_plot()
        limit.plans_again = not task.depends_on_steps
        seconds = limit.left() / (1 + COST if asked.tune else 1)
        until = time.perf_counter() + limit.left() - seconds
        task = fit_to_time(task, asked, accelerator, limit, seconds)
    if asked.tune:
        task, outcomes = tune(task, asked, accelerator, until)
    if limit:
        task.compare(limit.left())
    task.settings = replace(task.settings, minutes=0.0, tune=False)  # they are answered: this training has its settings
    return task, outcomes


def seconds_of_a_plot() -> float:
    """How long a plot takes once the packages are imported, which is done here, before the steps are planned.

    0 where they are not installed, since nothing is drawn then.
    """
    try:
        from elman.plotting.style import new_figure, save_figure
    except MissingPackageError:
        return 0.0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        figure, axes = new_figure("loss")
        axes[0].plot([1.0, 2.0])
        save_figure(figure, Path(folder) / "loss")
    return time.perf_counter() - start
