"""Starting several processes by torchrun, and their command lines."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
TWO = (*TORCHRUN, "--standalone", "--nproc-per-node=2")
ELMAN = ("-m", "elman", "train", "language")
PATIENCE = 300.0
"""Seconds that a machine busy with other work may take for a training of seconds."""
TEXT = "one for sorrow, two for joy,\nthree for a girl, four for a boy.\n" * 60
# no --device: what torchrun starts with the settings that a user leaves alone
SETTINGS = (
    "--chunk 16 --hidden-size 16 --embedding-size 8 --log-every 5 --threads 1 --eval-every 10 --checkpoint-every 10"
).split()


def environment() -> dict[str, str]:
    """This process's, without what a launcher may have left in it."""
    left = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}
    return {name: value for name, value in os.environ.items() if name not in left} | {"OMP_NUM_THREADS": "1"}


def start(command: Sequence[str | Path], folder: Path) -> subprocess.Popen[str]:
    """Start a command that Ctrl-C reaches, also where pytest runs in the background."""
    return subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # type: ignore[func-returns-value]
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code and what was said on standard error; nothing of it stays behind."""
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        for one in reversed(below(process.pid)):  # workers have sessions of their own
            os.kill(one, signal.SIGKILL)
        raise
    return process.returncode, errors


def below(process: int) -> list[int]:
    """A process and all that it has started, itself first."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # ended meanwhile
        return []
    return [process, *(one for child in children for one in below(int(child)))]


def run(command: Sequence[str | Path], folder: Path) -> str:
    """What a command that ends well says on standard error."""
    code, errors = end(start(command, folder))
    assert code == 0, errors
    return errors


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a training has made a file."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, end(process)
        assert time.monotonic() < deadline
        time.sleep(0.005)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def own_lines(errors: str) -> list[str]:
    """What elman said, beside what a launcher says."""
    return [line for line in errors.splitlines() if line.startswith("elman: ")]
