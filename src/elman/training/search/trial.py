"""A short training that leaves nothing behind: what it reached, and the time that its steps took."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from elman.training.checkpoint import aside
from elman.training.checks.sizes import build_to_train
from elman.training.distributed.accumulation import backward
from elman.training.lr_schedule import learning_rate
from elman.training.optim import build_optimizer, clip
from elman.training.settings import TrainingSettings
from elman.training.task import Carries, Task

WARM_UP = 2
"""Steps that are not timed: the first ones make what the others use."""


@dataclass(frozen=True)
class Times:
    """Seconds that a step of training takes, and one look at the validation part."""

    step: float
    evaluation: float


class Trial:
    """A task's model in training, in memory alone; initial weights, data and dropout are those of a training.

    Arguments:
        task: what is trained, by its settings.
        settings: of the optimiser and its schedule; those of the task, for another number of steps.
    """

    def __init__(self, task: Task[Any], settings: TrainingSettings, accelerator: Accelerator) -> None:
        self.task, self.settings, self.accelerator = task, settings, accelerator
        torch.manual_seed(settings.seed)
        self.model: nn.Module = build_to_train(task.build_model).to(accelerator.device)
        self.optimizer = build_optimizer(self.model, settings)
        torch.manual_seed(settings.seed)
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.carries: Carries = ()
        self.step = 0

    def train(self, steps: int, seconds: float = math.inf) -> int:
        """Go on for so many steps, or until the time is over; returns how many were done."""
        end = time.perf_counter() + seconds
        for done in range(steps):
            if done and time.perf_counter() > end:
                return done
            rate = learning_rate(self.settings, self.step, 0)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loss = backward(self.task, self.model, self.parameters, self.step, self.carries, self.accelerator)
            self.carries = loss.carries
            clip(self.parameters, self.settings)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
        return steps

    def evaluate(self) -> dict[str, float]:
        """The task's metrics on its validation part."""
        with aside(self.model):
            return self.task.evaluate(self.model)


def measure(task: Task[Any], accelerator: Accelerator, seconds: float) -> Times:
    """How long a step and a look at the validation part take, measured for about so many seconds each."""
    trial = Trial(task, task.settings, accelerator)
    trial.train(WARM_UP, seconds)
    start = time.perf_counter()
    count = trial.train(1_000_000, seconds)
    step = (time.perf_counter() - start) / count
    start = time.perf_counter()
    trial.evaluate()
    return Times(step, time.perf_counter() - start)
