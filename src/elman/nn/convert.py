"""One line for an existing program: `elman.accelerate(model)` puts the fast layer in place of every `torch.nn.RNN`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from elman.kernels.options import NONLINEARITIES
from elman.nn.cell import RNNCell
from elman.nn.rnn import RNN


@dataclass(frozen=True)
class Exchange:
    """What was exchanged in a model, by the modules' names; printed, it says so in a line each."""

    what: str
    replaced: tuple[str, ...]
    left: dict[str, str] = field(default_factory=dict)  # name -> why

    def __str__(self) -> str:
        lines = [f"{name}: now {self.what}" for name in self.replaced]
        lines += [f"{name}: left as it was, because {why}" for name, why in self.left.items()]
        return "\n".join(lines) or "nothing to replace"


def accelerate(model: nn.Module) -> Exchange:
    """Put `elman.RNN` (`RNNCell`) in the place of every `torch.nn.RNN` (`RNNCell`) inside `model`.

    The parameters are the same objects as before: an optimiser that holds them goes on, and `state_dict` is unchanged.
    Training mode is kept. A module with hooks, with parametrised weights, or of a subclass is left as it is.

    Returns:
        what was replaced and what was left, and why: print it.

    Raises:
        ValueError: `model` itself is a `torch.nn.RNN`, which cannot be replaced inside itself.
    """
    return _exchange(model, {nn.RNN: _fast_layer, nn.RNNCell: _fast_cell}, "elman's", "accelerate")


def restore(model: nn.Module) -> Exchange:
    """Put torch's own layers back in the place of elman's, with the same parameters; the inverse of `accelerate`.

    A layer that has what torch's has not (layer normalisation, the identity connection, ...) is left as it is.

    Raises:
        ValueError: `model` itself is an `elman.RNN`.
    """
    return _exchange(model, {RNN: _torch_layer, RNNCell: _torch_cell}, "torch's", "restore")


Makers = dict[type[nn.Module], Callable[[nn.Module], nn.Module]]


def _exchange(model: nn.Module, makers: Makers, what: str, verb: str) -> Exchange:
    if type(model) in makers:
        raise ValueError(f"{verb} looks inside a model; this is a {type(model).__name__} itself: make the other one")
    made: dict[nn.Module, nn.Module] = {}
    replaced, left = [], {}
    for parent, attribute, name, child in list(_children(model)):
        kinds = [kind for kind in makers if isinstance(child, kind)]
        if not kinds:
            continue
        why = _why_not(child, kinds[0])
        if why:
            left[name] = why
            continue
        if child not in made:  # a layer that stands in two places stays one layer
            made[child] = _with_parameters_of(child, makers[kinds[0]](child))
        setattr(parent, attribute, made[child])
        replaced.append(name)
    return Exchange(what, tuple(replaced), left)


def _children(model: nn.Module) -> Iterator[tuple[nn.Module, str, str, nn.Module]]:
    for parent_name, parent in model.named_modules():
        for attribute, child in parent._modules.items():
            if child is not None:
                yield parent, attribute, f"{parent_name}.{attribute}".lstrip("."), child


def _why_not(module: nn.Module, kind: type[nn.Module]) -> str:
    """Why a module cannot be exchanged without changing what it does; empty if it can."""
    if type(module) is not kind:
        return f"it is a {type(module).__name__}, a class of its own"
    if parametrize.is_parametrized(module):
        return "its weights are parametrised"
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")
    if any(getattr(module, name, None) for name in hooks):
        return "it has hooks"
    if isinstance(module, RNN):
        own = {
            "layer normalisation": module.layer_norm,
            "the identity connection": module.residual,
            "recurrent dropout": module.recurrent_dropout > 0,
            "locked dropout": module.locked_dropout and module.dropout > 0,
            "a learned initial state": module.learned_h0,
            "a leak, noise or a current form": module.dynamics is not None,
            "this nonlinearity": module.nonlinearity not in NONLINEARITIES,
        }
        return next((f"torch has not {name}" for name, has in own.items() if has), "")
    return ""


def _with_parameters_of(old: nn.Module, new: nn.Module) -> nn.Module:
    for name, parameter in old._parameters.items():
        new.register_parameter(name, parameter)
    return new.train(old.training)


def _fast_layer(old: nn.Module) -> nn.Module:
    assert isinstance(old, nn.RNN)
    return RNN(old.input_size, old.hidden_size, **_options(old), device="meta")


def _torch_layer(old: nn.Module) -> nn.Module:
    assert isinstance(old, RNN)
    return nn.RNN(old.input_size, old.hidden_size, **_options(old), device="meta")


def _options(old: nn.RNN | RNN) -> dict[str, Any]:
    names = ("num_layers", "nonlinearity", "bias", "batch_first", "dropout", "bidirectional")
    return {name: getattr(old, name) for name in names}


def _fast_cell(old: nn.Module) -> nn.Module:
    assert isinstance(old, nn.RNNCell)
    return RNNCell(old.input_size, old.hidden_size, old.bias, old.nonlinearity, device="meta")


def _torch_cell(old: nn.Module) -> nn.Module:
    assert isinstance(old, nn.RNNCell)
    return nn.RNNCell(old.input_size, old.hidden_size, old.bias, old.nonlinearity, device="meta")
