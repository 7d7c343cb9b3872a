"""torch's LSTM; its state is (h, c)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from elman.nn.registry import CellKind, Gate, StepMap, Weights


def _recognises(module: nn.Module) -> bool:
    return isinstance(module, nn.LSTM)


def _drive(x: Tensor, weights: Weights, **options: Any) -> Tensor:
    return F.linear(x, weights["weight_ih"], weights.get("bias_ih"))


def _activations(state: Tensor, drive: Tensor, weights: Weights) -> dict[str, Tensor]:
    h = state.chunk(2, -1)[0]
    i, f, g, o = (drive + F.linear(h, weights["weight_hh"], weights.get("bias_hh"))).chunk(4, -1)
    return {"input": i.sigmoid(), "forget": f.sigmoid(), "cell": g.tanh(), "output": o.sigmoid()}


def _step(state: Tensor, drive: Tensor, weights: Weights) -> Tensor:
    i, f, g, o = _activations(state, drive, weights).values()
    c = f * state.chunk(2, -1)[1] + i * g
    return torch.cat((o * c.tanh(), c), -1)


def _step_map(module: nn.Module) -> StepMap:
    assert isinstance(module, nn.LSTM)
    return StepMap(
        step=_step,
        drive=_drive,
        weights=("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if module.bias else ())),
        gates=(Gate("input", "sigmoid"), Gate("forget", "sigmoid"), Gate("cell", "tanh"), Gate("output", "sigmoid")),
        activations=_activations,
        bounded=True,
        label="LSTM",
    )


KIND = CellKind(
    name="lstm",
    build=nn.LSTM,
    recognises=_recognises,
    step_map=_step_map,
    state=("h", "c"),
    takes_lengths=False,
)
