"""One recurrence, several backends: modules with the same two functions, `forward` and `backward`.

`reference` is the equations in plain torch, the specification of the others. Which backend runs is decided in
`selection`, from `RecurrenceOptions`, a device and a dtype.
"""

import os

import torch

from elman.kernels.options import Gradients, Needs, RecurrenceInputs, RecurrenceOptions
from elman.kernels.selection import describe_backends, describe_choices, make_stack, register_backend, select_backend

__all__ = [
    "Gradients",
    "Needs",
    "RecurrenceInputs",
    "RecurrenceOptions",
    "describe_backends",
    "describe_choices",
    "make_stack",
    "register_backend",
    "select_backend",
]


def _run_on_one_thread() -> None:
    """In a forked child, which has none of its parent's threads and would wait for them for ever."""
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_run_on_one_thread)
