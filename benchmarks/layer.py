"""The recurrent layer against torch.nn.RNN, and against JAX and onnxruntime where they are installed.

Each meets torch in one process, in turns, on the same inputs and weights, and no third one is there: the threads of
JAX and onnxruntime spin on after their turn and slow whoever comes next. So all ratios are to what torch takes in its
turns with elman. The figures are medians over the turns, with the distance between the quartiles. A turn is as many
calls as take 20 ms: a program calls its own layer again and again, and only at the first call of a turn has the other
layer just filled the caches. `--turn 1` shows how much that first call costs. Run:
python benchmarks/layer.py [--quick | --sweep] [--turn MS] [--no-peers] [--threads N] [--picture FILE] [--json FILE]

Shapes are T steps, B sequences, I inputs, H hidden units; float32. "train" is forward, then backward to the input and
all weights. "peak" is the share of what this processor does in nothing but multiply-adds, "sgemm" that of what torch's
product of two large matrices reaches, both measured here as well.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import math
import platform
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import elman
from elman.kernels.cpu import backend as cpu


@dataclass(frozen=True)
class Shape:
    T: int
    B: int
    I: int
    H: int
    layers: int = 1
    bidirectional: bool = False
    ragged: bool = False  # lengths uniform in 1..T; torch runs the packed batch

    def __str__(self) -> str:
        words = [f"B={self.B} H={self.H} T={self.T}"]
        words += [f"I={self.I}"] * (self.I != self.H)
        words += [f"{self.layers} layers"] * (self.layers > 1)
        words += ["both directions"] * self.bidirectional
        return " ".join([*words, *["lengths"] * self.ragged])

    def operations(self) -> float:
        """Floating-point operations of a forward pass; a training step does three times as many."""
        D = 2 if self.bidirectional else 1
        inputs = self.I + (self.layers - 1) * D * self.H
        steps = self.T * self.B * (0.5 if self.ragged else 1)
        return 2 * D * steps * self.H * (inputs + self.layers * self.H)


QUICK = (
    Shape(128, 1, 32, 32),
    Shape(128, 16, 32, 32),
    Shape(128, 16, 128, 128),
    Shape(128, 64, 128, 128),
    Shape(128, 1, 256, 256),
    Shape(128, 16, 256, 256),
    Shape(128, 64, 128, 128, ragged=True),
    Shape(128, 32, 128, 128, layers=2, bidirectional=True),
)
FULL = (
    *(Shape(128, B, 32, 32) for B in (1, 16, 64)),
    *(Shape(128, B, 128, 128) for B in (1, 16, 64, 256)),
    *(Shape(128, B, H, H) for H in (256, 512, 1024) for B in (1, 16, 64)),
    Shape(1024, 16, 128, 128),
    Shape(784, 64, 1, 128),
    Shape(128, 64, 128, 128, ragged=True),
    Shape(128, 32, 128, 128, layers=2, bidirectional=True),
    Shape(128, 1, 128, 128, bidirectional=True),
    Shape(1, 1, 1024, 1024),
    Shape(1, 16, 128, 128),
)
CLOSEST = 30
# every corner: is there a shape at which torch is faster?
SWEEP = tuple(
    Shape(T, B, H, H)
    for H in (8, 32, 128, 256, 512, 1024)
    for B in (1, 4, 16, 64, 256)
    for T in (1, 2, 4, 8, 32, 128, 1024)
    if T * B * H * H <= 2**33
)


@dataclass(frozen=True)
class Timing:
    shape: str
    what: str  # "forward" or "train"
    who: str
    seconds: float  # median
    spread: float  # between the quartiles, as a share of the median
    ratio: float  # how many times faster than torch.nn.RNN
    share: float  # of the peak


Run = Callable[[], Any]


def torch_runs(layer: torch.nn.RNN | elman.RNN, x: torch.Tensor, grad: torch.Tensor, lengths: Any) -> dict[str, Run]:
    """A forward pass and a training step of `layer`, torch's or elman's."""
    packing = torch.nn.utils.rnn
    own = isinstance(layer, elman.RNN)
    leaf = x.clone().requires_grad_()

    def run(x: torch.Tensor) -> torch.Tensor:
        if lengths is None:
            return layer(x)[0]
        if own:
            return layer(x, lengths=lengths)[0]
        packed, _ = layer(packing.pack_padded_sequence(x, lengths, enforce_sorted=False))
        return packing.pad_packed_sequence(packed, total_length=len(x))[0]

    def forward() -> None:
        with torch.no_grad():
            run(x)

    def train() -> None:
        run(leaf).backward(grad)
        leaf.grad = None
        layer.zero_grad()

    return {"forward": forward, "train": train}


def jax_runs(layer: torch.nn.RNN, x: torch.Tensor, grad: torch.Tensor) -> dict[str, Run]:
    """One layer as `lax.scan`, compiled."""
    import jax

    values = [jax.numpy.asarray(t.detach().numpy()) for t in (x, *layer.all_weights[0])]
    cotangent = jax.numpy.asarray(grad.numpy())

    def forward(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        def step(h: Any, drive: Any) -> Any:
            h = jax.numpy.tanh(drive + h @ w_hh.T)
            return h, h

        drive = x @ w_ih.T + (b_ih + b_hh)
        return jax.lax.scan(step, jax.numpy.zeros(drive.shape[1:]), drive)[1]

    def train(*values: Any) -> Any:
        return jax.vjp(forward, *values)[1](cotangent)

    compiled = {"forward": jax.jit(forward), "train": jax.jit(train)}
    return {what: (lambda f=f: jax.block_until_ready(f(*values))) for what, f in compiled.items()}


def onnx_runs(layer: torch.nn.RNN, x: torch.Tensor, threads: int) -> dict[str, Run]:
    """One layer as onnxruntime's `RNN` node; forward only."""
    import onnx
    import onnxruntime

    w_ih, w_hh, b_ih, b_hh = (w.detach().numpy() for w in layer.all_weights[0])
    make = onnx.helper
    constants = {
        "W": w_ih[None],
        "R": w_hh[None],
        "B": torch.cat([torch.tensor(b_ih), torch.tensor(b_hh)])[None].numpy(),
    }
    node = make.make_node("RNN", ["x", "W", "R", "B"], ["y"], hidden_size=w_hh.shape[0])
    value = make.make_tensor_value_info
    graph = make.make_graph(
        [node],
        "rnn",
        [value("x", onnx.TensorProto.FLOAT, list(x.shape))],
        [value("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = {"x": x.numpy()}
    return {"forward": lambda: session.run(None, inputs)}


def layers_and_data(
    shape: Shape, **kind: Any
) -> tuple[torch.nn.RNN, elman.RNN, torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """torch's layer and elman's with the same weights, an input, a gradient of the output, lengths (on the CPU)."""
    torch.manual_seed(0)
    options: dict[str, Any] = {"num_layers": shape.layers, "bidirectional": shape.bidirectional}
    theirs = torch.nn.RNN(shape.I, shape.H, **options)
    ours = elman.RNN(shape.I, shape.H, **options)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(shape.T, shape.B, shape.I)
    grad = torch.randn(shape.T, shape.B, shape.H * (2 if shape.bidirectional else 1))
    lengths = torch.randint(1, shape.T + 1, (shape.B,)) if shape.ragged else None
    return theirs.to(**kind), ours.to(**kind), x.to(**kind), grad.to(**kind), lengths


def competitors(shape: Shape, threads: int, *, peers: bool) -> dict[str, dict[str, Run]]:
    theirs, ours, x, grad, lengths = layers_and_data(shape)
    runs = {"torch": torch_runs(theirs, x, grad, lengths), "elman": torch_runs(ours, x, grad, lengths)}
    plain = peers and not (shape.ragged or shape.bidirectional or shape.layers > 1)
    if plain and importlib.util.find_spec("jax"):
        runs["jax"] = jax_runs(theirs, x, grad)
    if plain and importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        runs["onnxruntime"] = onnx_runs(theirs, x, threads)
    return runs


def seconds_of(runs: list[Run], budget: float, turn: float) -> list[list[float]]:
    """The times of each, taken in turns of `turn` seconds, for about `budget` seconds, at least five turns.

    A turn is as many calls as that takes, and counts as one call.
    """
    calls = [calls_a_turn(run, turn) for run in runs]
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + budget
    while len(times[0]) < 5 or (time.perf_counter() < end and len(times[0]) < 500):
        for run, repeat, mine in zip(runs, calls, times, strict=True):
            start = time.perf_counter()
            for _ in range(repeat):
                run()
            mine.append((time.perf_counter() - start) / repeat)
    return times


def calls_a_turn(run: Run, turn: float) -> int:
    """How often to call `run` in a turn; it is called to find out, which warms it up too."""
    fastest = min(timed(run) for _ in range(3))
    return max(1, math.ceil(turn / fastest))


def timed(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(shape: Shape, everyone: dict[str, dict[str, Run]], budget: float, turn: float, peak: float) -> list[Timing]:
    results: list[Timing] = []
    base = math.nan
    for what, passes in (("forward", 1), ("train", 3)):
        for name, runs in everyone.items():
            if name == "torch" or what not in runs:
                continue
            pair = {"torch": everyone["torch"][what], name: runs[what]}
            times = seconds_of(list(pair.values()), budget, turn)
            if name == "elman":  # the first, and its torch is everyone's: beside the others torch is slowed
                base = statistics.median(times[0])
            for who, mine in zip(pair, times, strict=True):
                if who == "torch" and name != "elman":
                    continue  # one line for torch: that of its turns with elman
                low, median, high = statistics.quantiles(mine, n=4)
                share = passes * shape.operations() / median / peak
                results.append(Timing(str(shape), what, who, median, (high - low) / median, base / median, share))
    return results


def fma_peak(threads: int) -> float:
    """Operations a second of all threads at once in nothing but fused multiply-adds."""
    multiply_adds = cpu.library().elman_multiply_adds
    multiply_adds.restype, multiply_adds.argtypes = ctypes.c_int64, [ctypes.c_int64]
    rates: list[float] = []
    for _ in range(5):
        workers = [threading.Thread(target=multiply_adds, args=(3_000_000,)) for _ in range(threads)]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rates.append(threads * multiply_adds(1) * 3_000_000 / (time.perf_counter() - start))
    return max(rates)


def sgemm_rate() -> float:
    """Operations a second of torch's own product of two square matrices."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    (times,) = seconds_of([lambda: a @ b], 0.5, 0.02)
    return 2 * 1024**3 / statistics.median(times)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.backend()


def show(timings: list[Timing], title: str, sgemms: float) -> None:
    """A table; the peak is `sgemms` times what torch's own product reaches."""
    table = Table(title=title, title_justify="left")
    for heading in ("shape", "", "who", "ms", "spread", "times torch", "of peak", "of sgemm"):
        table.add_column(heading, justify="left" if heading in ("shape", "", "who") else "right")
    last = None
    for t in timings:
        if last and (t.shape, t.what) != last:
            table.add_section()
        last = (t.shape, t.what)
        metrics = (
            f"{t.seconds * 1e3:.3f}",
            f"{t.spread:.0%}",
            f"{t.ratio:.2f}",
            f"{t.share:.0%}",
            f"{t.share * sgemms:.0%}",
        )
        table.add_row(t.shape, t.what, t.who, *metrics)
    Console(width=120).print(table)


def draw(timings: list[Timing], backend: str, path: Path) -> None:
    """Bars of how many times faster than torch.nn.RNN elman is, forward and training, one pair a shape."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator, ScalarFormatter

    shapes = list(dict.fromkeys(t.shape for t in timings))[::-1]
    ratios = {(t.shape, t.what): t.ratio for t in timings if t.who == "elman"}
    figure = Figure(figsize=(10, 2 + 0.4 * len(shapes)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for offset, what, colour, hatch in ((0.2, "forward", "#0072b2", ""), (-0.2, "train", "#e69f00", "//")):
        heights = [ratios[shape, what] for shape in shapes]
        places = [i + offset for i in range(len(shapes))]
        bars = axes.barh(places, heights, 0.4, color=colour, hatch=hatch, edgecolor="white", label=what)
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
    axes.axvline(1, color="#444444", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20])
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(right=1.3 * max(ratios.values()))
    axes.set_yticks(range(len(shapes)), shapes)
    axes.set_ylim(-0.6, len(shapes) - 0.4)
    axes.set_xlabel(f"times faster than torch.nn.RNN (1: as fast)\n{backend}", fontsize=9)
    typical = statistics.geometric_mean(ratios.values())
    finding = f"elman.RNN is {min(ratios.values()):.1f} to {max(ratios.values()):.0f} times as fast as torch.nn.RNN"
    figure.suptitle(f"{finding}, {typical:.1f} in the geometric mean", x=0.01, ha="left", fontsize=12, weight="bold")
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer shapes, less time each")
    parser.add_argument("--sweep", action="store_true", help="many shapes against torch; shows where it is close")
    parser.add_argument(
        "--no-peers", dest="peers", action="store_false", help="torch.nn.RNN alone, no JAX, no onnxruntime"
    )
    parser.add_argument("--turn", type=float, default=20, metavar="MS", help="how long one of them runs on (20)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--picture", type=Path, help="also draw the ratios")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    peak, sgemm = fma_peak(options.threads), sgemm_rate()
    title = (
        f"{processor()}, {options.threads} threads, {cpu.isa()}, torch {torch.__version__}: "
        f"multiply-add peak {peak / 1e9:.0f} GFLOP/s, torch's sgemm {sgemm / 1e9:.0f}"
    )
    timings: list[Timing] = []
    shapes, budget = (SWEEP, 0.1) if options.sweep else (QUICK, 0.3) if options.quick else (FULL, 1.0)
    for shape in track(shapes, console=Console(stderr=True)):
        everyone = competitors(shape, options.threads, peers=options.peers and not options.sweep)
        timings += measure(shape, everyone, budget, options.turn / 1e3, peak)
    if options.sweep:
        ours = [t for t in timings if t.who == "elman"]
        slower = sum(t.ratio < 1 for t in ours)
        title += f"\n{slower} of {len(ours)} slower than torch; the {CLOSEST} closest"
        timings = sorted(ours, key=lambda t: t.ratio)[:CLOSEST]
    show(timings, title, peak / sgemm)
    if options.picture:
        draw(timings, title, options.picture)
    if options.json:
        options.json.write_text(json.dumps({"machine": title, "timings": [asdict(t) for t in timings]}, indent=1))


if __name__ == "__main__":
    main()
