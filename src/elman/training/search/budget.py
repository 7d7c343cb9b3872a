"""How long to train, and how large a network, in the minutes that are allowed."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

from accelerate import Accelerator

from elman.errors import UserError
from elman.training.checks.ranges import STEPS
from elman.training.search.time_limit import TimeLimit, reason_for
from elman.training.search.trial import Times, measure
from elman.training.settings import Choice, TrainingSettings
from elman.training.task import Task

KEPT = 0.9
"""The share of the time that steps and evaluations may take; the rest is for drawing and for what varies."""
MEASURED = 0.03
"""The share that measuring the time of a step may take, and of a look at the validation part."""
FEWER = 0.5
"""The share of the steps that the data ask for, below which the network is made smaller instead."""
MORE = 2.0
"""How many times more steps, and more networks, a long time is used for."""
LEAST_UNITS = 16
_SIZES = ("members", "hidden_size")


def check_time(asked: TrainingSettings) -> None:
    """Raise a UserError where steps and minutes both say how long to train, or processes share a training."""
    default = next(field.default for field in fields(asked) if field.name == "steps")
    if asked.minutes and asked.steps != default and "steps" not in asked.left_open():
        raise UserError("`steps` and `minutes` both say how long to train; leave one of the two out")


def fit_to_time(
    task: Task[Any], asked: TrainingSettings, accelerator: Accelerator, limit: TimeLimit, seconds: float
) -> Task[Any]:
    """The task with as many steps, and where the data leave it open as large a network, as the time allows.

    A step is timed. Where the time is short of half the steps that the data ask for, there are fewer networks, then
    fewer hidden units, then fewer steps. Where it is long there are up to twice as many networks and steps.

    Arguments:
        task: with settings found from its data.
        asked: the settings as they were asked for, of which some are open.
        limit: it is told how many steps there may be, and how long a look at the validation part takes.
        seconds: that measuring and training may take.
    """
    names = asked.left_open()
    by_data = "steps" in names
    wanted = task.settings.steps
    end = time.perf_counter() + seconds
    times = measure(task, accelerator, MEASURED * seconds)
    while by_data and _steps(times, task.settings, seconds) < FEWER * wanted:
        smaller = _smaller(task.settings, names, _steps(times, task.settings, seconds) / wanted)
        if smaller is None:
            break
        task = _changed(task, smaller, "less would be left of the steps that the data ask for", asked)
        times = measure(task, accelerator, MEASURED * seconds)
    limit.evaluation = times.evaluation
    limit.check("reading the data and one look at the validation part")
    seconds = min(end - time.perf_counter(), limit.left())
    possible = _steps(times, task.settings, seconds)
    more = _more_members(task.settings, possible / wanted) if by_data and "members" in names else 0
    if more:
        task = _changed(task, {"members": more}, "there is time for more networks", asked)
        times = measure(task, accelerator, MEASURED * seconds)
        possible = _steps(times, task.settings, seconds)
    limit.evaluation = times.evaluation
    limit.most = int(MORE * wanted) if by_data else STEPS.most
    steps = max(1, min(possible, int(limit.most)))
    reason = reason_for(asked.minutes, times.step)
    chosen: dict[str, Any] = {"steps": steps}
    if "eval_every" in names:
        chosen["eval_every"] = max(1, round(task.settings.eval_every * steps / wanted))
    if 5 * task.settings.warmup > steps:
        chosen["warmup"] = steps // 5
    _keep(task, chosen, reason)
    return task


def _steps(times: Times, settings: TrainingSettings, seconds: float) -> int:
    """The steps that the time is enough for, with as many looks at the validation part as the settings ask for."""
    looks = -(-settings.steps // settings.eval_every)
    if looks * times.evaluation > KEPT * seconds / 2:  # they would take most of it: they are made rarer with the steps
        return int(KEPT * seconds / (times.step + times.evaluation / settings.eval_every))
    return int((KEPT * seconds - looks * times.evaluation) / times.step)


def _more_members(settings: TrainingSettings, share: float) -> int:
    """How many networks there may be where the time is enough for `share` times the steps; 0 for no more."""
    members = _members(settings)
    more = int(members * min(MORE, share / MORE))
    return more if members > 1 and share > MORE and more > members else 0


def _smaller(settings: TrainingSettings, names: Collection[str], share: float) -> dict[str, Any] | None:
    """The next smaller network; None where there is none, or size is not for us to choose."""
    members, least = _members(settings), 2 if getattr(settings, "folds", 0) else 1
    if "members" in names and members > least:
        return {"members": max(least, int(members * max(share, 0.5)))}
    hidden = getattr(settings, "hidden_size", 0)
    return {"hidden_size": hidden // 2} if "hidden_size" in names and hidden >= 2 * LEAST_UNITS else None


def _members(settings: TrainingSettings) -> int:
    return int(getattr(settings, "members", 1))


def _changed(task: Task[Any], chosen: dict[str, Any], reason: str, asked: TrainingSettings) -> Task[Any]:
    """The task with other sizes; its choices tell so."""
    choices = task.choices
    other = task.again(replace(task.settings, **chosen))
    other.choices = choices
    _keep(other, chosen, f"{asked.minutes:g} minutes are allowed: {reason}")
    return other


def _keep(task: Task[Any], chosen: dict[str, Any], reason: str) -> None:
    """Put settings into a task, and its choices."""
    kept = [one for one in task.choices if one.setting not in chosen]
    task.choices = [*kept, *(Choice(name, value, reason) for name, value in chosen.items())]
    task.settings = replace(task.settings, **chosen)
