"""The general recurrence and its adjoint in plain torch: the specification that other backends are tested against.

With a leak a, noise of size s, and resets (r_t p is p, or where a reset stands the restart state):

    rate form      p_t = r_t h_(t-1)      q_t = p_t        z_t = W_ih x_t + b + W_hh (m * q_t) + s * n_t
                   h_t = (1 - a) * p_t + a * y_t           y_t = f(z_t)
    current form   p_t = r_t v_(t-1)      q_t = f(p_t)     z_t as above
                   v_t = (1 - a) * p_t + a * z_t           h_t = f(v_t)

With the identity connection, which goes without a leak, 1 - a and a are both 1. In the current form the state, that of
`h0` and `h_last`, is v.

    adjoint, rate  g_t = dL/dh_t + c_t                     delta_t = a * g_t * f'(z_t) = dL/dz_t
                   e_t = (1 - a) * g_t + m * W_hh^T delta_t
    current        g_t = dL/dh_t * f'(v_t) + c_t           delta_t = a * g_t
                   e_t = (1 - a) * g_t + f'(p_t) * m * W_hh^T delta_t
    both           c_(t-1) = r_t e_t, and where a reset stands e_t goes to the restart state
                   dL/da = sum_t g_t * (y_t - p_t), or (z_t - p_t) = (v_t - p_t) / a;  dL/ds = sum_t delta_t * n_t

f' is written in f's value (`activations`), so what is saved is h, and `extra`, (T, B, H): y of the rate form with a
leak or the identity connection (`saves_extra`), v of the current form, nothing otherwise. The noise is not saved: it
is drawn again.
T steps, B sequences, I inputs, H hidden units; N rows, the live (step, sequence) pairs (see `elman.kernels.ragged`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from elman.kernels.general.activations import FUNCTIONS, through
from elman.kernels.general.noise import normal
from elman.kernels.general.options import (
    GeneralGradients,
    GeneralInputs,
    GeneralNeeds,
    GeneralOptions,
    saves_extra,
)
from elman.kernels.ragged import Rows


def forward(inputs: GeneralInputs, options: GeneralOptions) -> tuple[Tensor, Tensor, Tensor | None]:
    """h (T, B, H), the state after each sequence's last step (B, H), and `extra` (T, B, H) where it is saved."""
    inputs = without_unconnected(inputs)
    x, h0, w_ih, w_hh, bias, leak, noise, _, w_in, lengths, mask, *_ = inputs
    rows = Rows(x.shape[0], x.shape[1], lengths)
    x_rows = rows.gather(x)  # (N, I)
    z_rows = x_rows @ w_ih.t() if bias is None else torch.addmm(bias, x_rows, w_ih.t())  # (N, H)
    if noise is not None:
        z_rows = z_rows + noise * _noise_rows(inputs, rows)
    f, keep, gain = FUNCTIONS[options.nonlinearity], *_kept(leak, options)
    m = None if mask is None else rows.sort(mask)
    cut = _resets(inputs, rows)
    state = rows.sort(h0)  # (B, H) the newest state of every sequence
    h_steps: list[Tensor] = []
    extra_steps: list[Tensor] = []
    for t in _order(rows, options.reverse):
        n = rows.sizes[t]
        p = _restarted(rows.alive(state, n), None if cut is None else cut[t], inputs.restart)
        q = f(p) if options.current else p
        entering = q if m is None else rows.alive(m, n) * q
        z = rows.split(z_rows)[t] + (entering if w_in is None else entering @ w_in) @ w_hh.t()
        y = z if options.current else f(z)
        new = gain * y if isinstance(keep, int) and keep == 0 else keep * p + gain * y
        h_steps.append(f(new) if options.current else new)
        extra_steps.append(new if options.current else y)
        state = new if n == rows.B else torch.cat([new, state[n:]])
    h = rows.scatter(rows.join(h_steps, options.reverse, h0))
    extra = rows.scatter(rows.join(extra_steps, options.reverse, h0)) if saves_extra(inputs, options) else None
    return h, rows.unsort(state), extra


