"""Spoken digits of a voice never heard: six trainings, each leaves one speaker of FSDD out, and their mean accuracy.

Run: python benchmarks/speakers.py --out runs/speakers
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from elman.run import load, train
from elman.tasks.speech import Settings

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/speakers"))
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("speakers", nargs="*", default=SPEAKERS)
    arguments = parser.parse_args()
    table = Table("speaker left out", "test accuracy", "validation accuracy", "seconds")
    found = []
    for speaker in arguments.speakers:
        start = time.perf_counter()
        settings = Settings(
            speaker=speaker,
            normalise="recording",
            steps=arguments.steps,
            eval_every=200,
            seed=arguments.seed,
            threads=1,
        )
        train("speech", settings, arguments.out / speaker)
        figures = load(arguments.out / speaker).evaluate()
        found.append(figures["test_accuracy"])
        shown = (f"{figures['test_accuracy']:.1%}", f"{figures['validation_accuracy']:.1%}")
        table.add_row(speaker, *shown, f"{time.perf_counter() - start:.0f}")
    table.add_row("mean", f"{statistics.mean(found):.1%}", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
