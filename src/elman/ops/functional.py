"""The face of the recurrence: `recurrence(...)` for users, `run_recurrence` for the layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from elman.kernels.casting import cast_floating
from elman.kernels.general.options import GeneralInputs, general_options
from elman.kernels.options import NONLINEARITIES, RecurrenceInputs, RecurrenceOptions, options_for
from elman.kernels.torch_private import is_forward_ad
from elman.ops.autocast import autocast_dtype, computed_in
from elman.ops.autograd import apply_recurrence
from elman.ops.general.functional import run_general
from elman.ops.validation import check_inputs


def recurrence(
    x: Tensor,  # (T, B, I) input, any strides
    h0: Tensor,  # (B, H) state before the first step
    w_ih: Tensor,  # (H, I)
    w_hh: Tensor,  # (H, H)
    bias: Tensor | None,  # (H,) the sum b_ih + b_hh
    *,
    lengths: Tensor | None = None,  # (B,) int64, 0 <= length <= T
    nonlinearity: str = "tanh",
    reverse: bool = False,
    residual: bool = False,
    mask: Tensor | None = None,  # (B, H)
    leak: float | Tensor | None = None,  # (H,)
    noise: float | Tensor | None = None,  # (H,)
    seed: int | Tensor | None = None,  # (2,) int64
    reset: Tensor | None = None,  # (T, B) bool
    restart: Tensor | None = None,  # (H,)
    form: str = "rate",
) -> tuple[Tensor, Tensor]:
    """The vanilla recurrence over a batch of sequences (the lecture's "The Vanilla RNN Forward").

        a_t = W_ih x_t + W_hh (mask * h_(t-1)) + bias
        h_t = f(a_t)   or, with `residual`, the identity connection h_(t-1) + f(a_t)

    With a leak, noise or resets, in the rate form and the current form (`elman.kernels.general.reference`):

        h_t = (1 - leak) r_t h_(t-1) + leak f(a_t),   a_t = W_ih x_t + W_hh (mask * r_t h_(t-1)) + bias + noise n_t
        v_t = (1 - leak) r_t v_(t-1) + leak a_t,      a_t with f(r_t v_(t-1)) in the place of h_(t-1);  h_t = f(v_t)

    T steps, B sequences, I inputs, H hidden units. Differentiable, any number of times, in x, h0, w_ih, w_hh, bias,
    leak, noise and restart. Composes with `torch.func.grad`, `vmap` and `jacrev`, `torch.compile`, `torch.export`, and
    autocast (`elman.ops.autocast`). Forward-mode differentiation takes the reference's way.

    Arguments:
        x: the input, shape (T, B, I).
        h0: the state before the first step, shape (B, H).
        w_ih: the input weights, shape (H, I).
        w_hh: the recurrent weights, shape (H, H).
        bias: shape (H,), or None.
        lengths: each sequence's length, shape (B,), int64. Steps past the end do no work; their outputs are zero,
            and the state is kept.
        nonlinearity: "tanh", "relu", "sigmoid", "softplus", "hardtanh", "rectified_tanh" (max(0, tanh a)),
            "leaky_relu" (slope 0.01) or "identity".
        reverse: run from each sequence's own last step to its first.
        residual: add the identity connection.
        mask: shape (B, H): multiplies h_(t-1) on its way into W_hh, the same at every step (variational dropout,
            Gal and Ghahramani 2016). It gets no gradient.
        leak: a number or one a unit, in (0, 1]: how much of a step is new, dt / tau.
        noise: a number or one a unit: the standard deviation of the noise in a_t.
        seed: of the noise; or two numbers, the seed and the stream, of which different ones are independent. The same
            seed gives the same noise for any number of threads and on every backend.
        reset: shape (T, B), bool: before which steps, in the order in which they are taken, the state is set to zero,
            or to `restart`.
        restart: shape (H,).
        form: "rate" or "current".

    Returns:
        h, shape (T, B, H), and the state after each sequence's last step, shape (B, H): of the current form v, which is
        also what `h0` and `restart` are there.

    Raises:
        ValueError: shapes, devices or the nonlinearity do not fit, or a length is outside 0..T.
        TypeError: the dtypes differ, or are not floating point.
    """
    terms = leak is not None or noise is not None or seed is not None or reset is not None or restart is not None
    if terms or form != "rate" or nonlinearity not in NONLINEARITIES:
        options = general_options(nonlinearity, reverse, residual, form)
        per_unit = (_per_unit("leak", leak, w_hh), _per_unit("noise", noise, w_hh), restart)
        given = GeneralInputs(x, h0, w_ih, w_hh, bias, *per_unit, None, lengths, mask, reset, _seed(seed))
        return run_general(given, options)[:2]
    return run_recurrence(
        RecurrenceInputs(x, h0, w_ih, w_hh, bias, lengths, mask), options_for(nonlinearity, reverse, residual)
    )


def _per_unit(name: str, value: float | Tensor | None, w_hh: Tensor) -> Tensor | None:
    """A number as one a unit, (H,)."""
    if value is None or isinstance(value, Tensor):
        return value
    if name == "leak" and not 0 < value <= 1:
        raise ValueError(f"leak is {value}; it must be greater than 0 and at most 1")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value}; it must be finite and not negative")
    return w_hh.new_full(w_hh.shape[:1], value)


def _seed(seed: int | Tensor | None) -> Tensor | None:
    """The seed and the stream, (2,) int64."""
    return torch.tensor((seed, 0)) if isinstance(seed, int) else seed


def run_recurrence(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """What `recurrence` does, and raises, with its arguments in two."""
    dtype = autocast_dtype(inputs.x)
    if dtype is not None:
        weights = inputs.w_ih.numel() + inputs.w_hh.numel()
        exact = options.residual or is_forward_ad()
        inputs = cast_floating(inputs, computed_in(dtype, inputs.x.device, weights, exact=exact))
    check_inputs(inputs)
    states = apply_recurrence(inputs, options)
    return states if dtype is None else cast_floating(states, dtype)
