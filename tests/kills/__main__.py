"""`python -m tests.kills`: trainings of every task are killed at random moments, resumed, and compared.

Every case is trained once undisturbed; what a killed and resumed one has must be equal to the bit. Exit code 1 where
something differs, hangs or is left behind.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.kills.cases import Case, make_cases
from tests.kills.harness import (
    Faults,
    compare,
    contents,
    kill_and_resume,
    kill_at,
    start_two,
    train_undisturbed,
)

MOMENTS = ("first", "writing", "time", "writing", "file", "writing")


def main() -> None:
    """Parse, kill, show."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="how many, over all cases and moments")
    parser.add_argument("--pairs", type=int, default=100, help="how many pairs are started together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long, and say how far it came")
    parser.add_argument("--cases", nargs="*", help="all by default")
    parser.add_argument("--plots", action="store_true", help="draw the plots at the end of every training too")
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="kills-"))
    os.chdir(place)
    try:
        session = Session(given.seed, time.monotonic() + 60 * given.minutes, plots=given.plots)
        cases = make_cases(Path())
        for name in given.cases or cases:
            session.prepare(cases[name])
        session.kill(given.kills)
        session.pairs(given.pairs)
        session.show()
    finally:
        os.chdir("/")
        shutil.rmtree(place)
    sys.exit(bool(session.faults))


class Session:
    """Cases with what an undisturbed training of each is, and counts of what was done to them."""

    def __init__(self, seed: int, end: float, *, plots: bool) -> None:
        self.chance = random.Random(seed)
        self.end = end
        self.plots = plots
        self.cases: list[Case] = []
        self.whole: dict[str, dict[str, object]] = {}
        self.seconds: dict[str, float] = {}
        self.changes: dict[str, tuple[int, int]] = {}
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.log = Path("log.txt").absolute()

    def prepare(self, case: Case) -> None:
        """Train a case undisturbed, and import what that imports, so that the forks need not."""
        out = Path("whole").absolute()
        self.seconds[case.name], self.changes[case.name], modules = train_undisturbed(
            case, out, self.log, plots=self.plots
        )
        for name in modules:
            if name not in sys.modules and not name.startswith(("__", "tests")):
                try:
                    importlib.import_module(name)
                except Exception:
                    continue
        self.whole[case.name] = contents(case, out, self.log)
        shutil.rmtree(out)
        self.cases.append(case)

    def kill(self, kills: int) -> None:
        """Kill trainings, the cases in turn, half of them while a file is written."""
        turn = 0
        while self.counts["kills"] < kills and time.monotonic() < self.end:
            case, moment = self.cases[turn % len(self.cases)], MOMENTS[turn // len(self.cases) % len(MOMENTS)]
            turn += 1
            out = Path(f"killed-{turn}").absolute()
            how = {"seconds": self.seconds[case.name], "changes": self.changes[case.name], "plots": self.plots}
            try:
                done, writing = kill_and_resume(case, out, self.log, moment, self.chance, **how)  # type: ignore[arg-type]
                self.counts["kills"] += done
                self.counts[f"kills at the moment {moment!r}"] += done
                self.counts["kills that left a half-written file"] += writing
                compare(contents(case, out, self.log), self.whole[case.name])
                self.counts["trainings"] += 1
            except Faults as fault:
                self._note(f"{case.name}, {moment}, turn {turn}: {fault}")
            shutil.rmtree(out, ignore_errors=True)

    def pairs(self, pairs: int) -> None:
        """Start two trainings together on one folder, or two resumptions of one that was killed."""
        logs = self.log.with_suffix(".one"), self.log.with_suffix(".other")
        for turn in range(pairs):
            if time.monotonic() > self.end:
                break
            case, out = self.cases[turn % len(self.cases)], Path(f"pair-{turn}").absolute()
            try:
                if turn % 2:
                    kill_at(case, out, self.log, 0.7 * self.seconds[case.name], plots=False)
                self._note_pair(start_two(case, out, logs), [log.read_text() for log in logs], resumed=bool(turn % 2))
                compare(contents(case, out, self.log), self.whole[case.name])
                self.counts["pairs"] += 1
            except Faults as fault:
                self._note(f"{case.name}, pair {turn}: {fault}")
            shutil.rmtree(out, ignore_errors=True)

    def _note_pair(self, codes: tuple[int, int], said: list[str], *, resumed: bool) -> None:
        if codes == (0, 0) and resumed:  # the second came when the first had ended: it had nothing to do
            self.counts["pairs of which the second resumed a run that was complete"] += 1
        elif sorted(codes) != [0, 2]:
            raise Faults(f"a pair ends with {codes}: {said}")
        elif not any(words in text for text in said for words in ("in use by process", "holds a run already")):
            raise Faults(f"the second is not told who holds the folder: {said}")

    def _note(self, fault: str) -> None:
        self.faults.append(fault)
        print("FAULT", fault, flush=True)

    def show(self) -> None:
        """The counts, one a line."""
        for name, count in self.counts.items():
            print(f"{count:6} {name}")
        print(f"{len(self.faults):6} faults, over {len(self.cases)} cases")


if __name__ == "__main__":
    main()
