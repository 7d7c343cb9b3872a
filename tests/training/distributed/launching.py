"""Starting several processes by torchrun, and their command lines.

`start` starts a command as a user does. `start_forked` runs the same launcher, whose command line begins as torchrun's
does, in a process that has imported all, and lets it fork its workers: 15 processor seconds of imports less.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.forking import Forked, reset_signals, run_elman

Launcher = subprocess.Popen[str] | Forked
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
TWO = ("--standalone", "--nproc-per-node=2")
ELMAN = ("-m", "elman", "train", "language")
CLONE_NEWNET = 0x40000000
PATIENCE = 300.0
"""Seconds that a machine busy with other work may take for a training of seconds."""
TEXT = "one for sorrow, two for joy,\nthree for a girl, four for a boy.\n" * 60
# no --device: what torchrun starts with the settings that a user leaves alone
SETTINGS = (
    "--chunk 16 --hidden-size 16 --embedding-size 8 --log-every 5 --threads 1 --eval-every 10 --checkpoint-every 10"
).split()
PARTS = ("--batch-size", "8", "--gradient-accumulation-steps", "2")
TRAIN = (*ELMAN, "--data", "rhyme.txt", "--out", "run", *SETTINGS, *PARTS, "--dropout", "0.2", "--steps", "300")
"""A training that is long enough to be stopped before its end."""


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


def start_forked(words: Sequence[str | Path], folder: Path, namespace: str = "", **more: str) -> Forked:
    """`torchrun WORDS`, whose workers are forked."""
    called = (torchrun_in, namespace) if namespace else (torchrun,)
    return Forked(*called, *map(str, words), folder=folder, environment=environment() | more)  # type: ignore[arg-type]


def torchrun(*words: str) -> None:
    """What the command torchrun does, but for how it starts its workers."""
    from torch.distributed import run

    launch = run.elastic_launch
    run.elastic_launch = lambda config, entrypoint: launch(replace(config, start_method="fork"), work)
    run.main(words)


def torchrun_in(namespace: str, *words: str) -> None:
    """The same in a network namespace, as by `ip netns exec`."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    torchrun(*words)


def work(*words: str) -> None:
    """What `python WORDS` does that torchrun would start: `-u -m elman ...` or `-u FILE ...`."""
    reset_signals()
    place(os.environ["RANK"]).write_text(str(os.getpid()))
    if words[1:3] == ELMAN[:2]:
        run_elman(*words[3:])
    else:
        sys.argv = list(words[1:])
        runpy.run_path(words[1], run_name="__main__")


def place(rank: int | str, folder: Path = Path()) -> Path:
    """The file with the process number of a forked worker."""
    return folder / f"worker-{rank}.pid"


def end(process: Launcher) -> tuple[int, str]:
    """The exit code and what was said on standard error; nothing of it stays behind."""
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        for one in reversed(below(process.pid)):  # workers have sessions of their own
            os.kill(one, signal.SIGKILL)
        raise
    assert process.returncode is not None
    return process.returncode, errors


def below(process: int) -> list[int]:
    """A process and all that it has started, itself first."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # ended meanwhile
        return []
    return [process, *(one for child in children for one in below(int(child)))]


def run(process: Launcher) -> str:
    """What a process that ends well says on standard error."""
    code, errors = end(process)
    assert code == 0, errors
    return errors


def wait_for(path: Path, process: Launcher, after: int = 0) -> None:
    """Wait until a training has made a file, or made it again `after` a time in nanoseconds."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists() or path.stat().st_mtime_ns <= after:
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
