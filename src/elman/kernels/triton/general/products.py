"""What of the general recurrence is whole: the drive before its steps, the states that the adjoint's kernels read, and
the gradients that are products with delta. Operations of torch that never wait for the device.

T steps, B sequences, I inputs, H hidden units, V networks; every tensor has V before its own dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from elman.kernels.general.activations import FUNCTIONS
from elman.kernels.general.options import GeneralGradients, GeneralInputs, GeneralNeeds, GeneralOptions
from elman.kernels.triton.padded import states_before, zero_padding


def drive_of(inputs: GeneralInputs) -> Tensor:
    """W_ih x_t + b, (V, T, B, H), in memory of its own."""
    x, w_ih, bias = inputs.x, inputs.w_ih, inputs.bias
    V, T, B, I = x.shape
    rows, weight = x.reshape(V, T * B, I), w_ih.transpose(1, 2)
    drive = torch.bmm(rows, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), rows, weight)
    return drive.view(V, T, B, w_ih.shape[1])


def restart_state(inputs: GeneralInputs) -> Tensor | None:
    """The state that a reset goes to, (V, H); None without resets."""
    if inputs.reset is None or inputs.restart is not None:
        return inputs.restart
    return torch.zeros_like(inputs.h0[:, 0])


def restarted(
    state: Tensor,  # (V, ..., H)
    reset: Tensor | None,  # (V, ...)
    restart: Tensor | None,  # (V, H), with reset
) -> Tensor:
    """The states, those that are reset in the restart state."""
    if reset is None or restart is None:
        return state
    other = restart.view(restart.shape[0], *[1] * (state.dim() - 2), restart.shape[1])
    return torch.where(reset.unsqueeze(-1), other, state)


def first_entering(inputs: GeneralInputs, options: GeneralOptions) -> Tensor:
    """m * q of the first step, (V, B, H), in memory of its own."""
    reset = None if inputs.reset is None else inputs.reset[:, -1 if options.reverse else 0]
    p = restarted(inputs.h0, reset, restart_state(inputs))
    q = FUNCTIONS[options.nonlinearity](p) if options.current else p
    return q.clone() if inputs.mask is None else q * inputs.mask


class States(NamedTuple):
    """What the adjoint's kernels read of every step, (V, T, B, H) each; past a sequence's end it says nothing."""

    y: Tensor  # f(z_t), of the current form h_t = f(v_t)
    q: Tensor  # as in `elman.kernels.general.reference`
    moved: Tensor | None  # y_t - p_t, of the current form v_t - p_t: for the leak's gradient


def states_of(
    inputs: GeneralInputs, h: Tensor, extra: Tensor | None, options: GeneralOptions, needs: GeneralNeeds
) -> States:
    """The states from what was saved."""
    own = extra if options.current and extra is not None else h
    p = states_before(own, inputs.h0, inputs.lengths, options.reverse)
    p = restarted(p, inputs.reset, restart_state(inputs))
    y = h
    if not options.current and (extra is not None or options.residual):
        y = h - p if extra is None else extra
    moved = None
    if inputs.leak is not None and needs.leak and extra is not None:
        moved = extra - p
    return States(y.contiguous(), FUNCTIONS[options.nonlinearity](p) if options.current else p, moved)


def products(
    inputs: GeneralInputs,
    delta: Tensor,  # (V, T, B, H) dL/dz, zero past a sequence's end
    q: Tensor,  # (V, T, B, H)
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients of x, the weights and the bias."""
    x, w_ih, w_hh, w_in, lengths = inputs.x, inputs.w_ih, inputs.w_hh, inputs.w_in, inputs.lengths
    V, T, B, I = x.shape
    rows = delta.view(V, T * B, -1)
    grad_w_ih = grad_w_hh = grad_w_in = None
    if needs.w_ih:
        grad_w_ih = rows.transpose(1, 2) @ zero_padding(x, lengths).reshape(V, T * B, I)
    if needs.w_hh or (w_in is not None and needs.w_in):
        masked = q if inputs.mask is None else q * inputs.mask.unsqueeze(1)
        entering = zero_padding(masked, lengths).reshape(V, T * B, -1)
        if needs.w_hh:
            grad_w_hh = rows.transpose(1, 2) @ (entering if w_in is None else entering @ w_in)
            grad_w_hh = grad_w_hh if inputs.connected is None else grad_w_hh * inputs.connected
        if w_in is not None and needs.w_in:
            grad_w_in = entering.transpose(1, 2) @ (rows @ w_hh)
    return GeneralGradients(
        x=(rows @ w_ih).view(V, T, B, I) if needs.x else None,
        w_ih=grad_w_ih,
        w_hh=grad_w_hh,
        bias=rows.sum(1) if needs.bias else None,
        w_in=grad_w_in,
    )
