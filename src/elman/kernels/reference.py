"""The recurrence and its adjoint in plain torch: the specification that every other backend is tested against.

The lecture's h_t = tanh W [x_t ; h_(t-1)], with W split by columns into [W_ih W_hh], and a bias b:

    forward     a_t = W_ih x_t + b + W_hh (m * h_(t-1))
                h_t = f(a_t)                    or, with the identity connection, h_(t-1) + f(a_t)

    adjoint     g_t     = dL/dh_t + c_t         all that reaches h_t: from the loss, and from later steps
                delta_t = g_t * f'(a_t)         f' in y_t = f(a_t) alone: 1 - y_t^2 for tanh, [y_t > 0] for relu
                c_(t-1) = m * (W_hh^T delta_t)  what goes on to h_(t-1); the identity connection adds g_t

                dL/dx_t = W_ih^T delta_t        dL/dh0 = c_0, and c_T = dL/dh_last
                dL/dW_ih = sum_t delta_t x_t^T, dL/dW_hh = sum_t delta_t (m * h_(t-1))^T, dL/db = sum_t delta_t

The sums over time are one matrix product each, over all steps at once, outside the loop. Sequences of different
lengths run sorted, longest first: those alive at a step are the first n, and nothing is computed for the others.
T steps, B sequences, I inputs, H hidden units; N rows, the live (step, sequence) pairs (see `rows`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from elman.kernels.options import Gradients, Needs, RecurrenceInputs, RecurrenceOptions
from elman.kernels.ragged import Rows


def why_unavailable(device: torch.device) -> str:
    """Plain torch runs on every device: always empty."""
    return ""


def why_unsupported(options: RecurrenceOptions, dtype: torch.dtype) -> str:
    """Every option is a line of this module: always empty."""
    return ""


def detail() -> str:
    """What the backend is made of."""
    return "plain torch"


def forward(inputs: RecurrenceInputs, options: RecurrenceOptions) -> tuple[Tensor, Tensor]:
    """Run the recurrence; returns h (T, B, H) and h_last (B, H), the state after each sequence's last step."""
    x, h0, w_ih, w_hh, bias, lengths, mask = inputs
    rows = Rows(x.shape[0], x.shape[1], lengths)
    x_rows = rows.gather(x)  # (N, I)
    a_rows = x_rows @ w_ih.t() if bias is None else torch.addmm(bias, x_rows, w_ih.t())  # (N, H)
    f = torch.tanh_ if options.nonlinearity == "tanh" else torch.relu_
    m = None if mask is None else rows.sort(mask)  # (B, H)
    w_hh_t = w_hh.t()
    state = rows.sort(h0)  # (B, H) the newest state of every sequence
    for n, a in rows.steps(a_rows, backwards=options.reverse):  # a (n, H): the input's share; h takes its place
        before = rows.alive(state, n)
        a.addmm_(before if m is None else before * rows.alive(m, n), w_hh_t)
        h = f(a).add_(before) if options.residual else f(a)
        state = h if n == rows.B else torch.cat([h, state[n:]])
    return rows.scatter(a_rows), rows.unsort(state)


def backward(
    grad_h: Tensor | None,  # (T, B, H) dL/dh; None where the loss does not see it
    grad_h_last: Tensor | None,  # (B, H) dL/dh_last, likewise
    inputs: RecurrenceInputs,
    h: Tensor,  # (T, B, H) as forward returned it
    options: RecurrenceOptions,
    needs: Needs,
) -> Gradients:
    """Run the adjoint; returns dL/dx, dL/dh0, dL/dw_ih, dL/dw_hh, dL/db, None where not needed.

    Nothing is written in place, so that differentiating this function gives the second derivatives.
    """
    x, h0, w_ih, w_hh, _, lengths, mask = inputs
    nonlinearity, reverse, residual = options.nonlinearity, options.reverse, options.residual
    rows = Rows(x.shape[0], x.shape[1], lengths)
    h_rows = rows.gather(h)  # (N, H)
    before = rows.previous(h_rows, rows.sort(h0), reverse) if residual or needs.w_hh else h_rows  # (N, H) h_(t-1)
    y = h_rows - before if residual else h_rows  # (N, H) f(a)
    # relu keeps what it shuts off rather than what it lets through: the gradient at NaN passes, as in torch
    slope = rows.split(1 - y * y if nonlinearity == "tanh" else y <= 0)
    m = None if mask is None else rows.sort(mask)  # (B, H)
    c = torch.zeros_like(h0) if grad_h_last is None else rows.sort(grad_h_last)  # (B, H)
    from_loss = rows.split(rows.gather(grad_h)) if grad_h is not None else None

    delta_steps: list[Tensor] = []
    for t in range(len(rows.sizes)) if reverse else reversed(range(len(rows.sizes))):
        n = rows.sizes[t]
        g = rows.alive(c, n) if from_loss is None else from_loss[t] + rows.alive(c, n)
        delta_t = g * slope[t] if nonlinearity == "tanh" else g.masked_fill(slope[t], 0)  # (n, H)
        delta_steps.append(delta_t)
        onward = delta_t @ w_hh if m is None else rows.alive(m, n) * (delta_t @ w_hh)
        if residual:
            onward = onward + g
        c = onward if n == rows.B else torch.cat([onward, c[n:]])

    delta = rows.join(delta_steps, backwards=not reverse, like=h0)  # (N, H)
    entering = before if m is None or not needs.w_hh else before * rows.spread(m)
    return Gradients(
        x=rows.scatter(delta @ w_ih) if needs.x else None,
        h0=rows.unsort(c) if needs.h0 else None,
        w_ih=delta.t() @ rows.gather(x) if needs.w_ih else None,
        w_hh=delta.t() @ entering if needs.w_hh else None,
        bias=delta.sum(0) if needs.bias else None,
    )
