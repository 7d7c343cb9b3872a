"""Run on one processor thread what is made of many small products."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Leave torch one thread while the block, or the decorated function, runs.

    Threads that wait for one another after every product of a matrix with a vector or two win little on an idle
    machine, and on a busy one lose all: each wait lasts as long as another program has the processor.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
