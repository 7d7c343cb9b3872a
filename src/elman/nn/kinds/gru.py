"""torch's GRU."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from elman.nn.registry import CellKind, Gate, StepMap, Weights


def _recognises(module: nn.Module) -> bool:
    return isinstance(module, nn.GRU)


def _drive(x: Tensor, weights: Weights, **options: Any) -> Tensor:
    return F.linear(x, weights["weight_ih"], weights.get("bias_ih"))


def _activations(state: Tensor, drive: Tensor, weights: Weights) -> dict[str, Tensor]:
    d_r, d_z, d_n = drive.chunk(3, -1)
    a_r, a_z, a_n = F.linear(state, weights["weight_hh"], weights.get("bias_hh")).chunk(3, -1)
    r = (d_r + a_r).sigmoid()
    return {"reset": r, "update": (d_z + a_z).sigmoid(), "new": (d_n + r * a_n).tanh()}


def _step(state: Tensor, drive: Tensor, weights: Weights) -> Tensor:
    _, z, n = _activations(state, drive, weights).values()
    return (1 - z) * n + z * state


def _step_map(module: nn.Module) -> StepMap:
    assert isinstance(module, nn.GRU)
    return StepMap(
        step=_step,
        drive=_drive,
        weights=("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if module.bias else ())),
        gates=(Gate("reset", "sigmoid"), Gate("update", "sigmoid"), Gate("new", "tanh")),
        activations=_activations,
        bounded=True,
        label="GRU",
    )


KIND = CellKind(
    name="gru",
    build=nn.GRU,
    recognises=_recognises,
    step_map=_step_map,
    takes_lengths=False,
)
