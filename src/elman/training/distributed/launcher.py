"""What a launcher of several processes (torchrun, `accelerate launch`) says in the environment. Imports no torch."""

from __future__ import annotations

import os
import time

from elman.errors import UserError

LONGEST_WAIT = 5.0
"""Seconds; a launcher ends the wait sooner."""


class ProcessError(UserError):
    """What one of several processes alone met: it says so wherever it runs, for the others cannot know."""


class LostProcessError(UserError):
    """Another process has ended, and the others cannot go on without it."""


def number_of_processes() -> int:
    """How many processes train together."""
    return _number("WORLD_SIZE", 1)


def first_of_machine() -> bool:
    """Whether this is the process of its machine that speaks for all of them."""
    return _number("LOCAL_RANK", 0) == 0


def let_the_first_speak() -> None:
    """Wait a while: a launcher ends all processes when the first of them ends, be it the one that has yet to speak."""
    time.sleep(LONGEST_WAIT)


def restarts() -> bool:
    """Whether the launcher starts processes that have failed again, by the same command (torchrun's max-restarts)."""
    return _number("TORCHELASTIC_MAX_RESTARTS", 0) > 0


def one_in_place_of_several() -> bool:
    """Whether `accelerate launch` was asked for several processes on processors: without MPI it starts only one."""
    launched = {"MASTER_ADDR", "ACCELERATE_MIXED_PRECISION"} <= os.environ.keys()
    by_mpi = any(name.startswith(("OMPI_", "PMI_", "MV2_")) for name in os.environ)
    return launched and "WORLD_SIZE" not in os.environ and not by_mpi


def _number(name: str, otherwise: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else otherwise
