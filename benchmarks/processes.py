"""Two processes of one thread each against one process of two threads, and of one: a step of training, task by task.

Each task trains by the loop of every run, with its default settings on its default dataset, so that a step is all that
a user waits for; start-up, reading and evaluation are left out. The three ways take turns; a figure is the median of
all steps, or on a machine that is busy with other work a lower quantile: of the steps that were left alone. Two
processes share every batch: the batch is the same in all three.

Run: python benchmarks/processes.py [--quantile 0.1]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from elman.tasks import task_module
from elman.training.loop import train
from elman.training.optim import start_accelerator
from elman.training.progress import Bar, Display, use_display
from elman.training.run_folder import RunFolder
from steps import CASES

WAYS = {"one process, 1 thread": (1, 1), "one process, 2 threads": (1, 2), "two processes, 1 thread each": (2, 1)}
"""Processes, and threads of each."""
WARM_UP = 5
"""Steps that are not timed."""


class Watch(Bar):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def step(self, done: int) -> None:
        """Take the time."""
        self.ends.append(time.perf_counter())


class WatchDisplay(Display):
    """Gives the loop a watch in place of a bar."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def training(self, steps: int, start: int, unit: str) -> Bar:
        """The watch."""
        return self.watch


def step_times(label: str, steps: int, threads: int) -> list[float]:
    """Milliseconds of each step; every process of several takes part."""
    name, chosen = CASES[label]
    package = task_module(name)
    with tempfile.TemporaryDirectory() as place:
        settings = package.Settings(**chosen(Path(place)), device="cpu", threads=threads)
        task = package.Task.new(settings)
        task.prepare()
        task.evaluate = lambda model: {task.metric: 0.0}
        object.__setattr__(task.settings, "steps", steps + WARM_UP)  # of the schedule and the curriculum, too
        watch = Watch()
        use_display(WatchDisplay(watch))
        train(task, task.settings, RunFolder(Path(place)), start_accelerator(task.settings), checkpoints=False)
    ends = watch.ends[WARM_UP - 1 :]
    return [1e3 * (end - begin) for begin, end in pairwise(ends)]


def work(labels: list[str], steps: int, threads: int) -> None:
    """What each process does: time the tasks one after the other; the first prints what it found."""
    found = {label: step_times(label, steps, threads) for label in labels}
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(found), flush=True)


def one_turn(way: str, labels: list[str], steps: int) -> dict[str, list[float]]:
    """Milliseconds of the steps of each task, trained in this way."""
    processes, threads = WAYS[way]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launcher if processes > 1 else []), __file__, "--worker", str(threads)]
    command += ["--steps", str(steps), "--only", *labels]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    times: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40, help="timed in each turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--quantile", type=float, default=0.5, help="of a step's times; below 0.5 on a busy machine")
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.only, arguments.steps, arguments.worker)
        return
    found = [{way: one_turn(way, arguments.only, arguments.steps) for way in WAYS} for _ in range(arguments.turns)]
    at = arguments.quantile
    table = Table(title=f"ms of a step, quantile {at:g} of {arguments.turns} turns of {arguments.steps} steps")
    for column in ("task", *WAYS, "two processes, times faster", "by turn"):
        table.add_column(column, justify="left" if column == "task" else "right")
    _, threads, processes = WAYS
    for label in arguments.only:
        figures = [np.quantile([time for turn in found for time in turn[way][label]], at) for way in WAYS]
        turns = [np.quantile(one[threads][label], at) / np.quantile(one[processes][label], at) for one in found]
        ratio = figures[1] / figures[2]
        table.add_row(
            label, *(f"{one:.2f}" for one in figures), f"{ratio:.2f}", f"{min(turns):.2f} to {max(turns):.2f}"
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
