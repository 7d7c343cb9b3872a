"""A process of its own for targets: `python -m tests.fuzz.worker FIRST COUNT KEEP TARGET...`, which take turns.

It says which seed it begins with, and what became of it, a line each; whoever started it sees a crash or a hang.
"""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path
from random import Random

from tests.fuzz.judging import MEMORY, TRACEBACK, attempt, is_run


def main(first: int, count: int, keep: Path, *names: str) -> None:
    """Put files with the seeds from `first` on to the targets in turn."""
    logging.getLogger("elman").setLevel(logging.CRITICAL)
    if is_run(names[0]):
        import torch

        torch.set_num_threads(1)
        attempt(names[0], Random("warm"))
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))  # torch itself maps several GiB
    for seed in range(first, first + count):
        name = names[seed % len(names)]
        print(f"begin {seed}", flush=True)
        said = attempt(name, Random(f"{name} {seed}"), keep / f"{name.replace(' ', '-')}-{seed}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"end {seed} {peak} {said if not said.startswith(TRACEBACK) else repr(said)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
