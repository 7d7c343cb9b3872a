"""The recurrent layer beside what else computes it on a CPU: oneDNN's vanilla RNN, torch.nn.RNN, JAX, onnxruntime.

Each peer meets elman.RNN in one process, by turns, on the same inputs and weights, and is there only while it is
measured; each ratio is of medians of the same turns (benchmarks/layer.py says what a turn is). First the peer's values
and gradients are compared with elman's: where they disagree no time is printed.

oneDNN runs by its C++ interface, in layouts of weights that it chose itself. In the forward pass its weights are
there already, while elman starts from the module's weights at every call. In "oneDNN" training the weights go into its
layouts and their gradients come back at every step, as for an optimiser of torch; "layouts kept" is without that. It
adds to gradients, so they are zeroed. It is handed h0 = 0 in training: without, its gradient of w_hh is wrong.

    pip install onednn onednn-devel    # 3.13: TBB, by way of SYCL; onnxruntime and JAX are measured if installed
    python benchmarks/peers.py [--only forward] [--shapes 16,128,128 1,1024,1] [--peers onednn torch] [--json FILE]

and g++. `--onednn PREFIX` takes another oneDNN, such as a virtual environment with onednn-cpu-gomp and
onednn-devel-cpu-gomp (3.2: the OpenMP that torch has, and no third runtime between a call and its kernel).
`--busy N` sets both beside N processes that count; figures are then means, as in benchmarks/contention.py.

Shapes are B sequences, H = I hidden units, T steps; float32. "train" is forward, then backward to the input and all
weights.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from contention import busy
from elman.errors import UserError
from elman.kernels.cpu.library import isa
from layer import FULL, Shape, layers_and_data, processor, seconds_of, torch_runs
from peer_layers import NAMES, Peers

SINGLE_STEPS = tuple(Shape(1, B, H, H) for H in (32, 128, 512, 1024) for B in (1, 16, 64))
PLAIN = tuple(shape for shape in FULL if not (shape.ragged or shape.bidirectional or shape.layers > 1))
SHAPES = (*(shape for shape in PLAIN if shape.T > 1), *SINGLE_STEPS)


@dataclass(frozen=True)
class Pair:
    """What a peer and elman took in the same turns; seconds a call."""

    shape: str
    what: str  # "forward" or "train"
    peer: str
    theirs: float
    ours: float

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours


def measure(shape: Shape, whats: list[str], peers: Peers, budget: float, *, mean: bool) -> list[Pair]:
    """Every peer at this shape, one after the other, each compared with elman before it is timed."""
    torch_layer, layer, x, grad, _ = layers_and_data(shape)
    ours = torch_runs(layer, x, grad, None)
    typical = statistics.mean if mean else statistics.median
    pairs = []
    for name in peers.names:
        with peers.made(name, torch_layer, layer, x, grad) as runs:
            for what in whats:
                if what in runs:
                    theirs, own = (typical(times) for times in seconds_of([runs[what], ours[what]], budget, 0.02))
                    pairs.append(Pair(str(shape), what, name, theirs, own))
        gc.collect()
    return pairs


def table(pairs: list[Pair], what: str, peers: list[str]) -> Table:
    """A row a shape: elman's time beside the first peer, then each peer's and how many times elman is faster."""
    result = Table(title=f"{what}: milliseconds, and how many times faster elman is", title_justify="left")
    shown = [peer for peer in peers if any(pair.peer == peer and pair.what == what for pair in pairs)]
    result.add_column("shape", no_wrap=True)
    for heading in ("elman", *(word for peer in shown for word in (NAMES[peer], "times"))):
        result.add_column(heading, justify="right")
    for shape in dict.fromkeys(pair.shape for pair in pairs):
        here = {pair.peer: pair for pair in pairs if (pair.shape, pair.what) == (shape, what)}
        if not here:
            continue
        closest = min(here.values(), key=lambda pair: pair.ratio)
        cells = [f"{1e3 * next(iter(here.values())).ours:.3g}"]
        for peer in shown:
            pair = here.get(peer)
            style = "" if pair is not closest else "bold red" if closest.ratio < 1 else "bold"
            cells += ["", ""] if pair is None else [f"{1e3 * pair.theirs:.3g}", f"[{style or 'none'}]{pair.ratio:.2f}"]
        result.add_row(shape, *cells)
    return result


def summary(pairs: list[Pair]) -> str:
    """For each peer the geometric mean of the ratios, and where it is ahead."""
    lines = []
    for peer, what in dict.fromkeys((pair.peer, pair.what) for pair in pairs):
        mine = [pair for pair in pairs if (pair.peer, pair.what) == (peer, what)]
        ahead = ", ".join(f"{pair.shape} ({pair.ratio:.2f})" for pair in mine if pair.ratio < 1)
        mean = statistics.geometric_mean(pair.ratio for pair in mine)
        lines.append(
            f"{what}, {NAMES[peer]}: {mean:.2f} in the geometric mean; ahead of elman at {ahead or 'no shape'}"
        )
    return "\n".join(lines)


def shape_of(text: str) -> Shape:
    """`B,H,T` as a shape."""
    try:
        B, H, T = (int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not B,H,T") from None
    if min(B, H, T) < 1:
        raise argparse.ArgumentTypeError(f"{text}: sizes are at least 1")
    return Shape(T, B, H, H)


def run(options: argparse.Namespace) -> None:
    if hasattr(os, "sched_setaffinity"):  # TBB and JAX have a thread for each processor that they may use
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: options.threads]))
    torch.set_num_threads(options.threads)
    peers = Peers(options.peers, options.onednn, options.threads)
    console, progress = Console(width=140), Console(stderr=True)
    title = f"{processor()}, {options.threads} threads, {isa()}, torch {torch.__version__}, {', '.join(peers.versions)}"
    title += f"; means beside {options.busy} busy processes" if options.busy else "; medians"
    console.print(title, soft_wrap=True)
    whats, pairs = [options.only] if options.only else ["forward", "train"], []
    with busy(options.busy) if options.busy else contextlib.nullcontext():
        for shape in track(options.shapes, console=progress):
            pairs += measure(shape, whats, peers, options.seconds, mean=options.busy > 0)
            if options.json:  # after every shape: what is there stays there
                figures = {"machine": title, "pairs": [asdict(pair) for pair in pairs]}
                options.json.write_text(json.dumps(figures, indent=1))
    for what in whats:
        console.print(table(pairs, what, peers.names))
    console.print(summary(pairs), soft_wrap=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("forward", "train"), help="one of the two")
    parser.add_argument("--shapes", type=shape_of, nargs="+", default=SHAPES, metavar="B,H,T", help="in place of all")
    parser.add_argument("--peers", nargs="+", choices=tuple(NAMES), help="in place of all that are installed")
    parser.add_argument("--onednn", type=Path, default=Path(sys.prefix), metavar="PREFIX", help="where oneDNN lies")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="and as many processors")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="beside N counting processes; oneDNN alone")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each pair, at least five turns")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    if options.busy and not options.peers:
        options.peers = ["onednn", "onednn-kept"]
    try:
        run(options)
    except UserError as error:
        sys.exit(print(f"peers.py: {error}", file=sys.stderr) or 2)


if __name__ == "__main__":
    main()
