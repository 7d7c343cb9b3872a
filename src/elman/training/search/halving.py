"""Successive halving (Jamieson and Talwalkar 2016): many settings trained briefly, the better ones for longer."""

from __future__ import annotations

import csv
import io
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from elman.atomic_io import write_text
from elman.errors import UserError
from elman.training.report import figure
from elman.training.search.trial import Trial
from elman.training.settings import Choice, TrainingSettings
from elman.training.task import Task

FIRST = 0.25
"""The share of the steps that every candidate is trained for."""
KEPT = 3
"""Of so many candidates one is trained for longer."""
COST = 4.75
"""How many times as long as the training itself a search takes at most, with the candidates of the built-in tasks."""
LOOKS = 8
"""Looks at the validation part in a short training, at most; the best one counts, as it does in a training."""
TABLE = "tuning.csv"
log = logging.getLogger("elman")


@dataclass(frozen=True)
class Outcome:
    """What a candidate reached.

    Attributes:
        changes: its settings, where they differ from those that the data ask for.
        steps: that it was trained for.
        metrics: on the validation part, or by cross-validation.
    """

    changes: Mapping[str, Any]
    steps: int
    metrics: Mapping[str, float]

    @property
    def name(self) -> str:
        """Its settings in words."""
        return " ".join(f"{name}={value}" for name, value in self.changes.items()) or "as the data ask"


def tune(
    task: Task[Any], asked: TrainingSettings, accelerator: Accelerator, until: float = math.inf
) -> tuple[Task[Any], list[Outcome]]:
    """The task with the settings that do best of some, and what each of them reached.

    All candidates are trained for a quarter of the steps, by the whole schedule; the best third, and what the best two
    change taken together, for half of them. Where nothing does better than the settings found from the data, these
    stay.

    Arguments:
        task: with settings found from its data.
        asked: the settings as they were asked for: what was set there is not searched.
        until: the `time.perf_counter()` after which no other candidate is begun.

    Raises:
        UserError: the task has nothing to search.
    """
    standard = type(asked)()
    free = {name for name in vars(asked) if getattr(asked, name) == getattr(standard, name)}
    candidates = [change for change in task.candidates() if change.keys() <= free]
    candidates = [change for change in candidates if replace(task.settings, **change) != task.settings]
    if not candidates:
        raise UserError(f"`tune` finds nothing to search in the task {task.name} with these settings; leave it out")
    full = task.settings.steps
    outcomes: list[Outcome] = []

    def run(changes: Sequence[Mapping[str, Any]], steps: int) -> list[Outcome]:
        found = list(_round(task, changes, steps, accelerator, until, begun=bool(outcomes)))
        outcomes.extend(found)
        return sorted(found, key=lambda one: _order(task, one))

    first = run([{}, *candidates], max(1, round(FIRST * full)))
    best = [one.changes for one in first[: max(2, -(-len(first) // KEPT))]]
    changed = [change for change in best if change]
    if len(changed) > 1 and not changed[0].keys() & changed[1].keys():
        best.append({**changed[0], **changed[1]})
    best = [{}, *(one for one in best if one)]  # first, so that others have something to be compared with
    last = run(best, max(1, round(2 * FIRST * full)))
    return _chosen(task, last or first, len(outcomes)), outcomes


def _round(
    task: Task[Any],
    changes: Sequence[Mapping[str, Any]],
    steps: int,
    accelerator: Accelerator,
    until: float,
    *,
    begun: bool,
) -> Iterator[Outcome]:
    """What each candidate reaches in so many steps, until the time is over; the first of all (not `begun`) always."""
    for number, change in enumerate(changes, 1):
        if (begun or number > 1) and time.perf_counter() > until:
            log.info("tuning, %d steps: the time for it is over after %d of %d", steps, number - 1, len(changes))
            return
        found = _tried(task, change, steps, accelerator)
        reached = figure(found.metrics[task.metric])
        place = f"{number} of {len(changes)}"
        log.info("tuning, %d steps, %s: %s: %s %s", steps, place, found.name, task.metric, reached)
        yield found


def _tried(task: Task[Any], change: Mapping[str, Any], steps: int, accelerator: Accelerator) -> Outcome:
    settings = replace(task.settings, **change)
    other = task.again(settings) if change else task
    brief = replace(settings, steps=steps, warmup=min(settings.warmup, steps // 5))
    trial = Trial(other, brief, accelerator)
    every = min(steps, max(settings.eval_every, -(-steps // LOOKS)))
    found = []
    while trial.step < steps:
        trial.train(min(every, steps - trial.step))
        found.append(Outcome(change, steps, trial.evaluate()))
    return min(found, key=lambda one: _order(task, one))


def _order(task: Task[Any], one: Outcome) -> tuple[float, float, int]:
    """The better figure first, then the smaller loss, then what changes least."""
    value = one.metrics[task.metric]
    return -value if task.higher_is_better else value, one.metrics.get("loss", 0.0), len(one.changes)


def _chosen(task: Task[Any], ordered: Sequence[Outcome], tried: int) -> Task[Any]:
    best, plain = ordered[0], next(one for one in ordered if not one.changes)
    figures = f"{figure(best.metrics[task.metric])} against {figure(plain.metrics[task.metric])}"
    where = f"{tried} short trainings ({TABLE})"
    if not best.changes:
        task.choices = [*task.choices, Choice("tune", True, f"of {where} none did better than what the data ask for")]
        return task
    other = task.again(replace(task.settings, **best.changes))
    kept = [one for one in task.choices if one.setting not in best.changes]
    why = f"the best of {where}: validation {task.metric} {figures} for what the data ask for"
    other.choices = [*kept, *(Choice(name, value, why) for name, value in best.changes.items())]
    return other


def write_outcomes(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write what was tried into a run's folder, for people to read."""
    if not outcomes:
        return
    names = sorted({name for one in outcomes for name in one.metrics})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["settings", "steps", *(f"validation_{name}" for name in names)])
    for one in outcomes:
        writer.writerow([one.name, one.steps, *(one.metrics.get(name, "") for name in names)])
    write_text(folder / TABLE, text.getvalue())
