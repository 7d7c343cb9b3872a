"""What a backend offers: `forward` and `backward` of one recurrence, and optionally a form that does more in one call.

A backend is a module or package with these functions. T steps, B sequences, I inputs, H hidden units, L layers,
D directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from elman.kernels.general.options import GeneralGradients, GeneralInputs, GeneralNeeds, GeneralOptions
from elman.kernels.options import Gradients, Needs, RecurrenceInputs, RecurrenceOptions


class BackendModule(Protocol):
    """What every backend says about itself."""

    def why_unavailable(self, device: torch.device) -> str:
        """Why this installation, or this device, cannot run it at all; empty where it can."""

    def why_unsupported(self, options: RecurrenceOptions, dtype: torch.dtype) -> str:
        """Why it does not compute this; empty where it does."""

    def detail(self) -> str:
        """What it is made of, in a word or two."""


class RecurrenceModule(BackendModule, Protocol):
    """One direction of one layer: what every backend but those of networks has. `elman.kernels.reference` is the
    specification."""

    def forward(self, inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
        """h (T, B, H) and h_last (B, H), the state after each sequence's last step."""

    def backward(
        self,
        grad_h: Tensor | None,  # (T, B, H); None counts as zero
        grad_h_last: Tensor | None,  # (B, H), likewise
        inputs: RecurrenceInputs,
        h: Tensor,  # (T, B, H) as `forward` returned it
        options: RecurrenceOptions,
        needs: Needs,
    ) -> Gradients:
        """The gradients of the inputs, None where not needed."""


class LayerFunction(Protocol):
    """A layer without gradients that looks at everything itself; see `LayerForm.layer_function`."""

    def __call__(
        self,
        x: Tensor,  # (T, B, I), any strides
        h0: Tensor | None,  # (D, B, H)
        lengths: Tensor | None,  # (B,) int64
        weights: Sequence[Tensor],  # a list: D times w_ih, w_hh and none, one or two biases
        H: int,
        D: int,
        time_first: bool,
        /,
    ) -> tuple[Tensor, Tensor] | None:
        """What `LayerForm.forward_layer` returns; None, and nothing counts, where `addresses` gives None, or a length
        is out of range."""


class LayerForm(Protocol):
    """All directions of a layer in one call, its arguments looked at by the backend."""

    def addresses(
        self,
        x: Tensor,  # (T, B, I)
        h0: Tensor | None,  # (D, B, H)
        lengths: Tensor | None,  # (B,)
        H: int,
        D: int,
        weights: Sequence[Tensor],  # D times w_ih (H, I), w_hh (H, H) and no, one or two biases (H,)
    ) -> list[int] | None:
        """Where the weights lie; None where something does not fit, or is not laid out as the backend takes it."""

    def forward_layer(
        self,
        x: Tensor,
        h0: Tensor | None,
        lengths: Tensor | None,
        options: RecurrenceOptions,  # of the first direction; the second runs from the end
        H: int,
        D: int,
        weights: Sequence[int],  # what `addresses` returned
        *,
        time_first: bool = False,  # lay the states out by steps, though x may lie by sequences
    ) -> tuple[Tensor, Tensor]:
        """h (T, B, D * H) and h_n (D, B, H)."""

    def backward_layer(
        self,
        grad_h: Tensor | None,  # (T, B, D * H)
        grad_h_n: Tensor | None,  # (D, B, H)
        x: Tensor,
        h0: Tensor | None,
        h: Tensor,  # as `forward_layer` returned it
        lengths: Tensor | None,
        options: RecurrenceOptions,
        D: int,
        weights: Sequence[Tensor],
        needs: Sequence[Needs],  # of each direction
    ) -> list[Gradients]:
        """The gradients of each direction."""

    def layer_function(self, options: RecurrenceOptions) -> LayerFunction | None:
        """A quicker way to the same forward pass on the CPU, or None; it may be missing."""


class StepFunction(Protocol):
    """A step that finds the weights by itself; see `StepForm.step_function`."""

    def __call__(
        self,
        x: Tensor,  # (B, I)
        state: Tensor | None,  # (L, B, H); None counts as zero
        parameters: Mapping[str, Tensor | None],
        names: Sequence[Sequence[str]],  # w_ih, w_hh and no or two biases of each layer
        H: int,
        /,
    ) -> tuple[Tensor, Tensor] | None:
        """What `StepForm.step_layers` returns, also None where a name has no tensor or x is on another device."""


class StepForm(Protocol):
    """One step of a stack of layers in one call that keeps nothing, its arguments looked at by the backend."""

    def step_layers(
        self,
        x: Tensor,  # (B, I)
        state: Tensor | None,  # (L, B, H); None counts as zero
        layers: Sequence[Sequence[Tensor]],  # w_ih, w_hh and no or two biases of each
        options: RecurrenceOptions,
        H: int,
    ) -> tuple[Tensor, Tensor] | None:
        """The last layer's new state (B, H) and all of them (L, B, H), which share no memory; None, and nothing has
        run, where it does not take these arguments."""

    def step_function(self, nonlinearity: str, residual: bool) -> StepFunction | None:
        """A quicker way to the same on the CPU, which looks at everything itself, or None; it may be missing."""


class GeneralForm(Protocol):
    """The general recurrence of V networks in one call; every tensor has V before its own dimensions.

    `elman.kernels.general.reference` is the specification of one; `V` may be 1. A module may have `forward` too, which
    takes and returns what the reference's does, and `save`: around a short sequence the dimension V costs more than it.
    """

    def forward_many(
        self,
        inputs: GeneralInputs,
        options: GeneralOptions,
        save: bool = True,  # there will be an adjoint
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """h (V, T, B, H), the last states (V, B, H), and (V, T, B, H) where `saves_extra` says so.

        Without `save` the last may be left out in the rate form.
        """

    def backward_many(
        self,
        grad_h: Tensor | None,  # (V, T, B, H)
        grad_h_last: Tensor | None,  # (V, B, H)
        inputs: GeneralInputs,
        h: Tensor,  # as `forward_many` returned it
        extra: Tensor | None,
        options: GeneralOptions,
        needs: GeneralNeeds,
    ) -> GeneralGradients:
        """The gradients of the inputs, None where not needed."""


@dataclass(frozen=True)
class NetworkSettings:
    """What a stack of layers computes, in the names of `torch.nn.RNN`.

    Attributes:
        nonlinearity, num_layers, bias, bidirectional: as its arguments.
        dropout: the probability of dropout between layers.
        training: whether dropout acts, and gradients may be asked for.
    """

    nonlinearity: str
    num_layers: int
    bias: bool
    bidirectional: bool
    dropout: float
    training: bool


class NetworkForm(BackendModule, Protocol):
    """A stack of layers in one call, differentiable by itself."""

    def takes(self, x: Tensor, settings: NetworkSettings) -> bool:
        """Whether it gives, here and now, what `torch.nn.RNN` promises."""

    def run(
        self,
        x: Tensor,  # (T, B, I), or (rows, I) of a packed batch
        h0: Tensor,  # (L * D, B, H)
        weights: Sequence[Tensor],  # in the order of torch.nn.RNN's parameters
        settings: NetworkSettings,
        batch_sizes: Tensor | None = None,  # (T,), of a packed batch
    ) -> tuple[Tensor, Tensor]:
        """The last layer's states, (T, B, D * H) or (rows, D * H), and every layer's last state, (L * D, B, H)."""
