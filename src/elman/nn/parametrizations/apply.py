"""Constraints put on every layer and direction of a module."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn
from torch.nn.utils import parametrizations, parametrize

from elman.errors import UserError

Module = TypeVar("Module", bound=nn.Module)


def constrain(module: Module, *constraints: nn.Module, weight: str = "weight_hh") -> Module:
    """Put constraints on the weights of a recurrent layer or cell, in place: the first meets the trained tensor.

    Each weight gets copies of its own. `torch.nn.utils.parametrize.remove_parametrizations` takes them off again.

    Arguments:
        module: `elman.RNN`, `RNNCell`, those of torch, or any module with parameters of this name.
        constraints: parametrisations, of elman, torch or your own.
        weight: "weight_hh" or "weight_ih": how the parameters' names begin.

    Raises:
        UserError: the module has no such parameters, or a constraint does not fit them.
    """
    for name in _names(module, weight):
        for constraint in constraints:
            parametrize.register_parametrization(module, name, copy.deepcopy(constraint))
    return module


def orthogonal(module: Module, orthogonal_map: str = "matrix_exp", weight: str = "weight_hh") -> Module:
    """Keep every W_hh orthogonal, by torch's own parametrisation, starting from the nearest orthogonal matrix.

    Arguments:
        orthogonal_map: "matrix_exp", the exponential of a skew-symmetric matrix (Lezcano-Casado and Martinez-Rubio
            2019), "cayley" (Helfrich, Willmott and Ye 2018), or "householder".
    """
    for name in _names(module, weight):
        parametrizations.orthogonal(module, name, orthogonal_map)
    return module


def _names(module: nn.Module, weight: str) -> list[str]:
    held = [name for name, _ in module.named_parameters(recurse=False)]
    if parametrize.is_parametrized(module):
        held += [str(name) for name in module.parametrizations]  # type: ignore[union-attr]
    names = [name for name in held if name.startswith(weight)]
    if not names:
        raise UserError(f"{type(module).__name__} has no parameters whose name begins with {weight!r}")
    return names
