"""The recurrent layer on a busy machine: two threads against one, while other processes take the processors.

Two threads of elman.RNN, one thread of it, and two threads of torch.nn.RNN run by turns in one process, on the same
inputs, a few tens of milliseconds a turn; figures are means over all turns, since what hurts on a busy machine is the
call that waits. The other processes do nothing but count. With one of them, it is bound to the last processor, so that
one processor stays free. Run:
python benchmarks/contention.py [--others 0 1 3] [--seconds 1] [--no-torch]

Shapes are B sequences, H = I hidden units, T = 128 steps; float32. "2 to 1" above 1: two threads are slower than one.
"train" is forward, then backward to all weights.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import elman
from elman.kernels.cpu.library import isa
from layer import processor

STEPS = 128
SHAPES = ((1, 32), (16, 32), (1, 256), (64, 128), (64, 512), (1, 1024))
TURN = 0.05  # seconds


@contextmanager
def busy(others: int) -> Iterator[None]:
    """Processes that count, beside this one."""
    loop = "while True: pass"
    processes = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(others)]
    if others == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(processes[0].pid, {max(os.sched_getaffinity(0))})
    time.sleep(0.3)
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def layer_call(layer: torch.nn.Module, x: torch.Tensor, grad: torch.Tensor, train: bool) -> Callable[[], object]:
    """One call of a layer, or one training step of it."""
    weights = list(layer.parameters())

    def infer() -> object:
        with torch.no_grad():
            return layer(x)

    def step() -> object:
        return torch.autograd.grad(layer(x)[0], weights, grad)

    return step if train else infer


def turn(call: Callable[[], object], threads: int) -> tuple[float, int]:
    """Seconds and calls of one turn."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    calls = 0
    while calls == 0 or time.perf_counter() - began < TURN:
        call()
        calls += 1
    return time.perf_counter() - began, calls


def means(calls: dict[str, tuple[Callable[[], object], int]], seconds: float) -> dict[str, float]:
    """Milliseconds a call, by turns, over `seconds` for each."""
    spent = {name: [0.0, 0] for name in calls}
    for call, threads in calls.values():
        torch.set_num_threads(threads)
        call()
    while min(total for total, _ in spent.values()) < seconds:
        for name, (call, threads) in calls.items():
            took, count = turn(call, threads)
            spent[name][0] += took
            spent[name][1] += count
    return {name: 1e3 * took / count for name, (took, count) in spent.items()}


def table(others: int, seconds: float, advance: Callable[[], None], *, with_torch: bool) -> Table:
    """One table for a number of other processes; `advance` is called after each row."""
    title = f"{others} other process{'' if others == 1 else 'es'}, milliseconds a call (mean)"
    result = Table(title=title, title_justify="left")
    columns = ("", "elman, 1 thread", "elman, 2 threads", "2 to 1")
    for column in (*columns, "torch, 2 threads", "torch to elman") if with_torch else columns:
        result.add_column(column, justify="right" if column else "left", no_wrap=True)
    for train in (False, True):
        for B, H in SHAPES:
            torch.manual_seed(1)
            own, peer = elman.RNN(H, H), torch.nn.RNN(H, H)
            x, grad = torch.randn(STEPS, B, H), torch.randn(STEPS, B, H)
            call = layer_call(own, x, grad, train)
            calls = {"one": (call, 1), "two": (call, 2)}
            if with_torch:
                calls["torch"] = layer_call(peer, x, grad, train), 2
            took = means(calls, seconds)
            row = [f"{'train' if train else 'forward'} B={B} H={H}", f"{took['one']:.3f}", f"{took['two']:.3f}"]
            row += [f"{took['two'] / took['one']:.2f}"]
            if with_torch:
                row += [f"{took['torch']:.3f}", f"{took['torch'] / took['two']:.1f}"]
            result.add_row(*row)
            advance()
    return result


def main() -> None:
    """Print one table for each number of other processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=int, nargs="+", default=[0, 1, 3], help="other processes, a table for each")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each column of each row")
    parser.add_argument("--no-torch", action="store_true", help="leave torch.nn.RNN out")
    options = parser.parse_args()
    console = Console(width=120)
    console.print(f"{processor()}, {os.cpu_count()} processors, {isa()}, torch {torch.__version__}")
    with Progress(console=Console(stderr=True)) as progress:
        for others in options.others:
            task = progress.add_task(f"beside {others} busy", total=2 * len(SHAPES))
            advance = partial(progress.advance, task)
            with busy(others):
                made = table(others, options.seconds, advance, with_torch=not options.no_torch)
            console.print(made)


if __name__ == "__main__":
    main()
