"""The gradients of one step: of a batch at once, or of its micro-batches one after the other.

A step's batch is cut as it is for several processes: micro-batch m of process r, of A and W, is share m W + r of A W.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from elman.training.distributed.processes import totals
from elman.training.task import Carries, Carry, Task


@dataclass(frozen=True)
class StepLoss:
    """What a step of one process gives, beside the gradients."""

    total: Tensor  # () the loss, summed over the process's share
    count: int  # what the loss of all processes together is summed over
    carries: Carries
    signal: int  # that one of the processes was sent, 0 for none


def shares(task: Task[Any], accelerator: Accelerator) -> list[tuple[int, int]]:
    """Rank and world of each micro-batch of this process, as `Task.batch` takes them."""
    parts, world = task.settings.gradient_accumulation_steps, accelerator.num_processes
    return [(part * world + accelerator.process_index, parts * world) for part in range(parts)]


def backward(
    task: Task[Any],
    model: nn.Module,
    parameters: list[nn.Parameter],
    step: int,
    carries: Carries,
    accelerator: Accelerator,
    signal: int = 0,
) -> StepLoss:
    """Compute the gradients of a step's mean loss: with A micro-batches they are those of one batch A times as large.

    Arguments:
        model: as the processes share it.
        carries: what the step before returned; () at first.
        signal: that this process was sent.
    """
    own = shares(task, accelerator)
    world, count = accelerator.num_processes, 0
    handed: list[Carry] = []
    sums: list[Tensor] = []
    for part, share in enumerate(own):
        last = part == len(own) - 1
        with nullcontext() if last else accelerator.no_sync(model):  # processes exchange gradients once a step
            with accelerator.autocast():
                loss = task.loss(model, task.batch(step, *share), carries[part] if carries else ())
            handed.append(loss.carry)
            sums.append(loss.total.detach())
            count += loss.count
            if last:
                count, signal = totals(count, signal, accelerator)
            # the mean is over all that counts in all micro-batches, which is known behind the last
            (loss.total * (world / max(1, count)) if len(own) == 1 else loss.total).backward()
    if len(own) > 1:
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_mul_(gradients, world / max(1, count))
    return StepLoss(sums[0] if len(own) == 1 else torch.stack(sums).sum(), count, tuple(handed), signal)
