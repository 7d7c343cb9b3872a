"""How long a run takes to translate the test part, greedily and by beam, all sentences given at once.

Run: python benchmarks/translate.py runs/en-de   (a run of elman train translation)
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from elman.run import load
from elman.tasks.translation.settings import Options
from elman.tasks.translation.task import Task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--beams", type=int, nargs="*", default=[1, 5, 10])
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3, help="the fastest counts")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    run = load(arguments.run)
    task = run.task
    assert isinstance(task, Task)
    texts = list((task.data.test if len(task.data.test) else task.data.validation).source[: arguments.sentences])
    table = Table("beam", "seconds", "of processor", "sentences a second", "tokens written a second")
    for beam in arguments.beams:
        options = Options(beam=beam)
        run.predict(texts[:8], options)  # what happens once happens here
        best: tuple[float, float, list[dict[str, object]]] | None = None
        for _ in range(arguments.repeats):
            wall, processor = time.perf_counter(), time.process_time()
            predictions = run.predict(texts, options)
            taken = time.perf_counter() - wall, time.process_time() - processor
            best = min((*taken, predictions), best or (*taken, predictions), key=lambda one: one[0])
        assert best is not None
        wall, processor, predictions = best
        tokens = sum(len(task.codes.target.encode(str(one.text))) + 1 for one in predictions)
        speeds = (f"{wall:.2f}", f"{processor:.2f}", f"{len(texts) / wall:,.0f}", f"{tokens / wall:,.0f}")
        table.add_row(str(beam), *speeds)
    console = Console()
    console.print(f"{arguments.run}: {len(texts):,} sentences, {arguments.threads} threads, loading left out")
    console.print(table)


if __name__ == "__main__":
    main()