def backward(
    grad_h: Tensor | None,  # (T, B, H) dL/dh; None where the loss does not see it
    grad_h_last: Tensor | None,  # (B, H) likewise
    grad_extra: Tensor | None,  # (T, B, H) likewise: a second derivative alone sees it
    inputs: GeneralInputs,
    h: Tensor,  # (T, B, H) as forward returned it
    extra: Tensor | None,  # likewise
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients of the inputs, None where not needed. Nothing is written in place, as in the plain reference."""
    inputs = without_unconnected(inputs)
    x, h0, _, w_hh, _, leak, noise, restart, w_in, lengths, mask, *_ = inputs
    rows = Rows(x.shape[0], x.shape[1], lengths)
    keep, gain = _kept(leak, options)
    cut = _resets(inputs, rows)
    h_rows = rows.gather(h)
    p_rows, q_rows = states_before(inputs, h, extra, options, rows)
    kept = h_rows - p_rows if options.residual else h_rows
    extra_rows = kept if extra is None else rows.gather(extra)
    h_of, extra_of, p_of, q_of = (rows.split(each) for each in (h_rows, extra_rows, p_rows, q_rows))
    m = None if mask is None else rows.sort(mask)
    c = torch.zeros_like(h0) if grad_h_last is None else rows.sort(grad_h_last)  # (B, H)
    from_h = None if grad_h is None else rows.split(rows.gather(grad_h))
    from_extra = None if grad_extra is None else rows.split(rows.gather(grad_extra))
    name = options.nonlinearity

    delta_steps: list[Tensor] = []
    leak_steps: list[Tensor] = []
    restart_steps: list[Tensor] = []
    for t in _order(rows, not options.reverse):
        n = rows.sizes[t]
        g = rows.alive(c, n)
        if from_h is not None:
            g = g + (through(name, from_h[t], h_of[t]) if options.current else from_h[t])
        if options.current:
            g = g if from_extra is None else g + from_extra[t]
            delta = gain * g
        else:
            y_grad = gain * g if from_extra is None else gain * g + from_extra[t]
            delta = through(name, y_grad, extra_of[t])
        delta_steps.append(delta)
        if leak is not None and needs.leak:
            leak_steps.append((g * (extra_of[t] - p_of[t])).sum(0))
        onward = delta @ w_hh if w_in is None else (delta @ w_hh) @ w_in.t()
        if m is not None:
            onward = rows.alive(m, n) * onward
        if options.current:
            onward = through(name, onward, q_of[t])
        if not (isinstance(keep, int) and keep == 0):
            onward = onward + keep * g
        if cut is not None:
            resets = cut[t].unsqueeze(1)
            restart_steps.append(torch.where(resets, onward, 0).sum(0))
            onward = torch.where(resets, 0, onward)
        c = onward if n == rows.B else torch.cat([onward, c[n:]])

    delta_rows = rows.join(delta_steps, not options.reverse, h0)  # (N, H)
    grad_leak = None
    if leak is not None and needs.leak:
        grad_leak = _sum(leak_steps, leak) / leak if options.current else _sum(leak_steps, leak)
    grad_noise = None
    if noise is not None and needs.noise:
        grad_noise = (delta_rows * _noise_rows(inputs, rows)).sum(0)
    return products(inputs, delta_rows, q_rows, rows, needs)._replace(
        h0=rows.unsort(c) if needs.h0 else None,
        leak=grad_leak,
        noise=grad_noise,
        restart=_sum(restart_steps, restart) if restart is not None and needs.restart else None,
    )


def states_before(
    inputs: GeneralInputs, h: Tensor, extra: Tensor | None, options: GeneralOptions, rows: Rows
) -> tuple[Tensor, Tensor]:
    """p_t and q_t of the live rows, (N, H) each."""
    states = rows.gather(extra) if options.current and extra is not None else rows.gather(h)
    p_rows = rows.previous(states, rows.sort(inputs.h0), options.reverse)
    p_rows = _restarted(p_rows, None if inputs.reset is None else rows.gather(inputs.reset), inputs.restart)
    return p_rows, FUNCTIONS[options.nonlinearity](p_rows) if options.current else p_rows


def products(
    inputs: GeneralInputs,
    delta: Tensor,  # (N, H) dL/dz of the live rows
    q: Tensor,  # (N, H) as `states_before` returns it
    rows: Rows,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """The gradients that are products with dL/dz: of x, the weights and the bias."""
    w_hh, w_in = inputs.w_hh, inputs.w_in
    entering = q if inputs.mask is None else q * rows.spread(rows.sort(inputs.mask))
    grad_w_hh = None
    if needs.w_hh:
        grad_w_hh = delta.t() @ (entering if w_in is None else entering @ w_in)
        grad_w_hh = grad_w_hh if inputs.connected is None else grad_w_hh * inputs.connected
    return GeneralGradients(
        x=rows.scatter(delta @ inputs.w_ih) if needs.x else None,
        w_ih=delta.t() @ rows.gather(inputs.x) if needs.w_ih else None,
        w_hh=grad_w_hh,
        bias=delta.sum(0) if needs.bias else None,
        w_in=entering.t() @ (delta @ w_hh) if w_in is not None and needs.w_in else None,
    )


def without_unconnected(inputs: GeneralInputs) -> GeneralInputs:
    """The inputs with zeros in w_hh where nothing is connected."""
    return inputs if inputs.connected is None else inputs._replace(w_hh=inputs.w_hh * inputs.connected)


def _kept(leak: Tensor | None, options: GeneralOptions) -> tuple[Tensor | int, Tensor | int]:
    """What is kept of the state before, 1 - a, and how much of the new is taken, a."""
    if options.residual:  # it has no leak: the two say different things of h_(t-1)
        return 1, 1
    return (0, 1) if leak is None else (1 - leak, leak)


def _order(rows: Rows, backwards: bool) -> list[int]:
    steps = range(len(rows.sizes))
    return list(reversed(steps)) if backwards else list(steps)


def _resets(inputs: GeneralInputs, rows: Rows) -> tuple[Tensor, ...] | None:
    """Of each step, which of its live sequences are reset, (n,) bool."""
    return None if inputs.reset is None else rows.split(rows.gather(inputs.reset))


def _restarted(state: Tensor, reset: Tensor | None, restart: Tensor | None) -> Tensor:
    """The states (n, H), those that are reset in the restart state."""
    if reset is None:
        return state
    other = state.new_zeros(()) if restart is None else restart
    return torch.where(reset.unsqueeze(1), other, state)


def _noise_rows(inputs: GeneralInputs, rows: Rows) -> Tensor:
    """n_t of the live rows, (N, H)."""
    assert inputs.seed is not None
    seed, stream = inputs.seed.tolist()
    T, B, _ = inputs.x.shape
    drawn = normal(seed, stream, T, B, inputs.w_ih.shape[0], inputs.x.device)
    return rows.gather(drawn.to(inputs.x.dtype))


def _sum(steps: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(steps).sum(0) if steps else torch.zeros_like(like)
