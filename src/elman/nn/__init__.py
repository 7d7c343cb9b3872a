"""The layer: `RNN` and `RNNCell`, which take the place of torch's, and initialisers.

The names are imported when first used, so that the names of cells (`elman.nn.registry`) do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elman.nn import init, parametrizations, penalties
    from elman.nn.cell import RNNCell
    from elman.nn.ctrnn import CTRNN
    from elman.nn.linear_cross_entropy import LinearCrossEntropy
    from elman.nn.registry import CellKind, Gate, StepMap, cell_kind, cell_names, kind_of, register_cell
    from elman.nn.reservoir.layer import Reservoir
    from elman.nn.rnn import RNN
    from elman.nn.stack import Stack, stack
    from elman.nn.streaming import pack_for_steps

_HOMES = {
    "LinearCrossEntropy": "elman.nn.linear_cross_entropy",
    "CTRNN": "elman.nn.ctrnn",
    "RNN": "elman.nn.rnn",
    "Reservoir": "elman.nn.reservoir.layer",
    "Stack": "elman.nn.stack",
    "stack": "elman.nn.stack",
    "RNNCell": "elman.nn.cell",
    "pack_for_steps": "elman.nn.streaming",
    "CellKind": "elman.nn.registry",
    "Gate": "elman.nn.registry",
    "StepMap": "elman.nn.registry",
    "cell_kind": "elman.nn.registry",
    "cell_names": "elman.nn.registry",
    "kind_of": "elman.nn.registry",
    "register_cell": "elman.nn.registry",
}

_MODULES = ("init", "parametrizations", "penalties")

__all__ = [
    "CTRNN",
    "RNN",
    "CellKind",
    "Gate",
    "LinearCrossEntropy",
    "RNNCell",
    "Reservoir",
    "Stack",
    "StepMap",
    "cell_kind",
    "cell_names",
    "init",
    "kind_of",
    "pack_for_steps",
    "parametrizations",
    "penalties",
    "register_cell",
    "stack",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"elman.nn.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'elman.nn' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
