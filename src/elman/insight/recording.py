"""Find the recurrent layers of a model and record what went through them.

Works on layers of every registered kind (`elman.nn.registry`), alone or anywhere inside a model, batch first or not,
batched or not, packed or not. T steps, B sequences, I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from elman.errors import UserError
from elman.nn.registry import CellKind, cell_names, directions_of, kind_of

Loss = Callable[[nn.Module, Any], Tensor]
Sequences = Tensor | PackedSequence


@dataclass(frozen=True)
class Call:
    """One call of a recurrent module, as the module saw it.

    Attributes:
        name: the module's path in the model, or its class where it is the model.
        path: the module's path in the model; empty where it is the model.
        module: it.
        kind: what cell it is.
        x: (T, B, I) the input.
        state: the state before the first step, h_0 and c_0 for the LSTM, each (L*D, B, H).
        lengths: (B,) steps of each sequence.
        output: the output of the last layer as the module returned it, a tensor or a PackedSequence.
        last: the last state, h_n and c_n for the LSTM, as the module returned it.
        lower: the outputs of the layers below the last, if the module was asked for them.
        batch_dim: where B stands in what the module takes and returns; None where it stands nowhere.
    """

    name: str
    path: str
    module: nn.Module
    kind: CellKind
    x: Tensor
    state: tuple[Tensor, ...]
    lengths: Tensor
    output: Sequences
    last: tuple[Tensor, ...]
    lower: tuple[Sequences, ...]
    batch_dim: int | None

    def padded(self, output: Sequences) -> Tensor:
        """Turn sequences in the form of the module's output into (T, B, ...)."""
        return _padded(output, self.batch_dim)[0]


def is_recurrent(module: nn.Module) -> bool:
    """Say whether `module` is a recurrent layer of a registered kind, which `insight` can inspect."""
    return kind_of(module) is not None


def recurrent_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Give the recurrent modules of `model` by name; a model that is one itself is named by its class.

    A recurrent module inside another is a part of that one.

    Raises:
        UserError: there is none, one projects its state (proj_size), or weights are not finite or not there.
    """
    found: dict[str, nn.Module] = {}
    for path, module in model.named_modules():
        if is_recurrent(module) and not any(path.startswith(f"{outer}.") or outer == "" for outer in found):
            found[path] = module
    if not found:
        raise UserError(
            f"{type(model).__name__} has no recurrent layer to inspect: "
            f"give a model with a layer of a known kind in it ({', '.join(cell_names())})"
        )
    named = {path or type(module).__name__: module for path, module in found.items()}
    for name, module in named.items():
        if getattr(module, "proj_size", 0):
            raise UserError(f"{name} projects its state (proj_size={module.proj_size}): build it without")
        _check_values(name, module)
    return named


def _check_values(name: str, module: nn.Module) -> None:
    """Raise a UserError unless all parameters have values, and finite ones."""
    for weight, value in module.named_parameters():
        if value.is_meta:
            raise UserError(f"{name}.{weight} is on the meta device and has no values: load the weights first")
        bad = value.numel() - int(torch.isfinite(value).sum())
        if bad:
            raise UserError(
                f"{name}.{weight} has {bad} of {value.numel()} values that are not finite: go back to a "
                "checkpoint from before the loss became nan, and lower the learning rate or clip"
            )


@contextlib.contextmanager
def recording(model: nn.Module) -> Iterator[list[Call]]:
    """Record each call of a recurrent module while the block runs; the list fills as they come.

    Inside, the model is in evaluation mode and the recurrent layers drop nothing, so that what is recorded is the
    network and not one draw of its noise, and the random state of a training run is left as it was. All is
    put back afterwards.

    Raises:
        UserError: as `recurrent_layers`.
    """
    found = recurrent_layers(model)
    _check_values(type(model).__name__, model)
    calls: list[Call] = []
    with contextlib.ExitStack() as undo:
        for module in model.modules():
            undo.callback(setattr, module, "training", module.training)
        model.eval()
        for name, module in found.items():
            kind = kind_of(module)
            assert kind is not None
            for drop in ("dropout", "recurrent_dropout"):
                if hasattr(module, drop):
                    undo.callback(setattr, module, drop, getattr(module, drop))
                    setattr(module, drop, 0.0)
            module.train()  # cuDNN can go backward through a recurrent layer in training mode only
            undo.callback(module.register_forward_hook(_recorder(name, kind, model, calls), with_kwargs=True).remove)
        yield calls


def _recorder(name: str, kind: CellKind, model: nn.Module, calls: list[Call]) -> Callable[..., Any]:
    def record(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], returned: Any) -> Any:
        x = args[0] if args else kwargs["input"]
        hx = args[1] if len(args) > 1 else kwargs.get("hx")
        batch_dim = (
            None if not isinstance(x, PackedSequence) and x.dim() == 2 else 1 - getattr(module, "batch_first", False)
        )
        steps, lengths = _padded(x, batch_dim)
        if kwargs.get("lengths") is not None:
            lengths = torch.as_tensor(kwargs["lengths"])
        last = returned[1] if isinstance(returned[1], tuple) else (returned[1],)
        # a view, off the road to the layer above: its gradient is what comes from outside the module
        lower = tuple(_view(layer) for layer in returned[2][:-1]) if len(returned) > 2 else ()
        handles = (_sequence(returned[0]), *last, *map(_sequence, lower))
        if torch.is_grad_enabled() and not handles[0].requires_grad:  # no weight below asks for a gradient
            for handle in handles:
                handle.requires_grad_()
        state = _first_state(kind.initial_state(module), hx, last, batch_dim)
        path = "" if module is model else name
        calls.append(
            Call(name, path, module, kind, steps.detach(), state, lengths, returned[0], last, lower, batch_dim)
        )
        return (*returned[:2], (*lower, returned[0])) if len(returned) > 2 else returned

    return record


def _first_state(own: Tensor | None, hx: Any, last: tuple[Tensor, ...], batch_dim: int | None) -> tuple[Tensor, ...]:
    """The parts of the state before the first step: given (hx), the module's own, or zeros."""
    if hx is None and own is not None:
        return (own.expand_as(last[0] if batch_dim is not None else last[0].unsqueeze(1)).detach(),)
    given = hx if isinstance(hx, tuple) else (hx,) if hx is not None else map(torch.zeros_like, last)
    return tuple((s.unsqueeze(1) if batch_dim is None else s).detach() for s in given)


