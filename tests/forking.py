"""Commands as processes that need not import: a server, which imports everything once, forks them.

To import what `elman train` needs takes some seconds of a processor, hundreds of times what a test's training takes.
A forked process has an environment, a folder, signals and an exit code of its own, as one that was started by a shell;
that it computes on one thread is all that differs. Tests of what happens before the imports start `python -m elman`.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORTED = (
    "torch._dynamo torch.distributed.run accelerate matplotlib.pyplot pytest cyclopts rich starlette uvicorn "
    "websockets elman.cli.train elman.cli.serve elman.training.loop elman.training.monitoring.loss_curve "
    "elman.plotting.style elman.tasks.language elman.tasks.sentiment elman.tasks.memory elman.web.service.serving "
    "tests.forking"
).split()
"""What the server imports; what is not installed is left out."""


class Forked:
    """A process that was forked, with the part of `subprocess.Popen` that tests ask for; its output is dropped."""

    def __init__(
        self, work: Callable[..., None], *given: object, folder: Path, environment: Mapping[str, str] = os.environ
    ) -> None:
        context = _context()
        errors, theirs = context.Pipe(duplex=False)
        self._errors, self._rest = errors, b""
        self._process = context.Process(target=_begin, args=(work, given, folder, dict(environment), theirs))
        self._process.start()
        theirs.close()
        assert self._process.pid
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal, None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same, for whom a Popen might do as well."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.send_signal(signal.SIGKILL)

    def lines(self) -> Iterator[str]:
        """What it says on standard error, line by line, while it runs."""
        while True:
            line, end, self._rest = self._rest.partition(b"\n")
            if end:
                yield (line + end).decode()
            elif more := os.read(self._errors.fileno(), 1 << 16):
                self._rest = line + more
            else:
                return

    def communicate(self, timeout: float) -> tuple[None, str]:
        """Wait for its end; what it has said meanwhile stands second, as a Popen's standard error does."""
        deadline = time.monotonic() + timeout
        while select.select([self._errors], [], [], max(0, deadline - time.monotonic()))[0]:
            more = os.read(self._errors.fileno(), 1 << 16)
            self._rest += more
            if not more:
                break
        self._process.join(max(0.1, deadline - time.monotonic()))
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        said, self._rest = self._rest.decode(), b""
        return None, said


def fork_elman(*words: str | Path, folder: Path, **environment: str) -> Forked:
    """Start `elman WORDS` in a folder."""
    return Forked(run_elman, *map(str, words), folder=folder, environment=os.environ | environment)


def run_elman(*words: str) -> None:
    """What `python -m elman` does in a process of its own."""
    from elman.__main__ import main

    sys.argv = ["elman", *words]
    main()


def reset_signals() -> None:
    """As a command finds them that a shell has started: Ctrl-C is an exception, and the others end the process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _begin(
    work: Callable[..., None], given: tuple[object, ...], folder: Path, environment: dict[str, str], errors: Connection
) -> None:
    os.setsid()
    reset_signals()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    errors.close()
    # the server's think that they write to its files
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace", buffering=1)
    work(*given)


def _context() -> multiprocessing.context.ForkServerContext:
    """Of a server that finds the packages of the tests; it runs from the first process on to the end of the tests."""
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context
