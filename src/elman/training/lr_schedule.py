"""The learning rate of a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from elman.training.settings import TrainingSettings

PLATEAU_PATIENCE = 3
PLATEAU_FACTOR = 0.25


def learning_rate(settings: TrainingSettings, step: int, drops: int) -> float:
    """The rate for `step` (from 0): linear warm-up, then the schedule; `drops` counts the plateaus met so far."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    if settings.schedule == "plateau":
        return float(settings.lr * PLATEAU_FACTOR**drops)
    if settings.schedule == "constant":
        return settings.lr
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.lr * (settings.lr_floor + (1 - settings.lr_floor) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


@dataclass
class BestTracker:
    """Remembers the best validation figure and how long ago it was."""

    higher_is_better: bool
    best: float | None = None
    best_step: int = 0
    evaluations_since: int = 0
    drops: int = 0

    def update(self, value: float, step: int, schedule: str) -> bool:
        """Take in a new figure; True if it is the best so far."""
        better = self.best is None or (value > self.best if self.higher_is_better else value < self.best)
        if better:
            self.best, self.best_step, self.evaluations_since = value, step, 0
            return True
        self.evaluations_since += 1
        if schedule == "plateau" and self.evaluations_since % PLATEAU_PATIENCE == 0:
            self.drops += 1
        return False

    def out_of_patience(self, patience: int) -> bool:
        """Whether so many evaluations in a row brought no new best; a patience of 0 never runs out."""
        return patience > 0 and self.evaluations_since >= patience
