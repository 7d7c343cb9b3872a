"""What `torch.vmap` does to the recurrence: V batches of B sequences become one of V * B, where they can.

T steps, B sequences, I inputs, H hidden units, V the size of the dimension that `vmap` adds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from elman.kernels.general.options import GeneralInputs, GeneralOptions, general_options
from elman.kernels.options import Gradients, Needs, RecurrenceInputs, RecurrenceOptions
from elman.kernels.ragged import Rows

# where the batch dimension stands, V not counted; the weights have none
BATCH_OF_STEPS, BATCH_OF_STATES = 1, 0
Adjoint = Callable[[Tensor | None, Tensor | None, RecurrenceInputs, Tensor, RecurrenceOptions, Needs], Gradients]


def fold_inputs(inputs: RecurrenceInputs, in_dims: RecurrenceInputs, V: int) -> RecurrenceInputs:
    """Lay the V copies of the inputs side by side; the weights are the same for all. `in_dims` says where V stands."""
    at: Any = in_dims
    x, h0 = fold(inputs.x, at.x, V, BATCH_OF_STEPS), fold(inputs.h0, at.h0, V, BATCH_OF_STATES)
    return inputs._replace(
        x=x,
        h0=h0,
        lengths=None if inputs.lengths is None else fold(inputs.lengths, at.lengths, V, BATCH_OF_STATES),
        mask=None if inputs.mask is None else fold(inputs.mask, at.mask, V, BATCH_OF_STATES),
    )


def fold(tensor: Tensor, in_dim: int | None, V: int, batch: int) -> Tensor:
    """Lay the V copies of one tensor side by side in its dimension `batch`.

    Arguments:
        in_dim: where V stands, None where the tensor is the same for all.
        batch: where the batch dimension stands, V not counted.
    """
    spread = tensor.unsqueeze(batch) if in_dim is None else tensor.movedim(in_dim, batch)
    sizes = list(spread.shape)
    sizes[batch] = V
    return spread.expand(sizes).flatten(batch, batch + 1)


def unfold(tensor: Tensor, V: int, batch: int) -> Tensor:
    """Take the V copies in dimension `batch` apart again; V comes to stand there."""
    sizes = list(tensor.shape)
    return tensor.reshape(*sizes[:batch], V, sizes[batch] // V, *sizes[batch + 1 :])


def unfold_gradients(gradients: Gradients, V: int) -> Gradients:
    """Take the V copies of the gradients of x and h0 apart again."""
    return Gradients(
        x=None if gradients.x is None else unfold(gradients.x, V, BATCH_OF_STEPS),
        h0=None if gradients.h0 is None else unfold(gradients.h0, V, BATCH_OF_STATES),
    )


def gradient_dims(needs: Needs) -> tuple[int, ...]:
    """Where V stands in each gradient that is needed."""
    dims = Gradients._fields, needs
    return tuple(BATCH_OF_STEPS if name == "x" else BATCH_OF_STATES for name, need in zip(*dims, strict=True) if need)


def weights_differ(in_dims: RecurrenceInputs) -> bool:
    """Whether each of the V copies has weights of its own."""
    return any(dim is not None for dim in (in_dims.w_ih, in_dims.w_hh, in_dims.bias))


def networks_of(inputs: RecurrenceInputs, in_dims: RecurrenceInputs, V: int) -> GeneralInputs:
    """V networks, each tensor with V before its own dimensions; what is the same for all is expanded."""
    pairs: Any = zip(inputs, in_dims, strict=True)
    x, h0, w_ih, w_hh, bias, lengths, mask = (stacked(tensor, dim, V) for tensor, dim in pairs)
    return GeneralInputs(x, h0, w_ih, w_hh, bias, lengths=lengths, mask=mask)


def stacked(tensor: Any, in_dim: int | None, V: int) -> Any:
    """The tensor with V before its own dimensions; None stays None."""
    if tensor is None:
        return None
    return tensor.expand(V, *tensor.shape) if in_dim is None else tensor.movedim(in_dim, 0)


def networks_options(options: RecurrenceOptions) -> GeneralOptions:
    """The same options for the general recurrence, of which the plain one is a part."""
    return general_options(options.nonlinearity, options.reverse, options.residual, "rate")


def weight_gradients(
    apply_adjoint: Adjoint,
    V: int,
    grad_h: Tensor | None,  # these, the inputs and h folded
    grad_h_last: Tensor | None,
    inputs: RecurrenceInputs,
    h: Tensor,
    options: RecurrenceOptions,
    needs: Needs,
) -> Gradients:
    """The adjoint with a weight gradient for each of the V copies: one run backwards, then one product a copy."""
    w_hh = inputs.w_hh
    # were the input weights the identity, the gradient to the input would be delta, which is all that is needed
    eye = torch.eye(w_hh.shape[0], dtype=w_hh.dtype, device=w_hh.device)
    delta_only = Needs(x=True, h0=needs.h0, w_ih=False, w_hh=False, bias=False)
    as_input = inputs._replace(x=h, w_ih=eye, bias=None)
    found = apply_adjoint(grad_h, grad_h_last, as_input, h, options, delta_only)
    delta: Any = found.x
    apart = unfold(delta, V, BATCH_OF_STEPS)  # (T, V, B, H)
    rows = Rows(inputs.x.shape[0], inputs.x.shape[1], inputs.lengths)
    grad_w_ih = grad_w_hh = None
    if needs.w_ih:
        seen = rows.scatter(rows.gather(inputs.x))  # what lies in the padding may be anything, NaN too
        grad_w_ih = torch.einsum("tvbh,tvbi->vhi", apart, unfold(seen, V, BATCH_OF_STEPS))
    if needs.w_hh:
        before = rows.scatter(rows.previous(rows.gather(h), rows.sort(inputs.h0), options.reverse))
        entering = before if inputs.mask is None else before * inputs.mask
        grad_w_hh = torch.einsum("tvbh,tvbk->vhk", apart, unfold(entering, V, BATCH_OF_STEPS))
    return Gradients(
        x=unfold(delta @ inputs.w_ih, V, BATCH_OF_STEPS) if needs.x else None,
        h0=None if found.h0 is None else unfold(found.h0, V, BATCH_OF_STATES),
        w_ih=grad_w_ih,
        w_hh=grad_w_hh,
        bias=apart.sum((0, 2)) if needs.bias else None,
    )
