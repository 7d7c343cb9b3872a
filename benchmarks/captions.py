"""Pictures a second from files to captions: each stage alone, all at once, and the whole command with its start.

Run: python benchmarks/captions.py runs/captions   (a run of elman train captioning; Flickr8k's pictures in ELMAN_DATA)
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from elman.data.datasets.cache import cache_folder, fetch
from elman.data.image.dataset import FLICKR8K
from elman.data.image.io import picture_files, read_picture
from elman.errors import UserError
from elman.models.captioner import Captioner
from elman.models.image_features import BATCH, READERS, WEIGHTS
from elman.models.squeezenet import load_squeezenet
from elman.run import load
from elman.tasks.captioning.settings import Options
from elman.tasks.captioning.steps import caption
from elman.tasks.captioning.task import Task


class Taken(NamedTuple):
    """Seconds of the clock, and of all processors together."""

    wall: float
    processor: float


def taken(work: Callable[[], object], repeats: int) -> Taken:
    """The fastest of several tries, in this process and those that it starts."""

    def processor() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    tries = []
    for _ in range(repeats):
        wall, before = time.perf_counter(), processor()
        work()
        tries.append(Taken(time.perf_counter() - wall, processor() - before))
    return min(tries)


def new_pictures(folder: Path | None, count: int) -> list[Path]:
    """The first pictures of a folder, or the development pictures of Flickr8k that are in the cache."""
    if folder is not None:
        return picture_files([folder])[:count]
    names = (cache_folder() / FLICKR8K / "Flickr_8k.devImages.txt").read_text().split()
    files = [path for name in names if (path := cache_folder() / FLICKR8K / "images" / name).is_file()]
    if not files:
        raise UserError("Flickr8k's pictures are not in the cache; name a folder with --pictures")
    return files[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pictures", type=Path, help="a folder; Flickr8k's development pictures otherwise")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3, help="the fastest counts")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    run, files = load(arguments.run), new_pictures(arguments.pictures, arguments.count)
    task, model = run.task, run.model
    assert isinstance(task, Task)
    assert isinstance(model, Captioner)
    eye = load_squeezenet(fetch("squeezenet") / WEIGHTS)

    def read() -> torch.Tensor:
        with ThreadPoolExecutor(READERS) as readers:
            return torch.from_numpy(np.stack(list(readers.map(read_picture, files))))

    def see(pictures: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([eye(some) for some in pictures.split(BATCH)])

    pictures = read()
    vectors = see(pictures)
    command = [sys.executable, "-m", "elman", "predict", str(arguments.run)]
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file.name).symlink_to(file.resolve())
        stages = {
            "reading": lambda: read(),
            "seeing": lambda: see(pictures),
            f"writing, beam {task.settings.beam}": lambda: caption(model, vectors, task.vocabulary, task.decoding, 1),
            "all of it, in one process": lambda: run.predict([folder], Options()),
            "elman predict, start included": lambda: subprocess.run(
                [*command, folder], check=True, stdout=subprocess.DEVNULL
            ),
        }
        table = Table("stage", "seconds", "of processor", "pictures a second")
        for name, work in stages.items():
            wall, processor = taken(work, arguments.repeats)
            table.add_row(name, f"{wall:.2f}", f"{processor:.2f}", f"{len(files) / wall:,.0f}")
    console = Console()
    threads = f"{arguments.threads} threads of torch (the command: as many as it takes), {READERS} readers"
    console.print(f"{arguments.run}: {len(files):,} pictures, {threads}")
    console.print(table)


if __name__ == "__main__":
    main()
