"""The face of the recurrence: `recurrence(...)` for users, `run_recurrence` for the layers."""

from __future__ import annotations

import torch
from torch import Tensor

from elman.kernels.options import RecurrenceInputs, RecurrenceOptions, options_for
from elman.kernels.torch_private import is_any_autocast_enabled
from elman.ops.autograd import apply_recurrence
from elman.ops.validation import check_inputs


def recurrence(
    x: Tensor,  # (T, B, I) input, any strides
    h0: Tensor,  # (B, H) state before the first step
    w_ih: Tensor,  # (H, I)
    w_hh: Tensor,  # (H, H)
    bias: Tensor | None,  # (H,) the sum b_ih + b_hh
    *,
    lengths: Tensor | None = None,  # (B,) int64, 0 <= length <= T
    nonlinearity: str = "tanh",  # "tanh" | "relu"
    reverse: bool = False,
    residual: bool = False,
    mask: Tensor | None = None,  # (B, H)
) -> tuple[Tensor, Tensor]:
    """The vanilla recurrence over a batch of sequences (the lecture's "The Vanilla RNN Forward").

        a_t = W_ih x_t + W_hh (mask * h_(t-1)) + bias
        h_t = f(a_t)   or, with `residual`, the identity connection h_(t-1) + f(a_t)

    T steps, B sequences, I inputs, H hidden units. Differentiable, any number of times, in x, h0, w_ih, w_hh and
    bias. Composes with `torch.func.grad`, `vmap` and `jacrev`, `torch.compile`, `torch.export`, and autocast, which
    casts the arguments once, here. Forward-mode differentiation raises.

    Arguments:
        x: the input, shape (T, B, I).
        h0: the state before the first step, shape (B, H).
        w_ih: the input weights, shape (H, I).
        w_hh: the recurrent weights, shape (H, H).
        bias: shape (H,), or None.
        lengths: each sequence's length, shape (B,), int64. Steps past the end do no work; their outputs are zero,
            and the state is kept.
        nonlinearity: "tanh" or "relu".
        reverse: run from each sequence's own last step to its first.
        residual: add the identity connection.
        mask: shape (B, H): multiplies h_(t-1) on its way into W_hh, the same at every step (variational dropout,
            Gal and Ghahramani 2016). It gets no gradient.

    Returns:
        h, shape (T, B, H), and the state after each sequence's last step, shape (B, H).

    Raises:
        ValueError: shapes, devices or the nonlinearity do not fit, or a length is outside 0..T.
        TypeError: the dtypes differ, or are not floating point.
    """
    inputs = RecurrenceInputs(x, h0, w_ih, w_hh, bias, lengths, mask)
    return run_recurrence(inputs, options_for(nonlinearity, reverse, residual))


def run_recurrence(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """What `recurrence` does, and raises, with its arguments in two."""
    if is_any_autocast_enabled() and torch.is_autocast_enabled(inputs.x.device.type):
        dtype = torch.get_autocast_dtype(inputs.x.device.type)
        inputs = RecurrenceInputs(*(_autocast(tensor, dtype) for tensor in inputs))  # type: ignore[arg-type]
    check_inputs(inputs)
    return apply_recurrence(inputs, options)


def _autocast(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """What autocast does to an argument; it leaves float64 and integers alone."""
    if tensor is None or not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(dtype)
