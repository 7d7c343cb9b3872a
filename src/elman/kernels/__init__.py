"""One recurrence, several backends: modules with the same two functions, `forward` and `backward`.

`reference` is the equations in plain torch, the specification of the others. Which backend runs is decided in
`selection`, from `RecurrenceOptions`, a device and a dtype.
"""

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
