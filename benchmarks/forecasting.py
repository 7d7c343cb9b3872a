"""The figures of docs/forecasting.md: train each named dataset by its recipe, measure on its test part, draw that.

Run: python benchmarks/forecasting.py --out runs/forecasting
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from rich.console import Console

from elman.cli.terminal.tables import metrics_table, rich_table
from elman.run import load
from elman.tasks import recipe
from elman.tasks.forecasting.settings import Settings
from elman.training_run import train

DATASETS = ("airline", "sunspots", "etth1")


def measure(name: str, out: Path, seed: int, console: Console) -> None:
    """Train, evaluate and draw one dataset."""
    start = time.perf_counter()
    train("forecasting", Settings(**recipe("forecasting", name), seed=seed, threads=1), out / name)
    seconds = time.perf_counter() - start
    run = load(out / name)
    report = run.examine()
    console.print(metrics_table(f"{name}, seed {seed}, {seconds:.0f} s in all on one thread", report.metrics))
    console.print(rich_table(report.tables[0]))
    with torch.no_grad():
        run.task.draw(run.model, run.task.data.test, "test", out / name / "forecast-test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/forecasting"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", default=DATASETS)
    arguments = parser.parse_args()
    for name in arguments.names:
        measure(name, arguments.out, arguments.seed, Console(highlight=False, width=120))


if __name__ == "__main__":
    main()
