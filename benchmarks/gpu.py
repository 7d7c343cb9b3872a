"""The recurrent layer on a GPU against torch.nn.RNN, which is cuDNN there: in one process, in turns, by CUDA events.

Without ELMAN_BACKEND the layer uses cuDNN itself where it can; ELMAN_BACKEND=triton measures the Triton kernels. Run:
ELMAN_BACKEND=triton python benchmarks/gpu.py [--dtype float32 bfloat16 float16] [--device cuda] [--json FILE]

Shapes are T steps, B sequences, H inputs and hidden units. "error" is the distance of the output from float64's, as a
share of torch's own; "memory" what a pass adds, as a share of what torch's adds. `--device cpu` tries the script.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from layer import Shape, layers_and_data, torch_runs

SHAPES = (
    *(Shape(512, B, H, H) for H in (64, 128, 256) for B in (16, 128)),
    *(Shape(512, B, H, H) for H in (512, 1024) for B in (16, 128)),
    *(Shape(512, 64, H, H, ragged=True) for H in (128, 512)),
    Shape(512, 32, 256, 256, layers=2, bidirectional=True),
)
TRIED = (Shape(32, 8, 64, 64), Shape(32, 8, 64, 64, ragged=True))
TURNS = 30


def seconds(run: Callable[[], Any], device: str) -> float:
    """How long the device is busy with `run`."""
    if device == "cpu":
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    run()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / 1e3


def memory(run: Callable[[], Any], device: str) -> float:
    """The bytes that `run` adds at its peak; nan on a CPU, for which there is memory.py."""
    if device == "cpu":
        return float("nan")
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() - before)


def error(shape: Shape, kind: dict[str, Any]) -> float:
    """The largest distance of elman's output from the same layer in float64, as a share of torch's."""
    theirs, ours, x, _, lengths = layers_and_data(shape, **kind)
    exact, *_ = layers_and_data(shape)
    exact.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        want = exact.double()(x.cpu().double())[0]
        theirs_off = (theirs(x)[0].cpu().double() - want).abs()
        ours_off = (ours(x, lengths=lengths)[0].cpu().double() - want).abs()
    if lengths is not None:  # the padding is no one's to compute
        live = torch.arange(shape.T).unsqueeze(1) < lengths
        theirs_off, ours_off = theirs_off[live], ours_off[live]
    return float(ours_off.max() / theirs_off.max())


def measure(shape: Shape, device: str, dtype: str) -> list[dict[str, Any]]:
    """One line a pass."""
    kind = {"device": device, "dtype": getattr(torch, dtype)}
    theirs, ours, x, grad, lengths = layers_and_data(shape, **kind)
    runs = [torch_runs(layer, x, grad, lengths) for layer in (theirs, ours)]
    lines = []
    for what in ("forward", "train"):
        times: list[list[float]] = [[], []]
        for turn in range(TURNS + 3):
            for run, mine in zip(runs, times, strict=True):
                taken = seconds(run[what], device)
                if turn >= 3:  # after the kernels were compiled and chosen
                    mine.append(taken)
        torchs, elmans = (statistics.median(mine) for mine in times)
        line = {"shape": f"{shape} {dtype}", "what": what, "torch": torchs, "elman": elmans, "ratio": torchs / elmans}
        line["step"] = elmans / shape.T
        line["share"] = memory(runs[1][what], device) / memory(runs[0][what], device)
        line["error"] = error(shape, kind) if what == "forward" else float("nan")
        lines.append(line)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument(
        "--dtype", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16", "float16"]
    )
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU here; --device cpu tries the script")
    name = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    table = Table(title=f"{name}, torch {torch.__version__}", title_justify="left")
    for heading in ("shape", "", "torch, ms", "elman, ms", "times torch", "us a step", "memory", "error"):
        table.add_column(heading, justify="left" if heading in ("shape", "") else "right")
    cases = [(shape, dtype) for dtype in options.dtype for shape in (SHAPES if options.device == "cuda" else TRIED)]
    lines = []
    for shape, dtype in track(cases, console=Console(stderr=True)):
        lines += measure(shape, options.device, dtype)
    for line in lines:
        metrics = f"{line['torch'] * 1e3:.3f}", f"{line['elman'] * 1e3:.3f}", f"{line['ratio']:.2f}"
        table.add_row(
            line["shape"],
            line["what"],
            *metrics,
            f"{line['step'] * 1e6:.2f}",
            *map(share, (line["share"], line["error"])),
        )
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps({"device": name, "lines": lines}, indent=1))


def share(value: float) -> str:
    """A ratio to print, blank where there is none."""
    return "" if value != value else f"{value:.2f}"


if __name__ == "__main__":
    main()
