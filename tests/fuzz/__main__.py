"""The long form: `python -m tests.fuzz`, which `make fuzz` calls; many files for each reader and each run, and a table.

Each target has a process of its own with 4 GiB of memory; what takes longer than 10 seconds is stopped and counted.
"""

from __future__ import annotations

import argparse
import ast
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.judging import RUN, target_names

PATIENCE = 10.0
"""Seconds that one file may take."""
START = 120.0
"""Seconds that a process may take to begin."""


class Score:
    """What became of the files of one target."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.peak = 0
        self.found: dict[str, int] = {}

    def add(self, kind: str, seed: int, why: str = "") -> None:
        """Count one; keep the first seed of each fault."""
        self.counts[kind] += 1
        if why:
            self.found.setdefault(why, seed)


def fuzz(name: str, first: int, count: int, keep: Path, until: float) -> Score:
    """Put `count` files to a target, in as many processes as it takes."""
    score = Score()
    seed, end = first, first + count
    while seed < end and time.monotonic() < until:
        command = [sys.executable, "-m", "tests.fuzz.worker", name, str(seed), str(end - seed), str(keep)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RUST_BACKTRACE": "0"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        ) as process:
            seed = _follow(process, score, seed, until)
    return score


def _follow(process: subprocess.Popen[str], score: Score, seed: int, until: float) -> int:
    """Read what a process says until it ends or stands still; the seed to go on with."""
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    stdout = process.stdout
    threading.Thread(target=lambda: [lines.put(line) for line in [*stdout, ""]] and None, daemon=True).start()
    patience, begun = START, False
    while True:
        try:
            line = lines.get(timeout=patience)
        except queue.Empty:
            process.kill()
            score.add("hang", seed, "hang" if begun else "does not begin")
            return seed + 1
        word, _, rest = line.strip().partition(" ")
        if word == "begin":
            seed, patience, begun = int(rest), PATIENCE, True
        elif word == "end":
            _, peak, said = rest.split(" ", 2)
            score.peak = max(score.peak, int(peak))
            kind, why = (said, "") if said in ("read", "refused") else ("traceback", _last_lines(said))
            score.add(kind, seed, why)
            seed, begun = seed + 1, False
            if time.monotonic() > until:
                process.kill()
                return seed
        elif not line:  # the process has ended
            if process.wait() and begun:
                score.add("crash", seed, f"exit code {process.returncode}")
                return seed + 1
            return seed if process.returncode == 0 else seed + 1


def _last_lines(said: str) -> str:
    lines = str(ast.literal_eval(said)).strip().splitlines()
    ours = [line.strip() for line in lines if "/src/elman/" in line and line.lstrip().startswith("File")]
    place = ours[-1] if ours else ""
    return f"{lines[-1][:150]} at {place[-90:]}"


def main() -> None:
    """Read the command line, run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=int(os.environ.get("FUZZ_COUNT", "200")), help="files a target")
    parser.add_argument("--first", type=int, default=int(os.environ.get("FUZZ_FIRST", "0")), help="the first seed")
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("FUZZ_MINUTES", "60")), help="in all")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where files that fail are kept")
    parser.add_argument("targets", nargs="*", help="beginnings of names, all for none: sound, picture, run")
    asked = parser.parse_args()
    chosen = [name for name in target_names() if not asked.targets or name.startswith(tuple(asked.targets))]
    until = time.monotonic() + 60 * asked.minutes
    kinds = ("refused", "read", "traceback", "hang", "crash")
    totals = {RUN: Counter[str](), "": Counter[str]()}
    print(f"{'target':34} {'files':>8} " + " ".join(f"{kind:>9}" for kind in kinds) + f" {'peak MiB':>9}", flush=True)
    for number, name in enumerate(chosen):
        share = (until - time.monotonic()) / (len(chosen) - number)
        score = fuzz(name, asked.first, asked.count, asked.keep, time.monotonic() + share)
        _print(name, score.counts, kinds, str(score.peak // 1024))
        for why, seed in score.found.items():
            print(f"    seed {seed}: {why}", flush=True)
        totals[RUN if name.startswith(RUN) else ""] += score.counts
    for what, counts in (("all readers", totals[""]), ("all runs", totals[RUN])):
        _print(what, counts, kinds, "")
    faults = sum(counts[kind] for counts in totals.values() for kind in kinds[2:])
    sys.exit(1 if faults else 0)


def _print(name: str, counts: Counter[str], kinds: tuple[str, ...], peak: str) -> None:
    cells = " ".join(f"{counts[kind]:>9,}" for kind in kinds)
    print(f"{name:34} {sum(counts.values()):>8,} {cells} {peak:>9}", flush=True)


if __name__ == "__main__":
    main()
