"""The long form: `python -m tests.fuzz`, which `make fuzz` calls; many files for each reader and each run, and a table.

Each reader has a process of its own, the runs one together, with 4 GiB of memory; what takes longer than 10 seconds is
stopped and counted.
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
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.judging import ATTACKED, RUN, is_run, target_names

PATIENCE = 10.0
"""Seconds of processor time that one file may take."""
LONGEST_WAIT = 120.0
"""Seconds that one file may take on a busy machine, and a process to begin."""
READERS = "reader"
"""What the targets are together that are no runs."""


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


def fuzz(names: list[str], first: int, count: int, keep: Path, until: float) -> dict[str, Score]:
    """Put `count` files to each of some targets, in as many processes as it takes."""
    scores = {name: Score() for name in names}
    seed, end = first, first + count * len(names)
    while seed < end and time.monotonic() < until:
        command = [sys.executable, "-m", "tests.fuzz.worker", str(seed), str(end - seed), str(keep), *names]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RUST_BACKTRACE": "0"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        ) as process:
            seed = _follow(process, lambda seed: scores[names[seed % len(names)]], seed, until)
    return scores


def _follow(process: subprocess.Popen[str], score: Callable[[int], Score], seed: int, until: float) -> int:
    """Read what a process says until it ends or stands still; the seed to go on with."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    begun, since, used = False, time.monotonic(), 0.0
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            busy = _seconds(process) - used if begun else 0.0
            over = time.monotonic() > until
            if not over and busy < PATIENCE and time.monotonic() - since < LONGEST_WAIT:
                continue
            process.kill()
            if over:
                return seed
            score(seed).add("hang", seed, "hang" if begun else "does not begin")
            return seed + 1
        word, _, rest = line.strip().partition(" ")
        if word == "begin":
            seed, begun, since, used = int(rest), True, time.monotonic(), _seconds(process)
        elif word == "end":
            _, peak, said = rest.split(" ", 2)
            score(seed).peak = max(score(seed).peak, int(peak))
            kind, why = (said, "") if said in ("read", "refused") else ("traceback", _last_lines(said))
            score(seed).add(kind, seed, why)
            seed, begun, since = seed + 1, False, time.monotonic()
            if time.monotonic() > until:
                process.kill()
                return seed
        elif not line:  # the process has ended
            if process.wait() and begun:
                score(seed).add("crash", seed, f"exit code {process.returncode}")
                return seed + 1
            return seed if process.returncode == 0 else seed + 1


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    """Hand on what a process says, line by line as it comes, and an empty text at its end."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


def _seconds(process: subprocess.Popen[str]) -> float:
    """The processor time that a process has used."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
    parser.add_argument("targets", nargs="*", help="beginnings of names, all for none: sound, picture, run, attacked")
    asked = parser.parse_args()
    chosen = [name for name in target_names() if not asked.targets or name.startswith(tuple(asked.targets))]
    until = time.monotonic() + 60 * asked.minutes
    kinds = ("refused", "read", "traceback", "hang", "crash")
    totals = {kind: Counter[str]() for kind in (READERS, RUN, ATTACKED)}
    print(f"{'target':34} {'files':>8} " + " ".join(f"{kind:>9}" for kind in kinds) + f" {'peak MiB':>9}", flush=True)
    together = [[name for name in chosen if name.startswith(kind)] for kind in (RUN, ATTACKED)]
    groups = [[name] for name in chosen if not is_run(name)] + [group for group in together if group]
    for number, group in enumerate(groups):
        share = (until - time.monotonic()) / (len(groups) - number)
        for name, score in fuzz(group, asked.first, asked.count, asked.keep, time.monotonic() + share).items():
            _print(name, score.counts, kinds, str(score.peak // 1024))
            for why, seed in score.found.items():
                print(f"    seed {seed}: {why}", flush=True)
            totals[next((kind for kind in (RUN, ATTACKED) if name.startswith(kind)), READERS)] += score.counts
    for what, counts in totals.items():
        _print(f"all: {what}", counts, kinds, "")
    faults = sum(counts[kind] for counts in totals.values() for kind in kinds[2:])
    sys.exit(1 if faults else 0)


def _print(name: str, counts: Counter[str], kinds: tuple[str, ...], peak: str) -> None:
    cells = " ".join(f"{counts[kind]:>9,}" for kind in kinds)
    print(f"{name:34} {sum(counts.values()):>8,} {cells} {peak:>9}", flush=True)


if __name__ == "__main__":
    main()
