"""Prediction without torch: a trained run by numpy and the native library alone.

    from elman.runtime import load
    model = load("runs/moods")
    model.predict("a fine film")

It imports nothing of elman but `errors` and `atomic_io`: the small distribution elman-runtime is built of it. numpy is
imported with the first run that is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from elman.runtime.model import Model

__all__ = ["Model", "load"]


def load(path: str | Path) -> Model:
    """A trained run by its folder, with its best weights.

    Raises:
        UserError: no run there, files that are damaged or do not fit, or a task or cell that needs all of elman.
    """
    model: Model = import_module("elman.runtime.model").load(path)
    return model


def __getattr__(name: str) -> Any:
    if name != "Model":
        raise AttributeError(f"module 'elman.runtime' has no attribute {name!r}")
    return import_module("elman.runtime.model").Model