def _sequence(x: Sequences) -> Tensor:
    return x.data if isinstance(x, PackedSequence) else x


def _view(x: Sequences) -> Sequences:
    if isinstance(x, PackedSequence):
        return PackedSequence(x.data.view_as(x.data), x.batch_sizes, x.sorted_indices, x.unsorted_indices)
    return x.view_as(x)


def _padded(x: Sequences, batch_dim: int | None) -> tuple[Tensor, Tensor]:
    if isinstance(x, PackedSequence):
        return pad_packed_sequence(x)
    x = x.unsqueeze(1) if batch_dim is None else x.transpose(0, 1) if batch_dim == 0 else x
    return x, torch.full((x.shape[1],), x.shape[0])


def cost_of(model: nn.Module, batch: Any, loss: Loss | None) -> Tensor:
    """Give the cost C whose gradient is followed, one number.

    Arguments:
        loss: what to call with the model and the batch. Without it the model is called with the batch (a
            tuple or a dict gives its arguments), and C is what it returns, or, for a bare recurrent layer, the sum of
            its last layer's final states.

    Raises:
        UserError: what comes out is not one number that gradients can start from.
    """
    cost = call(model, batch, loss)
    if loss is None and is_recurrent(model):
        last = cost[1][0] if isinstance(cost[1], tuple) else cost[1]
        cost = last[-directions_of(model) :].sum()
    if not isinstance(cost, Tensor) or cost.numel() != 1:
        raise UserError(
            "the model returns no single number to go backward from: "
            "pass loss=, a function of the model and the batch that returns the cost"
        )
    if not cost.requires_grad:
        raise UserError("no gradient can start from the cost: compute it from the model's output, outside no_grad")
    return cost


def call(model: nn.Module, batch: Any, run: Loss | None = None) -> Any:
    """Give what `model` returns for `batch`; a tuple, unless it is a PackedSequence, or a dict gives its arguments.

    Arguments:
        run: called with the model and the batch in place of the model.

    Raises:
        UserError: the batch is on another device than the model.
    """
    return _on_one_device(model, batch, run or _called)


def _called(model: nn.Module, batch: Any) -> Any:
    if isinstance(batch, dict):
        return model(**batch)
    several = isinstance(batch, tuple) and not isinstance(batch, PackedSequence)
    return model(*batch) if several else model(batch)


def _on_one_device(model: nn.Module, batch: Any, run: Callable[[nn.Module, Any], Any]) -> Any:
    try:
        return run(model, batch)
    except (RuntimeError, NotImplementedError) as error:
        here = next(model.parameters()).device
        for there in {tensor.device for tensor in _tensors(batch)} - {here}:
            raise UserError(f"the batch is on {there}, the model on {here}: move one with .to()") from error
        raise


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, dict | list | tuple):
        for part in batch.values() if isinstance(batch, dict) else batch:
            yield from _tensors(part)
