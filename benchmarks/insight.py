"""What looking at gradients costs, in training steps.

Gradient flow: `insight.gradient_flow` on one elman.RNN layer beside a training step (forward, backward, AdamW) of the
same layer on the same input. MonitorHook: a look of `--watch` beside a step of the task's training, as a share of the
time at one look every 100 steps. Both sides take turns in one process; the figures are medians over the turns.
Run: python benchmarks/insight.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import elman
from elman.insight.gradient_flow import gradient_flow
from elman.tasks.language import task as language
from elman.tasks.memory import task as parity
from elman.training.monitoring.gradient_monitor import MonitorHook
from elman.training.optim import build_optimizer, clip, start_accelerator

EVERY = 100  # steps from look to look


def milliseconds(turns: int, actions: Sequence[Callable[[], object]]) -> list[float]:
    """The median time of each action, all of them in turns; the first turn warms up."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(turns + 1):
        for action, own in zip(actions, times, strict=True):
            start = time.perf_counter()
            action()
            own.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(own[1:]) for own in times]


def mean_square(model: nn.Module, x: Tensor) -> Tensor:
    """A loss at every step."""
    loss: Tensor = model(x)[0].square().mean()
    return loss


def flow_table(turns: int, steps: int, hidden: int, batch: int) -> Table:
    """Gradient flow with and without the singular values of the Jacobians."""
    title = f"gradient flow, T={steps} H={hidden} B={batch}, {torch.get_num_threads()} threads, median of {turns} turns"
    table = Table("W_hh", title=title)
    for column in ("training step (ms)", "gradient flow (ms)", "(steps)", "without Jacobians (ms)", "(steps)"):
        table.add_column(column, justify="right")
    for init in ("orthogonal", "uniform"):
        torch.manual_seed(0)
        layer, x = elman.RNN(128, hidden, init=init), torch.randn(steps, batch, 128)
        optimizer = torch.optim.AdamW(layer.parameters(), fused=True)

        def train(layer: nn.Module = layer, x: Tensor = x, optimizer: Any = optimizer) -> None:
            mean_square(layer, x).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()

        look = partial(gradient_flow, layer, x, mean_square)
        step, full, short = milliseconds(turns, (train, look, partial(look, jacobians=False)))
        table.add_row(init, f"{step:.0f}", f"{full:.0f}", f"{full / step:.2f}", f"{short:.0f}", f"{short / step:.2f}")
    return table


def watch_table(turns: int) -> Table:
    """A look of --watch beside a training step."""
    title = f"a look of --watch, {torch.get_num_threads()} threads, median of {turns} turns"
    table = Table("training", title=title)
    for column in ("step (ms)", "look (ms)", "look (steps)", f"share at --watch {EVERY}"):
        table.add_column(column, justify="right")
    for cell in ("rnn", "lstm", "gru"):
        options: dict[str, Any] = {"cell": cell, "device": "cpu", "watch": EVERY}
        options |= {} if cell == "rnn" else {"init": "uniform"}
        settings = language.Settings(data=("builtin",), **options)
        name = f"language, {cell}, H={settings.hidden_size} B={settings.batch_size} T={settings.chunk}"
        table.add_row(name, *watch_row(turns, language.Task.new(settings), settings))
        small = parity.Settings(**options)
        name = f"parity, {cell}, H={small.hidden_size} B={small.batch_size} T={small.max_length}"
        table.add_row(name, *watch_row(turns * 5, parity.Task.new(small), small))
    return table


def watch_row(turns: int, task: Any, settings: Any) -> tuple[str, ...]:
    """The figures of one task; parity at its full length, late in training."""
    torch.manual_seed(settings.seed)
    accelerator = start_accelerator(settings)
    model = task.build_model()
    optimizer = build_optimizer(model, settings)
    parameters = list(model.parameters())
    watching = MonitorHook(task, settings, model, accelerator, lambda line: None)
    now = settings.steps
    carry: list[Any] = [()]

    def train() -> None:
        loss = task.loss(model, task.batch(now, 0, 1), carry[0])
        carry[0] = loss.carry
        (loss.total / loss.count).backward()
        float(clip(parameters, settings))
        optimizer.step()
        optimizer.zero_grad()

    step, look = milliseconds(turns, (train, lambda: watching(now, carry[0])))
    share = look / (look + EVERY * step)
    return f"{step:.2f}", f"{look:.2f}", f"{look / step:.2f}", f"{share:.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000, help="T of the gradient flow")
    parser.add_argument("--hidden", type=int, default=512, help="H of the gradient flow")
    parser.add_argument("--batch", type=int, default=32, help="B of the gradient flow")
    parser.add_argument("--only", choices=("flow", "watch"))
    arguments = parser.parse_args()
    console = Console(width=140)
    if arguments.only != "watch":
        console.print(flow_table(arguments.turns, arguments.steps, arguments.hidden, arguments.batch))
    if arguments.only != "flow":
        console.print(watch_table(arguments.turns))


if __name__ == "__main__":
    main()
