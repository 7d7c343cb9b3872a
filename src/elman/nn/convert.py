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
    Training mode and attributes that are plain data are kept. Only what can be exchanged whole is: a module with hooks,
    buffers, submodules, a `forward` or other attributes of its own, with parametrised weights or weights that a wrapper
    keeps, compiled, or of a subclass is left as it is.

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
        raise ValueError(_itself(model, verb))
    made: dict[nn.Module, nn.Module] = {}
    replaced, left = [], {}
    for parent, attribute, name, child in list(_children(model)):
        kinds = [kind for kind in makers if isinstance(child, kind)]
        if not kinds:
            continue
        why = _why_not(attribute, child, kinds[0])
        if why:
            left[name] = why
            continue
        if child not in made:  # a layer that stands in two places stays one layer
            made[child] = _with_all_of(child, makers[kinds[0]](child))
        setattr(parent, attribute, made[child])
        replaced.append(name)
    return Exchange(what, tuple(replaced), left)


def _itself(model: nn.Module, verb: str) -> str:
    """Why a layer by itself cannot be replaced, and what to write instead: anew, or around it with its weights."""
    assert isinstance(model, nn.RNN | RNN | nn.RNNCell | RNNCell)
    name = type(model).__name__
    home = "torch.nn" if verb == "restore" else "elman" if isinstance(model, nn.RNN) else "elman.nn"
    return (
        f"{verb} looks inside a model; this is an {name} itself: make {home}.{name}({model.input_size},"
        f" {model.hidden_size}, ...), or, with its weights: model = torch.nn.Sequential(layer);"
        f" elman.{verb}(model); layer = model[0]"
    )


def _children(model: nn.Module) -> Iterator[tuple[nn.Module, str, str, nn.Module]]:
    for parent_name, parent in model.named_modules():
        for attribute, child in parent._modules.items():
            if child is not None:
                yield parent, attribute, f"{parent_name}.{attribute}".lstrip("."), child


_COMPILED = "_orig_mod"
"""Where the module that `torch.compile` returns keeps the one that it compiled."""
_DATA = (bool, int, float, str, type(None))
"""What an attribute of a user's own may be to go along; anything else may act on the module it is on."""


def _why_not(attribute: str, module: nn.Module, kind: type[nn.Module]) -> str:
    """Why a module cannot be exchanged without changing what it does; empty if it can."""
    if type(module) is not kind:
        return f"it is a {type(module).__name__}, a class of its own"
    if parametrize.is_parametrized(module):
        return "its weights are parametrised"
    if attribute == _COMPILED or vars(module).get("_compiled_call_impl") is not None:
        return "it is compiled, and what was compiled would go on to run: exchange it before"
    if "forward" in vars(module):
        return "it has a forward of its own"
    if any("hooks" in name and value for name, value in vars(module).items()):
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
        lacking = next((f"torch has not {name}" for name, has in own.items() if has), "")
        if lacking:
            return lacking
    for what, held in (("buffers", module._buffers), ("submodules", module._modules)):
        if held:
            return f"it has {what} of its own: {', '.join(held)}"
    return _unlike(module, _alike(module))


def _unlike(module: nn.Module, fresh: nn.Module) -> str:
    """What a module has or lacks that one made anew with its options does not; empty where there is nothing."""
    shapes, expected = (
        {name: None if p is None else p.shape for name, p in m._parameters.items()} for m in (module, fresh)
    )
    if shapes != expected:
        odd = [name for name in {**expected, **shapes} if shapes.get(name) != expected.get(name)]
        return f"its parameters are not those of its options: {', '.join(odd)}"
    own = [name for name, value in _own_attributes(module, fresh).items() if not isinstance(value, _DATA)]
    if own:
        return f"it has attributes of its own: {', '.join(own)}"
    if isinstance(module, nn.RNNBase) and isinstance(fresh, nn.RNNBase) and module.mode != fresh.mode:
        return f"its mode, {module.mode}, is not that of its nonlinearity"
    return ""


def _own_attributes(module: nn.Module, fresh: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name not in vars(fresh)}


def _alike(module: nn.Module) -> nn.Module:
    """One made anew with the same options, on the meta device."""
    makers: Makers = {nn.RNN: _torch_layer, RNN: _fast_layer, nn.RNNCell: _torch_cell, RNNCell: _fast_cell}
    return makers[type(module)](module)


def _with_all_of(old: nn.Module, new: nn.Module) -> nn.Module:
    for name, parameter in old._parameters.items():
        new.register_parameter(name, parameter)
    for name, value in _own_attributes(old, _alike(old)).items():
        setattr(new, name, value)
    return new.train(old.training)


def _fast_layer(old: nn.Module) -> nn.Module:
    assert isinstance(old, nn.RNN | RNN)
    return RNN(old.input_size, old.hidden_size, **_options(old), device="meta")


def _torch_layer(old: nn.Module) -> nn.Module:
    assert isinstance(old, nn.RNN | RNN)
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
