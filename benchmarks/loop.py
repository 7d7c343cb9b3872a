"""What the training loop costs beside the same steps written out by hand in plain PyTorch.

Both run the same model on the same batches with the same optimiser, in turns, in one process; the figure is the median
over the turns. Run: python benchmarks/loop.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from elman.models.language_model import LanguageModel
from elman.tasks.language.settings import Settings
from elman.tasks.language.task import Task
from elman.training.loop import train
from elman.training.monitoring.metrics_log import read_metrics
from elman.training.optim import start_accelerator
from elman.training.run_folder import RunFolder


def by_loop(settings: Settings) -> float:
    """Seconds a step of elman's loop."""
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        train(Task.new(settings), settings, folder, start_accelerator(settings))
        return read_metrics(folder.metrics)[-1]["seconds"] / settings.steps


def by_hand(settings: Settings) -> float:
    """Seconds a step of the same, as one would write it for oneself."""
    torch.manual_seed(settings.seed)
    task = Task.new(settings)
    model = task.build_model()
    assert isinstance(model, LanguageModel)
    streams = task.streams
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, betas=(0.9, settings.beta2), fused=True)
    state: tuple[torch.Tensor, ...] = ()
    start = time.perf_counter()
    for step in range(settings.steps):
        inputs, targets, first = streams.chunk(step)
        logits, state = model(inputs, () if first else state)
        state = tuple(part.detach() for part in state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
    return (time.perf_counter() - start) / settings.steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    table = Table(title=f"one training step, median of {arguments.turns} turns of {arguments.steps} steps")
    for column in ("H", "by hand (ms)", "elman's loop (ms)", "difference (ms)", "difference"):
        table.add_column(column, justify="right")
    base = Settings(data=("builtin",), eval_every=10**6, checkpoint_every=10**6)
    for hidden, batch, chunk in ((512, 32, 64), (64, 8, 32)):
        settings = replace(base, hidden_size=hidden, batch_size=batch, chunk=chunk, steps=arguments.steps)
        times = [(by_hand(settings), by_loop(settings)) for _ in range(arguments.turns)][1:]
        hand, loop = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        table.add_row(str(hidden), f"{hand:.2f}", f"{loop:.2f}", f"{loop - hand:+.2f}", f"{loop / hand - 1:+.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
