"""`elman export RUN` in C: the program, how far it is from the run, what rounding costs, and both files."""

from __future__ import annotations

import copy
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from elman.atomic_io import write_text
from elman.errors import UserError
from elman.export.c.check import largest_difference
from elman.export.c.programs import write_program
from elman.export.c.source import PRECISIONS, checked_name, rounded
from elman.export.onnx.measure import check_loss, measured
from elman.export.trained import Exported, TrainedRun
from elman.runtime.model import Model, assembled, settings_of
from elman.runtime.recurrent import Weights
from elman.runtime.tensors import Floats

if TYPE_CHECKING:
    from torch import nn

SUFFIX = ".c"
MARK = "Made by `elman export`"
MOST_APART = 1e-4
"""By how much a program may differ from the run: absolutely below 1, relatively above."""
log = logging.getLogger("elman")


def write_c(run: TrainedRun, out: Path | None, precision: str) -> Exported:
    """Write a run as a C source, with its header beside it.

    Arguments:
        run: as `elman.load` gives it.
        out: the source, ending in .c, whose name all public names begin with; model.c inside the run's folder if not
            given.
        precision: float32; int8, which quarters the weights.

    Raises:
        UserError: a part of the run has no form in C; the precision loses too much; a file cannot be written.
    """
    if precision not in PRECISIONS:
        raise UserError(f"`precision` is {precision!r}; in C it is one of {', '.join(PRECISIONS)}")
    path = _place(run, out, precision)
    name = checked_name(path.stem)
    tensors, small = _tensors(run.model), precision == "int8"
    network = {key: rounded(one) if small and is_matrix(key, one) else one for key, one in tensors.items()}
    program = write_program(_assembled(run, tensors), name, precision)
    difference = largest_difference(_assembled(run, network), program, name)
    if math.isnan(difference):
        log.info("there is no C compiler here: the program was not compared with the run")
    elif not difference <= MOST_APART:
        raise UserError(
            f"the program would differ from the run by {difference:.2g}, more than {MOST_APART:g}, and is not written;"
            " please report this with the run's settings"
        )
    found: dict[str, float] = {}
    if small:
        log.info("measuring on the validation part what `precision=%s` costs", precision)
        found = measured(run, _with_weights(run.model, network), run.task)
        check_loss(run.task, found, precision, "float32")
    write_text(path.with_suffix(".h"), program.header)
    write_text(path, program.source)
    return Exported(path, len(program.header.encode()) + len(program.source.encode()), precision, difference, found)


def is_matrix(name: str, tensor: Floats) -> bool:
    """Whether a tensor is one of those that int8 rounds: matrices that multiply, and embeddings."""
    weights = name.endswith(".weight") or "weight_ih" in name or "weight_hh" in name
    return tensor.ndim == 2 and weights and "attention" not in name


def _tensors(model: nn.Module) -> dict[str, Floats]:
    """The weights of a network by name, one name for each that is shared."""
    from elman.training.checkpoint import own_tensors

    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in own_tensors(model).items()}
    return {name: one if one.dtype.kind == "i" else one.astype(np.float32) for name, one in arrays.items()}


def _assembled(run: TrainedRun, tensors: dict[str, Floats]) -> Model:
    folder = run.folder.path
    return assembled(folder, settings_of(folder), Weights(tensors, folder), run.header)


def _with_weights(model: nn.Module, tensors: dict[str, Floats]) -> nn.Module:
    """A copy of a network with other weights."""
    import torch

    from elman.training.checkpoint import own_tensors

    copied = copy.deepcopy(model)
    with torch.no_grad():
        for name, tensor in own_tensors(copied).items():
            tensor.copy_(torch.from_numpy(np.array(tensors[name])))
    return copied


def _place(run: TrainedRun, out: Path | None, precision: str) -> Path:
    """Where the source is written.

    Raises:
        UserError: a name of another ending, a folder, or a file that elman did not export.
    """
    path = run.folder.path / ("model.c" if precision == "float32" else f"model_{precision}.c") if out is None else out
    if path.is_dir():
        raise UserError(f"`out={path}` is a folder; name the file, `out={path / 'model'}{SUFFIX}`")
    if path.suffix != SUFFIX:
        raise UserError(f"`out={path}` does not end in {SUFFIX}; name it `{path.with_suffix(SUFFIX)}`")
    for one in (path, path.with_suffix(".h")):
        if one.exists() and MARK not in one.read_bytes()[:2000].decode("utf-8", "replace"):
            raise UserError(f"{one} is there already, and elman did not export it; choose another name for `out`")
    return path
