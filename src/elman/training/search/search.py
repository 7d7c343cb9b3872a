"""What is found by short trainings before a training begins, in the order in which it follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from accelerate import Accelerator

from elman.errors import UserError
from elman.training.search.budget import check_time, fit_to_time
from elman.training.search.halving import COST, Outcome, tune
from elman.training.settings import TrainingSettings
from elman.training.task import Task


def searched(task: Task[Any], asked: TrainingSettings, accelerator: Accelerator) -> tuple[Task[Any], list[Outcome]]:
    """The task with settings for the minutes allowed, tuned where that is asked for; and what was tried.

    With both, the search takes four fifths of the time.

    Arguments:
        task: with settings found from its data.
        asked: the settings as they were asked for.

    Raises:
        UserError: steps and minutes are both given, nothing can be tuned, or several processes train together.
    """
    if not (asked.minutes or asked.tune):
        return task, []
    if accelerator.num_processes > 1:
        raise UserError("`minutes` and `tune` are for one process; find the settings with one, then train with several")
    check_time(asked)
    outcomes: list[Outcome] = []
    if asked.minutes:
        seconds = 60 * asked.minutes / (1 + COST if asked.tune else 1)
        task = fit_to_time(task, asked, accelerator, seconds)
    if asked.tune:
        task, outcomes = tune(task, asked, accelerator)
    task.settings = replace(task.settings, minutes=0.0, tune=False)  # they are answered: this training has its settings
    return task, outcomes
