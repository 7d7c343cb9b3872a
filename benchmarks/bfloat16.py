"""The recurrent layer under autocast to bfloat16 against itself in float32, and against torch.nn.RNN under autocast.

Only a processor with products of bfloat16 (AVX512-BF16) can gain by it; on any other the layer multiplies float32 and
rounds its states, which costs what the table shows. All run by turns in one process on the same inputs and weights;
figures are medians. "train" is forward, then backward to the input and all weights; "error" is the largest difference
of a state, and of a weight's gradient as a share of the largest, from float32. Run:
python benchmarks/bfloat16.py [--seconds 2] [--threads N] [--no-torch]

Shapes are B sequences, H = I hidden units, T = 128 steps.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from elman.kernels.cpu.library import isa
from layer import Run, Shape, layers_and_data, processor, seconds_of, torch_runs

SHAPES = tuple(Shape(128, B, H, H) for H in (128, 256, 512, 1024) for B in (1, 16, 64))


def under_autocast(run: Run) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return run()


def errors(shape: Shape) -> tuple[float, float]:
    """The largest difference of a state, and of w_hh's gradient as a share of its largest."""
    _, ours, x, grad, _ = layers_and_data(shape)
    found = []
    for on in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            h = ours(x)[0]
        (gradient,) = torch.autograd.grad(h, [ours.weight_hh_l0], grad.to(h.dtype))
        found.append((h.detach().float(), gradient))
    (h, exact), (other, rounded) = found
    return (h - other).abs().max().item(), ((exact - rounded).abs().max() / exact.abs().max()).item()


def row(shape: Shape, seconds: float, *, torch_too: bool) -> list[str]:
    theirs, ours, x, grad, _ = layers_and_data(shape)
    mine, others = torch_runs(ours, x, grad, None), torch_runs(theirs, x, grad, None)
    cells = [str(shape)]
    for what in ("forward", "train"):
        runs = [mine[what], partial(under_autocast, mine[what])]
        runs += [partial(under_autocast, others[what])] * torch_too
        medians = [statistics.median(times) for times in seconds_of(runs, seconds, 0.02)]
        cells += [f"{1e3 * median:.3f}" for median in medians[:2]] + [f"{medians[0] / medians[1]:.2f}"]
        cells += [f"{medians[2] / medians[1]:.2f}" if torch_too else "-"]
    of_h, of_gradient = errors(shape)
    return [*cells, f"{of_h:.0e}", f"{of_gradient:.0e}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each shape's forward passes, and for training")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-torch", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = Table(title=f"{processor()}, {arguments.threads} threads, {isa()}, torch {torch.__version__}")
    table.add_column("shape", no_wrap=True)
    for what in ("forward", "train"):
        for column in (f"{what} float32, ms", "bfloat16, ms", "float32 to it", "torch to it"):
            table.add_column(column, justify="right")
    for column in ("error of h", "of a gradient"):
        table.add_column(column, justify="right")
    for shape in track(SHAPES, "shapes"):
        table.add_row(*row(shape, arguments.seconds, torch_too=not arguments.no_torch))
    Console(width=175).print(table)


if __name__ == "__main__":
    main()
