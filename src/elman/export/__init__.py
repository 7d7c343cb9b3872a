"""A trained run taken elsewhere: one format a package, by name in `FORMATS`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from elman.errors import UserError

if TYPE_CHECKING:
    from elman.export.trained import Exported, Exporter, TrainedRun

__all__ = ["FORMATS", "export"]

FORMATS = {"onnx": "elman.export.onnx.write:write_onnx", "c": "elman.export.c.write:write_c"}
"""The formats, and the function of each: see `elman.export.trained.Exporter`."""


def export(run: TrainedRun, to: str, out: Path | None = None, precision: str = "float32") -> Exported:
    """Write a run in another format.

    Arguments:
        run: as `elman.load` gives it.
        to: one of `FORMATS`.
        out: the file; inside the run's folder if not given.
        precision: of the weights: see the format.

    Returns:
        the file, its size, and how far its numbers are from the run's.

    Raises:
        UserError: no such format or precision, or a run that has no form in it: says which part.
    """
    if to not in FORMATS:
        raise UserError(f"`to` is {to!r}; the formats are {', '.join(FORMATS)}")
    module, _, name = FORMATS[to].partition(":")
    function: Exporter = getattr(import_module(module), name)
    return function(run, out, precision)
