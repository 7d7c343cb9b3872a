"""elman: recurrent networks, fast and transparent.

The names below are imported when they are first used, so that `import elman` and the command line start at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from elman.errors import UserError
    from elman.nn import RNN, RNNCell
    from elman.nn.convert import accelerate, restore
    from elman.ops import recurrence
    from elman.run import load, train

_HOMES = {
    "RNN": "elman.nn",
    "RNNCell": "elman.nn",
    "recurrence": "elman.ops",
    "UserError": "elman.errors",
    "accelerate": "elman.nn.convert",
    "restore": "elman.nn.convert",
    "load": "elman.run",
    "train": "elman.run",
}

__all__ = ["RNN", "RNNCell", "UserError", "__version__", "accelerate", "load", "recurrence", "restore", "train"]


def __getattr__(name: str) -> Any:
    if name == "nn":
        return import_module("elman.nn")
    if name not in _HOMES:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "nn"})
