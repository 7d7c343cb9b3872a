"""What a user waits for a short command: new processes by turns, from the start to the end of each.

`predict` and `sample` are also timed by torch's way, which they take where the environment chooses the backend. The
runs that are named must be there; each is asked for what its task's example asks. Medians.

Run: python benchmarks/start.py runs/parity runs/sst2 runs/shakespeare
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from elman.export.at_path import task_name_of
from elman.tasks import task_module

BY_TORCH = {"ELMAN_BACKEND": "cpu"}


def seconds(words: list[str], environment: dict[str, str]) -> float:
    """How long a new process takes; what it prints is dropped."""
    begin = time.perf_counter()
    subprocess.run(words, env=os.environ | environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def commands(runs: list[Path]) -> dict[str, list[str]]:
    """What is timed, by its name in the table."""
    python, elman = [sys.executable, "-c"], [sys.executable, "-m", "elman"]
    found = {
        "python alone": [*python, ""],
        "import torch": [*python, "import torch"],
        "elman --help": [*elman, "--help"],
    }
    for run in runs:
        task = task_name_of(run)
        example = task_module(task).Task.predict_example
        found[f"elman predict, {task}"] = [*elman, "predict", str(run), *example]
        if task == "language":
            found[f"elman sample, {task}"] = [*elman, "sample", str(run)]
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    asked = commands(arguments.runs)
    both = [
        (name, way) for name in asked for way in ("", "torch") if not way or "elman predict" in name or "sample" in name
    ]
    taken: dict[tuple[str, str], list[float]] = {one: [] for one in both}
    for turn in range(arguments.turns + 1):
        for name, way in both:
            took = seconds(asked[name], BY_TORCH if way else {})
            if turn:  # the first fills the disk's cache
                taken[name, way].append(took)
    table = Table("command", "seconds", "by torch's way")
    for name in asked:
        ways = [taken.get((name, way)) for way in ("", "torch")]
        table.add_row(name, *(f"{statistics.median(one):.2f}" if one else "" for one in ways))
    Console().print(table)


if __name__ == "__main__":
    main()
