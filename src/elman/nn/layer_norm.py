"""Layer normalisation inside the recurrence: a plain loop over the steps, differentiated by autograd.

    h_t = f(LN(W_ih x_t + W_hh h_(t-1)))        Ba, Kiros and Hinton (2016), equation 4

with LN(a) = gain * (a - mean(a)) / std(a) + bias over the hidden units. T steps, B sequences, I inputs, H hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.kernels.options import RecurrenceInputs, RecurrenceOptions


def normalised_recurrence(
    inputs: RecurrenceInputs, options: RecurrenceOptions, *, gain: Tensor
) -> tuple[Tensor, Tensor]:
    """What `elman.recurrence` computes, with every pre-activation normalised.

    Slower than the recurrence without it, and steps past a sequence's end are computed and thrown away.

    Arguments:
        gain: the normalisation's gain, (H,); its bias is that of the inputs.

    Returns:
        h (T, B, H) and h_last (B, H).
    """
    x, h0, w_ih, w_hh, bias, lengths, mask = inputs
    T, H = x.shape[0], w_hh.shape[0]
    alive = None
    if lengths is not None:
        alive = (lengths > torch.arange(T, device=x.device).unsqueeze(1)).unsqueeze(2)  # (T, B, 1)
        x = torch.where(alive, x, 0)  # what lies in the padding reaches neither a state nor a gradient
    f = torch.tanh if options.nonlinearity == "tanh" else torch.relu
    drive = F.linear(x, w_ih)  # (T, B, H)
    h = h0.to(drive.dtype)
    outputs = [drive.new_empty(0, H)] * T
    for t in reversed(range(T)) if options.reverse else range(T):
        entering = h if mask is None else h * mask
        new = f(F.layer_norm(drive[t] + F.linear(entering, w_hh), (H,), gain, bias))
        if options.residual:
            new = h + new
        h = new if alive is None else torch.where(alive[t], new, h)
        outputs[t] = h if alive is None else torch.where(alive[t], h, 0)
    return torch.stack(outputs), h
