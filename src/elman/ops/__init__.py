"""`recurrence(...)`: the vanilla recurrence as one differentiable operation, whatever machine runs it.

Here is its face. `checks` says what is wrong with its arguments, `functions` makes it differentiable, `batching` is
what `torch.vmap` does to it, and `operators` is what `torch.compile` and `torch.export` see of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from elman.ops.autograd import apply_recurrence
from elman.ops.validation import check_arguments

__all__ = ["recurrence"]


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
    if torch._C._is_any_autocast_enabled() and torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, h0, w_ih, w_hh = (_autocast(tensor, dtype) for tensor in (x, h0, w_ih, w_hh))
        bias = None if bias is None else _autocast(bias, dtype)
        mask = None if mask is None else _autocast(mask, dtype)
    check_arguments(x, h0, w_ih, w_hh, bias, lengths=lengths, nonlinearity=nonlinearity, mask=mask)
    return apply_recurrence(x, h0, w_ih, w_hh, bias, lengths, nonlinearity, reverse, residual, mask)


def _autocast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """What autocast does to an argument; it leaves float64 alone."""
    return tensor.to(dtype) if tensor.is_floating_point() and tensor.dtype != torch.float64 else tensor
