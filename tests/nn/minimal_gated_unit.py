"""A cell that elman does not have, in plain torch: what a user writes to add one.

The minimal gated unit (Zhou, Wu, Zhang and Zhou 2016, equations 8 to 10): f = σ(W_f x + U_f h + b_f),
n = tanh(W_n x + U_n (f h) + b_n), h' = (1 - f) h + f n.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elman.nn.registry import CellKind, Gate, StepMap


def drive(x: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    return x @ weights["weight_ih"].T + weights["bias"]


def activations(state: Tensor, drive: Tensor, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    (d_f, d_n), (u_f, u_n) = drive.chunk(2, -1), weights["weight_hh"].chunk(2)
    f = torch.sigmoid(d_f + state @ u_f.T)
    return {"forget": f, "new": torch.tanh(d_n + (f * state) @ u_n.T)}


def step(state: Tensor, drive: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    f, n = activations(state, drive, weights).values()
    return (1 - f) * state + f * n


WEIGHTS = ("weight_ih", "weight_hh", "bias")


class MinimalGatedUnit(nn.Module):
    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, *, dropout: float = 0, bidirectional: bool = False
    ) -> None:
        super().__init__()
        if dropout or bidirectional:
            raise ValueError("this cell has no dropout and one direction")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        for k in range(num_layers):
            inputs = hidden_size if k else input_size
            for name, shape in (("weight_ih", (inputs,)), ("weight_hh", (hidden_size,)), ("bias", ())):
                value = (torch.rand(2 * hidden_size, *shape) * 2 - 1) / hidden_size**0.5
                self.register_parameter(f"{name}_l{k}", nn.Parameter(value))

    def forward(self, x: Tensor, h0: Tensor | None = None, *, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h0 = x.new_zeros(self.num_layers, x.shape[1], self.hidden_size) if h0 is None else h0
        last = []
        for k, h in enumerate(h0):
            weights: dict[str, Any] = {
                name: getattr(self, f"{name}_l{k}") for name in ("weight_ih", "weight_hh", "bias")
            }
            states = []
            for t, d in enumerate(drive(x, weights)):
                new = step(h, d, weights)
                going = torch.ones_like(h[:, :1]) if lengths is None else (t < lengths)[:, None].to(h)
                h = going * new + (1 - going) * h
                states.append(going * h)
            x = torch.stack(states)
            last.append(h)
        return x, torch.stack(last)


def step_map(module: nn.Module) -> StepMap:
    return StepMap(
        step=step,
        drive=drive,
        weights=WEIGHTS,
        gates=(Gate("forget", "sigmoid"), Gate("new", "tanh")),
        activations=activations,
        bounded=True,
        label="MGU",
    )


KIND = CellKind(
    name="mgu",
    build=MinimalGatedUnit,
    recognises=lambda module: isinstance(module, MinimalGatedUnit),
    step_map=step_map,
)
