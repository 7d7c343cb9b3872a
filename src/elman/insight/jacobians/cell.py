"""One layer of a recurrent module in one direction: its weights, and its step as a function.

T steps, B sequences, I inputs, H hidden units, G gates, S numbers in the state: H for each part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from elman.nn.registry import CellKind, StepMap, directions_of, layers_of, weights_of


@dataclass(frozen=True)
class Cell:
    """One layer of a recurrent module in one direction: the weights that all its steps share.

    Attributes:
        name: the module's name in the model, then the layer: "rnn.l0", "rnn.l1.reverse".
        kind: what cell it is.
        map: its step as a function of state, drive and weights.
        weights: by name, as `map.weights` lists them.
        input_size: I.
        hidden_size: H.
        layer, direction: its place in the module, from 0.
    """

    name: str
    kind: CellKind
    map: StepMap
    weights: Mapping[str, Tensor]
    input_size: int
    hidden_size: int
    layer: int = 0
    direction: int = 0

    @property
    def reverse(self) -> bool:
        """Whether it reads each sequence from its end."""
        return self.direction == 1

    @property
    def state_size(self) -> int:
        """S."""
        return self.hidden_size * len(self.kind.state)

    @property
    def dtype(self) -> torch.dtype:
        """The weights' dtype."""
        return next(iter(self.weights.values())).dtype

    def to(self, dtype: torch.dtype, device: torch.device | str) -> Cell:
        """The same cell with weights of another dtype or on another device."""
        return replace(self, weights={name: value.to(device, dtype) for name, value in self.weights.items()})

    def drive(self, x: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """The input's share of each step: x (..., I) to (..., N).

        Arguments:
            weights: to use in place of the cell's own.
        """
        return self.map.drive(x, self.weights if weights is None else weights, **self.map.options)

    def step(self, state: Tensor, drive: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Take one step: state (..., S), drive (..., N), to the next state (..., S)."""
        return self.map.step(state, drive, self.weights if weights is None else weights, **self.map.options)

    def run(self, x: Tensor, state: Tensor) -> Tensor:
        """Take a step for each x_t: x (T, B, I), state (B, S), to the states after each step (T, B, S)."""
        states = []
        for drive in self.drive(x):
            state = self.step(state, drive)
            states.append(state)
        return torch.stack(states)

    def states(self, x: Tensor, h: Tensor, state: Tensor) -> Tensor:
        """The whole states after each step, (T, B, S), from the hidden states that were recorded.

        Arguments:
            x: (T, B, I) the input.
            h: (T, B, H) the hidden state after each step; what the state has beside it is worked out again.
            state: (B, S) the state before the first.
        """
        if self.state_size == self.hidden_size:
            return h
        states = []
        for recorded, drive in zip(h, self.drive(x), strict=True):
            rest = self.step(state, drive)[..., self.hidden_size :]
            state = torch.cat((recorded, rest), -1)
            states.append(state)
        return torch.stack(states)

    def saturated(self, before: Tensor, drive: Tensor) -> dict[str, Tensor]:
        """Where each gate is saturated, (..., H) by name; nothing where the gates' values are not to be had.

        Arguments:
            before: (..., S) the state before a step.
            drive: (..., N) the input's share of the step.
        """
        if self.map.activations is None:
            return {}
        values = self.map.activations(before, drive, self.weights, **self.map.options)
        return {gate.name: gate.saturated(values[gate.name]) for gate in self.map.gates}


def cells(name: str, module: nn.Module, kind: CellKind) -> list[list[Cell]]:
    """The weights of each layer of `module`, for each direction: [layer][direction].

    Arguments:
        name: what to call the module.
        kind: the module's.
    """
    step_map = kind.step_map(module)
    hidden = int(getattr(module, "hidden_size"))  # noqa: B009  (nn.Module's type knows it not)

    def cell(layer: int, direction: int) -> Cell:
        return Cell(
            name=f"{name}.l{layer}{'.reverse' if direction else ''}",
            kind=kind,
            map=step_map,
            weights=weights_of(module, step_map.weights, layer, direction),
            input_size=hidden * directions if layer else int(getattr(module, "input_size")),  # noqa: B009
            hidden_size=hidden,
            layer=layer,
            direction=direction,
        )

    directions = directions_of(module)
    return [[cell(layer, direction) for direction in range(directions)] for layer in range(layers_of(module))]
