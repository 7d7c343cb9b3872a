"""Data larger than memory: the time to the first training step and the peak memory, by the size of the file.

A file is made by repeating a dataset: its text for the task `language`, or with `--task sentiment` a table of its texts
and labels (imdb); with `--task forecasting` it is a table of eight noisy waves, a row a minute. Then the task is
started on it twice, each time in a process of its own: the first time reads and encodes, the second finds what was made
in the cache. What is timed is all between the start of Python and the end of the first optimiser step, imports among
it. The file and the cache lie in a folder that is removed at the end; it needs twice the largest size.

Run: python benchmarks/scale.py --gigabytes 0.3 3
     python benchmarks/scale.py --task sentiment --gigabytes 0.3 1 --tokens words characters
     python benchmarks/scale.py --task forecasting --gigabytes 0.07 0.75
Without a network: --text builtin, or a file of your own.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from elman.errors import UserError


def make_text(path: Path, size: int, pattern: str) -> None:
    """A file of `size` bytes, more or less a pattern's."""
    from elman.data.text.corpora import read_corpus

    text = "".join(read_corpus([pattern], 0.1)).encode()
    with open(path, "wb") as file:
        for _ in range(max(1, size // len(text))):
            file.write(text)
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))


def make_table(path: Path, size: int, name: str) -> None:
    """A .csv file of `size` bytes, more or less a labelled dataset's."""
    from elman.data.text.classification import read_labelled_text

    data, rows = read_labelled_text(name), io.StringIO(newline="")
    for part in (data.train, data.validation, data.test):
        labels = [data.classes[number] for number in part.labels.tolist()]
        csv.writer(rows).writerows(zip(part.texts, labels, strict=True))
    content = rows.getvalue().encode()
    with open(path, "wb") as file:
        file.write(b"text,label\n")
        for _ in range(max(1, round(size / len(content)))):
            file.write(content)
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))


def make_series(path: Path, size: int) -> None:
    """A .csv file of `size` bytes, more or less a few, a row a minute."""
    import numpy as np
    import pandas as pd

    random, begin = np.random.default_rng(0), pd.Timestamp("1990-01-01")
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(["time", *(f"wave {number}" for number in range(8))]) + "\n")
        while file.tell() < size:
            minutes = np.arange(100_000)
            table = {"time": (begin + pd.to_timedelta(minutes, "min")).astype(str)}
            for number in range(8):
                wave = 20 + 10 * np.sin(minutes / (200 + 17 * number)) + random.normal(size=len(minutes))
                table[f"wave {number}"] = np.round(wave, 3)
            pd.DataFrame(table).to_csv(file, index=False, header=False)
            begin += pd.Timedelta(len(minutes), "min")
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))


def first_step(name: str, path: str, tokens: str) -> None:
    """One step of a small network; prints the processor seconds and the peak in bytes."""
    from elman.training.checks.data_digest import digest
    from elman.training.optim import build_optimizer, clip

    package = import_module(f"elman.tasks.{name}")
    data = (path,) if name == "language" else path
    more = {} if name == "forecasting" else {"tokens": tokens}
    task = package.Task.new(package.Settings(data=data, hidden_size=128, **more))
    task.understood()
    task.prepare()
    digest(task.learned_from())
    settings = task.settings
    model = task.build_model()
    optimizer = build_optimizer(model, settings)
    loss = task.loss(model, task.batch(0, 0, 1), ())
    (loss.total / loss.count).backward()
    clip(list(model.parameters()), settings)
    optimizer.step()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def measured(name: str, path: Path, tokens: str, cache: Path) -> tuple[float, float, int]:
    """Seconds, processor seconds and peak bytes of a process that takes the first step."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--first-step", name, str(path), tokens]
    environment = os.environ | {"ELMAN_CACHE": str(cache)}
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    processor, peak = out.split()
    return time.perf_counter() - start, float(processor), int(peak)


def run(name: str, gigabytes: list[float], kinds: list[str], text: str, folder: Path | None) -> None:
    """Measure each size with each kind of tokens, and print the table."""
    from layer import processor  # not at the top: the process that is timed would import it

    title = f"the task {name}: to the end of the first training step\n{processor()}, {os.cpu_count()} processors"
    table = Table(title=title, title_justify="left")
    for column in ("file", "tokens", "time", "seconds", "processor seconds", "peak MB"):
        table.add_column(column, justify="left" if column in ("tokens", "time") else "right")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=2 * len(gigabytes) * len(kinds))
        for size, tokens in itertools.product(gigabytes, kinds):
            with tempfile.TemporaryDirectory(dir=folder) as place:
                path, cache = Path(place) / ("text.txt" if name == "language" else "table.csv"), Path(place) / "cache"
                progress.update(task, description=f"writing {size:g} GB")
                if name == "forecasting":
                    make_series(path, int(size * 1e9))
                else:
                    (make_text if name == "language" else make_table)(path, int(size * 1e9), text)
                time.sleep(2.1)  # a file that changed a moment ago is not remembered
                for which in ("first", "second"):
                    progress.update(task, description=f"{size:g} GB, {tokens}, {which} time")
                    wall, processor_seconds, peak = measured(name, path, tokens, cache)
                    row = (f"{wall:.1f}", f"{processor_seconds:.1f}", f"{peak / 1e6:.0f}")
                    table.add_row(f"{size:g} GB", tokens, which, *row)
                    progress.advance(task)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="language", choices=("language", "sentiment", "forecasting"))
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.3, 3.0])
    parser.add_argument("--tokens", nargs="+", default=["characters"], choices=("characters", "words", "bpe"))
    parser.add_argument("--text", help="what is repeated: a dataset (shakespeare; imdb), `builtin`, or a file")
    parser.add_argument("--folder", type=Path, help="where the file and the cache are to lie for a while")
    parser.add_argument("--first-step", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.first_step:
        first_step(*arguments.first_step)
        return
    try:
        if arguments.task == "forecasting":
            arguments.tokens = ["numbers"]
        text = arguments.text or ("shakespeare" if arguments.task == "language" else "imdb")
        run(arguments.task, arguments.gigabytes, arguments.tokens, text, arguments.folder)
    except UserError as error:
        print(f"scale.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
