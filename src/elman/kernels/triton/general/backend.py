"""The general recurrence of V networks on a GPU, in Triton: `elman.kernels.protocols.GeneralForm`.

Small layers take all steps in one launch, large ones a launch a step, of low rank a product more a step. Nothing waits
for the device: lengths and resets stay there. T steps, B sequences, I inputs, H hidden units, V networks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from elman.kernels.general import one_by_one
from elman.kernels.general.options import GeneralGradients, GeneralInputs, GeneralNeeds, GeneralOptions, saves_extra
from elman.kernels.general.reference import without_unconnected
from elman.kernels.triton.general.noise_launch import add_noise, noise_gradient
from elman.kernels.triton.general.products import drive_of, products, states_of
from elman.kernels.triton.general.runs import run, run_back
from elman.kernels.triton.launch import contiguous


def forward_many(
    inputs: GeneralInputs,  # each tensor with V before its own dimensions
    options: GeneralOptions,
    save: bool = True,  # there will be an adjoint
) -> tuple[Tensor, Tensor, Tensor | None]:
    """h (V, T, B, H), the last states (V, B, H), and `extra` (V, T, B, H) where the adjoint needs it.

    A length outside 0..T counts as the nearest of them.
    """
    inputs = _prepared(inputs)
    drive = drive_of(inputs)
    if not drive.numel():
        return one_by_one.forward_many(inputs, options, save)
    if inputs.noise is not None:
        if inputs.seed is None:
            raise ValueError("noise needs a seed")
        add_noise(drive, inputs.noise, inputs.seed)
    h = torch.empty_like(drive)
    extra = torch.empty_like(drive) if saves_extra(inputs, options) and (save or options.current) else None
    return h, run(inputs, drive, h, extra, options), extra


def backward_many(
    grad_h: Tensor | None,  # (V, T, B, H)
    grad_h_last: Tensor | None,  # (V, B, H)
    inputs: GeneralInputs,
    h: Tensor,  # as `forward_many` returned it
    extra: Tensor | None,
    options: GeneralOptions,
    needs: GeneralNeeds,
) -> GeneralGradients:
    """delta by the kernels, then each gradient as one product of torch; None where not needed."""
    if not h.numel():
        return one_by_one.backward_many(grad_h, grad_h_last, None, inputs, h, extra, options, needs)
    inputs = _prepared(inputs)
    h0, leak = inputs.h0, inputs.leak
    states = states_of(inputs, h, extra, options, needs)
    leak_sums, restart_sums = (
        torch.zeros_like(h0, dtype=torch.float32) if asked else None
        for asked in (states.moved is not None, inputs.restart is not None and needs.restart)
    )
    delta, grad_h0 = run_back(grad_h, grad_h_last, inputs, states, (leak_sums, restart_sums), options)
    grad_leak = grad_noise = None
    if leak_sums is not None and leak is not None:
        grad_leak = (leak_sums.sum(1) / leak if options.current else leak_sums.sum(1)).to(h.dtype)
    if inputs.noise is not None and inputs.seed is not None and needs.noise:
        grad_noise = noise_gradient(delta, inputs.seed)
    return products(inputs, delta, states.q, needs)._replace(
        h0=grad_h0 if needs.h0 else None,
        leak=grad_leak,
        noise=grad_noise,
        restart=None if restart_sums is None else restart_sums.sum(1).to(h.dtype),
    )


def _prepared(inputs: GeneralInputs) -> GeneralInputs:
    """The tensors as the kernels read them, but x, which none of them does; w_hh is zero where nothing is connected."""
    inputs = without_unconnected(inputs)
    return GeneralInputs(inputs.x, *(contiguous(tensor) for tensor in inputs[1:]))  # type: ignore[arg-type]
