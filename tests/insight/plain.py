"""Recurrent layers written out with torch's single-step functions, to hold insight's numbers against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import elman

Step = Callable[[Tensor, Any], Any]


@dataclass
class Unrolled:
    """h[layer][direction][b][t] (1, H), c likewise for the LSTM; output (T, B, D*H); h_n (L*D, B, H)."""

    output: Tensor
    h_n: Tensor
    h: list[list[list[Tensor]]] = field(default_factory=list)
    c: list[list[list[Tensor]]] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)


def step_of(module: nn.RNNBase, layer: int, direction: int) -> Step:
    """Give the layer's step: (x_t, state) to the next state, a tensor or (h, c)."""
    end = f"_l{layer}{'_reverse' if direction else ''}"
    names = ("weight_ih", "weight_hh") + (("bias_ih", "bias_hh") if module.bias else ())
    weights = [getattr(module, name + end) for name in names]
    if isinstance(module, elman.RNN) and (module.residual or module.layer_norm):
        return _own_step(module, weights, getattr(module, f"layer_norm_weight{end}", None))
    cell = {
        "LSTM": torch.lstm_cell,
        "GRU": torch.gru_cell,
        "RNN_TANH": torch.rnn_tanh_cell,
        "RNN_RELU": torch.rnn_relu_cell,
    }[module.mode]
    return lambda x, state: cell(x, state, *weights)


def _own_step(module: elman.RNN, weights: list[Tensor], gain: Tensor | None) -> Step:
    w_ih, w_hh, *biases = weights

    def step(x: Tensor, h: Tensor) -> Tensor:
        a = x @ w_ih.T + h @ w_hh.T
        if gain is not None:
            a = (a - a.mean(-1, keepdim=True)) / (a.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt() * gain
        a = a + sum(biases)
        a = a.relu() if module.nonlinearity == "relu" else a.tanh()
        return h + a if module.residual else a

    return step


def unroll(module: nn.RNNBase, x: Tensor, state: Any, lengths: list[int]) -> Unrolled:
    """Run x (T, B, I) sequence by sequence and step by step; every state keeps its gradient."""
    lstm, directions = module.mode == "LSTM", 1 + module.bidirectional
    found = Unrolled(x, x)
    last: list[tuple[Tensor, ...]] = []
    for layer in range(module.num_layers):
        found.inputs.append(x)
        row = []
        for d in range(directions):
            step = step_of(module, layer, d)
            start = [s[layer * directions + d] for s in (state if lstm else (state,))]
            columns, ends = [], []
            for b, length in enumerate(lengths):
                s: Any = tuple(p[b : b + 1] for p in start)
                states: dict[int, tuple[Tensor, ...]] = {}
                for t in reversed(range(length)) if d else range(length):
                    s = step(x[t, b : b + 1], s if lstm else s[0])
                    s = s if lstm else (s,)
                    for part in s:
                        part.retain_grad()
                    states[t] = s
                columns.append(states)
                ends.append(s)
            row.append(columns)
            last.append(tuple(torch.cat([e[k] for e in ends]) for k in range(1 + lstm)))
        found.h.append([[[c[t][0] for t in sorted(c)] for c in columns] for columns in row])
        if lstm:
            found.c.append([[[c[t][1] for t in sorted(c)] for c in columns] for columns in row])
        zero = x.new_zeros(1, module.hidden_size)
        x = torch.cat(
            [
                torch.stack([torch.cat([c[t][0] if t in c else zero for c in columns]) for t in range(len(x))])
                for columns in row
            ],
            -1,
        )
    found.output = x
    found.h_n = torch.stack([s[0] for s in last])
    return found
