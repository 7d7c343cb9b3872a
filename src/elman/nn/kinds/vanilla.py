"""The vanilla cell, h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh): elman's layer and torch's."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.errors import UserError
from elman.kernels.options import NONLINEARITIES
from elman.nn.registry import VANILLA_OPTIONS, CellKind, Gate, StepMap, Weights
from elman.nn.rnn import RNN

_MODES = ("RNN_TANH", "RNN_RELU")


def _recognises(module: nn.Module) -> bool:
    return isinstance(module, nn.RNNBase) and module.mode in _MODES


def _drive(x: Tensor, weights: Weights, **options: Any) -> Tensor:
    """W_ih x_t + b_ih; without the bias where the sum is normalised, which then adds it."""
    return F.linear(x, weights["weight_ih"], None if _gain(weights) is not None else weights.get("bias_ih"))


def _step(state: Tensor, drive: Tensor, weights: Weights, *, nonlinearity: str, residual: bool) -> Tensor:
    out = _activations(state, drive, weights, nonlinearity=nonlinearity, residual=residual)["h"]
    return state + out if residual else out


def _activations(
    state: Tensor, drive: Tensor, weights: Weights, *, nonlinearity: str, residual: bool
) -> dict[str, Tensor]:
    gain = _gain(weights)
    a = drive + F.linear(state, weights["weight_hh"], None if gain is not None else weights.get("bias_hh"))
    if gain is not None:  # Ba, Kiros and Hinton 2016, equation 4
        bias = weights["bias_ih"] + weights["bias_hh"] if "bias_ih" in weights else None
        a = F.layer_norm(a, a.shape[-1:], gain, bias)
    return {"h": torch.relu(a) if nonlinearity == "relu" else torch.tanh(a)}


def _gain(weights: Weights) -> Tensor | None:
    return weights.get("layer_norm_weight")


def _step_map(module: nn.Module) -> StepMap:
    assert isinstance(module, nn.RNNBase)
    if isinstance(module, RNN) and (module.dynamics is not None or module.nonlinearity not in NONLINEARITIES):
        raise UserError(
            "a layer with a leak, noise, a current form or another `nonlinearity` has no step to inspect yet"
        )
    nonlinearity = "relu" if module.mode == "RNN_RELU" else "tanh"
    residual = isinstance(module, RNN) and module.residual
    layer_norm = isinstance(module, RNN) and module.layer_norm
    biases = ("bias_ih", "bias_hh") if module.bias else ()
    return StepMap(
        step=_step,
        drive=_drive,
        weights=("weight_ih", "weight_hh", *biases, *(["layer_norm_weight"] if layer_norm else [])),
        options={"nonlinearity": nonlinearity, "residual": residual},
        gates=(Gate("h", "relu" if nonlinearity == "relu" else "tanh"),),
        activations=_activations,
        bounded=nonlinearity == "tanh" and not residual,
        plain=not residual and not layer_norm,
        label=nonlinearity,
    )


def _initial_state(module: nn.Module) -> Tensor | None:
    return module.initial_state if isinstance(module, RNN) and module.learned_h0 else None


KIND = CellKind(
    name="rnn",
    build=partial(RNN, locked_dropout=True),
    recognises=_recognises,
    step_map=_step_map,
    gated=False,
    options=VANILLA_OPTIONS,
    initial_state=_initial_state,
)
