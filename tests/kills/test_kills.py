"""A few kills; `make kills` has hundreds, over every task."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_killed_and_resumed_to_the_same_bits() -> None:
    """In a process of its own: the harness forks, which a process with threads should not."""
    command = [sys.executable, "-m", "tests.kills", "--kills", "9", "--pairs", "2", "--cases", "parity", "captioning"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {line.strip().partition(" ")[2]: int(line.split()[0]) for line in done.stdout.splitlines()}
    assert counts["kills"] >= 9
    assert counts["kills at the moment 'writing'"] >= 1
    assert counts["pairs"] == 2
    assert counts["faults, over 2 cases"] == 0
