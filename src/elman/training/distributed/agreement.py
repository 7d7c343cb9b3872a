"""Several processes go on together or stop together, and one of them says why. W processes."""

from __future__ import annotations

import hashlib
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from elman.errors import UserError
from elman.training.checks.data_digest import digest
from elman.training.distributed.launcher import LostProcessError, ProcessError
from elman.training.distributed.processes import each_text
from elman.training.run_state import NotFiniteError
from elman.training.task import Task

_LOST = ("gloo", "connection closed", "connection reset", "nccl", "broken pipe", "socket")
"""What stands in the errors of a collective operation whose other side has gone."""
log = logging.getLogger("elman")


@contextmanager
def agreed(accelerator: Accelerator) -> Iterator[None]:
    """Go on where no process met a UserError inside, and raise one in every process where any did.

    Raises:
        UserError: the process's own, or that of the first that has one, with its number and machine.
    """
    if accelerator.num_processes == 1:
        yield
        return
    own: UserError | None = None
    try:
        yield
    except UserError as error:
        own = error
    met = [text for text in each_text(f"{_name(accelerator)}: {own}" if own else "", accelerator) if text]
    if own is not None:
        raise own
    if met:
        raise UserError(met[0])


@contextmanager
def naming_the_process(accelerator: Accelerator) -> Iterator[None]:
    """Let a UserError of one process, of which the others do not know, say whose it is.

    Raises:
        ProcessError: such an error of a process that is not the first.
    """
    try:
        yield
    except NotFiniteError:  # of all processes alike
        raise
    except UserError as error:
        if accelerator.is_main_process:
            raise
        raise ProcessError(f"{_name(accelerator)}: {error}") from error


@contextmanager
def noticing_lost_processes(accelerator: Accelerator) -> Iterator[None]:
    """Say in one line that another process has ended, where a collective operation fails for it.

    Raises:
        LostProcessError: that it has.
    """
    try:
        yield
    except RuntimeError as error:
        if accelerator.num_processes == 1 or not any(word in str(error).lower() for word in _LOST):
            raise
        raise LostProcessError(
            "another of the processes has ended, and training cannot go on without it; what it said itself, or the"
            " launcher, says why; `resume` goes on from the last checkpoint"
        ) from error


def _name(accelerator: Accelerator) -> str:
    return f"process {accelerator.process_index} on {socket.gethostname()}"


@contextmanager
def first_alone_speaks(accelerator: Accelerator) -> Iterator[None]:
    """Keep the notes of all processes but the first to themselves."""
    before = log.level
    if not accelerator.is_main_process:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def prepare_others(task: Task[Any], folder: Path, accelerator: Accelerator) -> None:
    """Let the processes that are not the first read their data, and compare them with those of the first.

    Arguments:
        folder: the run's, which the first process has made.

    Raises:
        UserError: a process has other data.
    """
    with agreed(accelerator):
        if not accelerator.is_main_process:
            task.prepare()
    own = hashlib.sha256(str(digest(task.learned_from())).encode()).hexdigest()
    each = each_text(f"{own} {'' if folder.is_dir() else socket.gethostname()}", accelerator)
    for number, one in enumerate(each):
        if one.split(" ")[0] != own:
            raise UserError(
                f"process {number} and process {accelerator.process_index} have read different data; give every"
                " machine the same files, or a disk that all of them see"
            )
    if blind := next(filter(None, (one.split(" ")[1] for one in each)), ""):
        log.warning(
            "%s does not see %s: this training runs, but it can neither be resumed nor restarted; put `out` on a disk"
            " that all machines see",
            blind,
            folder,
        )
