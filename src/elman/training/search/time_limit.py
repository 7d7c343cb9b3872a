"""The end of the minutes that a training may take: what training has left of them, and how many steps that is."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from elman.errors import UserError
from elman.training.settings import TrainingSettings

PLANNED, GRACE = 0.95, 0.05
"""The share of the time left that steps and evaluations are planned for, once they are timed in the training, and the
share of the minutes by which they may be late before training is cut short."""
FIGURES, MOST_DRAWING = 3, 0.2
"""Plots at the end, of which each takes as long as one that is drawn before, and the share of the minutes that is kept
for them at most."""
UNTIMED = 2
"""Steps that are not timed: the first ones make what the others use."""
WITHOUT_WARM_UP = 0.1
"""The share of the steps after which they are planned again, where the schedule does not depend on their number."""
log = logging.getLogger("elman")


class Unlimited:
    """No limit: as many steps as the settings say."""

    def stepped(self, step: int, settings: TrainingSettings) -> TrainingSettings:
        """Take in that a step is done; returns the settings to go on with."""
        return settings

    def evaluated(self, seconds: float) -> None:
        """Take in how long a look at the validation part took."""

    def over(self, step: int, settings: TrainingSettings) -> bool:
        """Whether this step has to be the last."""
        return False


def ignore(settings: TrainingSettings, reason: str) -> None:
    """Keep nothing."""


@dataclass
class TimeLimit(Unlimited):
    """The minutes of a training, from its start to its last plot.

    The speed of a step that is measured beforehand, while memory is cold and other programs run, may be off by half.
    So steps are planned again when the learning rate has risen to its peak, if that takes more than `UNTIMED` steps:
    what was done until then does not depend on their number, and a training by the final settings has the same weights.

    Attributes:
        minutes: that are allowed.
        since: the `time.perf_counter()` at which they began.
        most: steps, however long the time is.
        looks_at_end: at the validation part, after training.
        drawing: seconds that a plot takes.
        evaluation: seconds that a look at the validation part takes.
        plans_again: whether steps may be planned again, as they may where no batch depends on their number.
        changed: what is called with settings of another number of steps, and why it is another.
    """

    minutes: float
    since: float
    most: float = math.inf
    looks_at_end: int = 1
    drawing: float = 0.5
    evaluation: float = 0.0
    plans_again: bool = True
    changed: Callable[[TrainingSettings, str], None] = ignore
    _done: int = field(default=0, init=False)
    _timed_since: float = field(default=0.0, init=False)
    _evaluating: float = field(default=0.0, init=False)

    def left(self) -> float:
        """Seconds for training from now on, without what follows it."""
        total = 60 * self.minutes
        ending = min(FIGURES * self.drawing, MOST_DRAWING * total) + self.looks_at_end * self.evaluation
        return self.since + total - ending - time.perf_counter()

    def check(self, what: str = "reading the data") -> None:
        """Raise a UserError where nothing is left for training after the start and `what`."""
        if self.left() > self.evaluation:
            return
        spent = time.perf_counter() - self.since
        ending = FIGURES * self.drawing + (self.looks_at_end + 1) * self.evaluation
        enough = math.ceil(10 * max(2 * spent, 1.2 * (spent + ending)) / 60) / 10
        raise UserError(
            f"`minutes={self.minutes:g}` leaves no time to train: the start and {what} took {spent:.0f} s;"
            f" allow {enough:g} or more"
        )

    def stepped(self, step: int, settings: TrainingSettings) -> TrainingSettings:
        """Time the step; plan the number of steps again where the learning rate has reached its peak."""
        self._done += 1
        if self._done == UNTIMED:
            self._timed_since, self._evaluating = time.perf_counter(), 0.0
        if not self.plans_again or self._done <= UNTIMED or step != _turning_point(settings):
            return settings
        seconds = (time.perf_counter() - self._timed_since - self._evaluating) / (self._done - UNTIMED)
        looks = self.evaluation / settings.eval_every
        more = int((PLANNED * self.left() - self.evaluation) / max(seconds + looks, 1e-9))
        steps = int(min(self.most, step + max(1, more)))
        if steps == settings.steps or steps <= step:
            return settings
        log.info("a step takes %.3g ms: %s steps in %g minutes", 1000 * seconds, f"{steps:,}", self.minutes)
        settings = replace(settings, steps=steps)
        self.changed(settings, reason_for(self.minutes, seconds))
        return settings

    def evaluated(self, seconds: float) -> None:
        """Keep the last time: the first look takes longer."""
        self.evaluation = seconds
        self._evaluating += seconds

    def over(self, step: int, settings: TrainingSettings) -> bool:
        """Whether another step would leave too little for what follows; a line says so."""
        if step >= settings.steps or self.left() + GRACE * 60 * self.minutes > self.evaluation:
            return False
        log.warning("the %g minutes end at step %s of %s; `resume` goes on", self.minutes, step, settings.steps)
        return True


def reason_for(minutes: float, step: float) -> str:
    """Why there are so many steps, of so many seconds each."""
    return f"{minutes:g} minutes are allowed, and a step takes {1000 * step:.3g} ms"


def _turning_point(settings: TrainingSettings) -> int:
    """The step up to which the learning rate is the same for any number of steps; 0 where there is none."""
    if settings.schedule == "cosine":
        return settings.warmup
    return max(settings.warmup, round(WITHOUT_WARM_UP * settings.steps))
