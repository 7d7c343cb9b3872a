"""elman: recurrent networks, fast and transparent.

The names below are imported when they are first used, so that `import elman` and the command line start at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from elman import data, export, insight, metrics, models, nn, plotting, tasks, training
    from elman.errors import MissingPackageError, UserError
    from elman.nn import RNN, RNNCell
    from elman.nn.convert import accelerate, restore
    from elman.ops import recurrence
    from elman.run import Run, load
    from elman.tasks import register_task
    from elman.training_run import train

_PACKAGES = ("data", "export", "insight", "metrics", "models", "nn", "plotting", "tasks", "training")
_HOMES = {
    "MissingPackageError": "elman.errors",
    "RNN": "elman.nn",
    "RNNCell": "elman.nn",
    "Run": "elman.run",
    "UserError": "elman.errors",
    "accelerate": "elman.nn.convert",
    "load": "elman.run",
    "recurrence": "elman.ops",
    "register_task": "elman.tasks",
    "restore": "elman.nn.convert",
    "train": "elman.training_run",
}

__all__ = [
    "RNN",
    "MissingPackageError",
    "RNNCell",
    "Run",
    "UserError",
    "__version__",
    "accelerate",
    "data",
    "export",
    "insight",
    "load",
    "metrics",
    "models",
    "nn",
    "plotting",
    "recurrence",
    "register_task",
    "restore",
    "tasks",
    "train",
    "training",
]


def __getattr__(name: str) -> Any:
    if name not in _PACKAGES and name not in _HOMES:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    try:
        home = import_module(_HOMES.get(name, f"elman.{name}"))
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("elman."):
            raise
        message = f"elman-runtime is installed, which has elman.runtime alone; pip install elman for elman.{name}"
        raise ImportError(message, name=error.name) from error
    if name in _PACKAGES:
        return home
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_PACKAGES})
