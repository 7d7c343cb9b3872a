"""Where the time of a training step and of a prediction goes, task by task.

Each task runs with its default settings on its default dataset, `language` also with words. A step is taken apart as
the loop takes it: the batch, the loss (the network forwards), backward, clipping, the optimiser, and reading the loss.
"predict" is one input by a network as it begins. Medians of processor time, which a busy machine changes least; one
thread with OMP_NUM_THREADS=1.

Run: python benchmarks/steps.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from elman.data.image.captions import read_captions
from elman.tasks import task_module
from elman.training.optim import build_optimizer, clip

PARTS = ("batch", "loss", "backward", "clip", "optimizer", "rest")
WARM_UP = 3


def captions_without_pictures(folder: Path) -> dict[str, Any]:
    """Settings of the captioning task: the captions of Flickr8k, and numbers in the place of what a network sees."""
    from elman.data.datasets.cache import cache_folder

    captions = cache_folder() / "flickr8k" / "Flickr8k.token.txt"
    names = sorted(read_captions(captions).texts)
    file = folder / "features.npz"
    vectors = np.random.default_rng(0).standard_normal((len(names), 512), dtype=np.float32)
    np.savez(file, names=np.array(names), features=vectors)
    return {"data": str(file), "captions": str(captions)}


CASES: dict[str, tuple[str, Callable[[Path], dict[str, Any]]]] = {
    "parity": ("parity", lambda _: {}),
    "language, characters": ("language", lambda _: {}),
    "language, words": ("language", lambda _: {"data": ("ptb",), "tokens": "words", "vocabulary_size": 10_000}),
    "sentiment": ("sentiment", lambda _: {}),
    "series": ("series", lambda _: {}),
    "forecasting": ("forecasting", lambda _: {"data": "etth1"}),
    "speech, words": ("speech", lambda _: {}),
    "translation": ("translation", lambda _: {}),
    "captioning": ("captioning", captions_without_pictures),
}


def parts_of_a_step(task: Any, steps: int) -> dict[str, float]:
    """Median milliseconds of each part, in processor time."""
    model = task.build_model()
    optimizer = build_optimizer(model, task.settings)
    parameters = [p for p in model.parameters() if p.requires_grad]
    times: list[list[float]] = []
    carry: tuple[torch.Tensor, ...] = ()
    for step in range(steps + WARM_UP):
        clock = [time.process_time()]
        batch = task.batch(step, 0, 1)
        clock.append(time.process_time())
        loss = task.loss(model, batch, carry)
        clock.append(time.process_time())
        (loss.total / loss.count).backward()
        clock.append(time.process_time())
        clip(parameters, task.settings)
        clock.append(time.process_time())
        optimizer.step()
        clock.append(time.process_time())
        optimizer.zero_grad()
        loss.total.item()
        carry = loss.carry
        clock.append(time.process_time())
        times.append([1e3 * (end - start) for start, end in pairwise(clock)])
    return {name: statistics.median(own) for name, own in zip(PARTS, zip(*times[WARM_UP:], strict=True), strict=True)}


def prediction(name: str, task: Any, turns: int) -> float:
    """Median milliseconds of one prediction, in processor time; NaN where the task's inputs are files."""
    given = {"parity": "0110" * 8, "language": "The ", "sentiment": "a fine film", "translation": "A dog runs."}
    if name not in given:
        return float("nan")
    model = task.build_model().eval()
    times = []
    for _ in range(turns + 1):
        start = time.process_time()
        with torch.no_grad():
            task.predict(model, [given[name]], task.options_type())
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    arguments = parser.parse_args()
    table = Table(title=f"ms of processor time in one training step; {torch.get_num_threads()} threads")
    for column in ("task", *PARTS, "together", "predict"):
        table.add_column(column, justify="left" if column == "task" else "right")
    for label in arguments.only:
        name, chosen = CASES[label]
        with tempfile.TemporaryDirectory() as folder:
            package = task_module(name)
            task = package.Task.new(package.Settings(**chosen(Path(folder))))
            task.prepare()
            parts = parts_of_a_step(task, arguments.steps)
            asked = prediction(name, task, 5)
        shown = [f"{parts[part]:.2f}" for part in PARTS]
        predicted = "" if asked != asked else f"{asked:.1f}"
        table.add_row(label, *shown, f"{sum(parts.values()):.1f}", predicted)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
