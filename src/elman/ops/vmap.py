"""What `torch.vmap` does to the recurrence: V batches of B sequences become one of V * B, where they can.

T steps, B sequences, I inputs, H hidden units, V the size of the dimension that `vmap` adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from elman.kernels.ragged import Rows


def fold(args: Sequence[Any], in_dims: Sequence[Any], V: int, batch_dims: dict[int, int]) -> list[Any]:
    """Lay the V copies of some arguments side by side.

    Arguments:
        args: the operation's arguments.
        in_dims: where V stands in each, None where it does not.
        V: the number of copies.
        batch_dims: argument -> where its batch dimension stands, V not counted.
    """
    folded = list(args)
    for i, batch in batch_dims.items():
        if args[i] is not None:
            spread = args[i].unsqueeze(batch) if in_dims[i] is None else args[i].movedim(in_dims[i], batch)
            sizes = list(spread.shape)
            sizes[batch] = V
            folded[i] = spread.expand(sizes).flatten(batch, batch + 1)
    return folded


def unfold(tensor: Tensor, V: int, batch: int) -> Tensor:
    """Take the V copies in dimension `batch` apart again; V comes to stand there."""
    sizes = list(tensor.shape)
    return tensor.reshape(*sizes[:batch], V, sizes[batch] // V, *sizes[batch + 1 :])


def one_by_one(
    apply: Callable[..., Sequence[Tensor]], V: int, in_dims: Sequence[Any], args: Sequence[Any]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """V calls one after the other, for weights that differ; returns the outputs and where V stands in them."""
    results = []
    for v in range(V):
        pairs = zip(args, in_dims, strict=True)
        results.append(apply(*(arg.select(dim, v) if isinstance(dim, int) else arg for arg, dim in pairs)))
    stacked = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)


def weight_gradients(
    apply_adjoint: Callable[..., Sequence[Tensor]],
    V: int,
    args: Sequence[Any],  # the adjoint's, folded
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """The adjoint with a weight gradient for each of the V copies: one run backwards, then one product a copy.

    Returns the gradients that are needed, and where V stands in them.
    """
    grad_h, grad_h_last, x, h0, w_ih, w_hh, _, h, lengths, nonlinearity, reverse, residual, mask, needs = args
    # were the input weights the identity, the gradient to the input would be delta, which is all that is needed
    eye = torch.eye(w_hh.shape[0], dtype=w_hh.dtype, device=w_hh.device)
    options = (lengths, nonlinearity, reverse, residual, mask)
    delta_only = (True, needs[1], False, False, False)
    delta, *rest = apply_adjoint(grad_h, grad_h_last, h, h0, eye, w_hh, None, h, *options, delta_only)
    apart = unfold(delta, V, 1)  # (T, V, B, H)
    grads: list[tuple[Tensor, int]] = []
    if needs[0]:
        grads.append((unfold(delta @ w_ih, V, 1), 1))
    if needs[1]:
        grads.append((unfold(rest[0], V, 0), 0))
    rows = Rows(x.shape[0], x.shape[1], lengths)
    if needs[2]:
        seen = rows.scatter(rows.gather(x))  # what lies in the padding may be anything, NaN too
        grads.append((torch.einsum("tvbh,tvbi->vhi", apart, unfold(seen, V, 1)), 0))
    if needs[3]:
        before = rows.scatter(rows.previous(rows.gather(h), rows.sort(h0), reverse))
        entering = before if mask is None else before * mask
        grads.append((torch.einsum("tvbh,tvbk->vhk", apart, unfold(entering, V, 1)), 0))
    if needs[4]:
        grads.append((apart.sum((0, 2)), 0))
    return tuple(grad for grad, _ in grads), tuple(dim for _, dim in grads)
