"""A process of its own for one target: `python -m tests.fuzz.worker TARGET FIRST COUNT KEEP`.

It says which seed it begins with, and what became of it, a line each; whoever started it sees a crash or a hang.
"""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path
from random import Random

from tests.fuzz.judging import RUN, TRACEBACK, attempt

MEMORY = 4 << 30


def main(name: str, first: int, count: int, keep: Path) -> None:
    """Put files with the seeds from `first` on to a target."""
    logging.getLogger("elman").setLevel(logging.CRITICAL)
    if name.startswith(RUN):
        import torch

        torch.set_num_threads(1)
        attempt(name, Random("warm"))
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))  # torch itself maps several GiB
    for seed in range(first, first + count):
        print(f"begin {seed}", flush=True)
        said = attempt(name, Random(f"{name} {seed}"), keep / f"{name.replace(' ', '-')}-{seed}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"end {seed} {peak} {said if not said.startswith(TRACEBACK) else repr(said)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
