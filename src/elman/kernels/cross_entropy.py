"""An output layer and its cross-entropy in one sweep: the logits of some rows at a time, never of all.

N rows (the places of a batch that have a target), H numbers in each, V vocabulary. The logits z = W h + b of R rows are
made, give their losses, and become the gradient p - q in the place where they lie, which the two other products
read; then the next R rows take their place. So R V numbers are stored in the place of several times N V.
A sweep over pieces of the vocabulary too would bound R V for any V, and would have to make every logit twice.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import torch
from torch import Tensor

from elman.kernels.cpu import cross_entropy as native
from elman.kernels.cpu.library import in_memory
from elman.kernels.options import PLAIN, PLAIN_TYPES
from elman.kernels.selection import select_backend

NUMBERS_AT_ONCE = {"cpu": 1 << 22}
"""Logits that are stored at once, but for `LEAST_ROWS`, by device: 16 MiB in float32."""
NUMBERS_AT_ONCE_ELSEWHERE = 1 << 26
"""The same on a GPU, which small products leave idle: 256 MiB."""
LEAST_ROWS = 64
"""Fewer rows than this make the products slow."""
_kept = threading.local()


class LossOptions(NamedTuple):
    """What of the loss is no tensor.

    Arguments:
        ignore_index: a row with this target has no loss and no gradient.
        smoothing: the share of the target's probability that is spread over all V (Szegedy et al. 2016, sec. 7).
    """

    ignore_index: int = -100
    smoothing: float = 0.0


class LossNeeds(NamedTuple):
    """Which gradients are asked for."""

    hidden: bool = False
    weight: bool = False
    bias: bool = False


class LossGradients(NamedTuple):
    """The gradients, None where not asked for."""

    hidden: Tensor | None = None  # (N, H)
    weight: Tensor | None = None  # (V, H)
    bias: Tensor | None = None  # (V,)


def sum_dtype(dtype: torch.dtype) -> torch.dtype:
    """What losses are computed in: float32 for what has fewer bits."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def sweep(
    hidden: Tensor,  # (N, H)
    weight: Tensor,  # (V, H)
    bias: Tensor | None,  # (V,)
    targets: Tensor,  # (N,) int64
    options: LossOptions,
    needs: LossNeeds,
    scale: Tensor | None = None,  # (N,) multiplies each row's gradient
) -> tuple[Tensor, LossGradients]:
    """The loss (N,) of every row, in nats, and the gradients of their (scaled) sum.

    Raises:
        IndexError: a target is neither 0..V-1 nor `ignore_index`.
    """
    hidden, weight, targets = in_memory(hidden), in_memory(weight), targets.contiguous()
    (N, H), V = hidden.shape, weight.shape[0]
    _check_targets(targets, V, options)
    dtype, sums = hidden.dtype, sum_dtype(hidden.dtype)
    bias, scale = (None if part is None else in_memory(part.contiguous()).to(sums) for part in (bias, scale))
    losses = hidden.new_empty(N, dtype=sums)
    grad_hidden = torch.empty_like(hidden, memory_format=torch.contiguous_format) if needs.hidden else None
    grad_weight = hidden.new_zeros((V, H), dtype=sums) if needs.weight and not N else None
    grad_bias = hidden.new_zeros(V, dtype=sums) if needs.bias else None
    most = NUMBERS_AT_ONCE.get(hidden.device.type, NUMBERS_AT_ONCE_ELSEWHERE)
    chunks = -(-N // max(LEAST_ROWS, most // V))
    rows = -(-N // max(chunks, 1))
    products = _buffer(hidden, rows * V, dtype).view(rows, V)
    logits = products if dtype == sums else hidden.new_empty((rows, V), dtype=sums)
    for start in range(0, N, max(rows, 1)):
        part = slice(start, min(start + rows, N))
        h, product, z = hidden[part], products[: part.stop - start], logits[: part.stop - start]
        torch.mm(h, weight.t(), out=product)
        if product is not z and dtype != sums:
            z.copy_(product)
        row_losses(
            z,
            bias,
            targets[part],
            losses[part],
            options,
            scale=None if scale is None else scale[part],
            gradient=any(needs),
            grad_bias=grad_bias,
        )
        if dtype != sums:
            product.copy_(z)
        if grad_hidden is not None:
            torch.mm(product, weight, out=grad_hidden[part])
        if needs.weight:
            grad_weight = _add_product(grad_weight, product.t(), h, sums)
    return losses, LossGradients(
        grad_hidden,
        None if grad_weight is None else grad_weight.to(weight.dtype),
        None if grad_bias is None else grad_bias.to(weight.dtype),
    )


def row_losses(
    logits: Tensor,  # (R, V) without the bias; overwritten
    bias: Tensor | None,  # (V,)
    targets: Tensor,  # (R,)
    losses: Tensor,  # (R,) written
    options: LossOptions,
    *,
    scale: Tensor | None = None,  # (R,) multiplies each row's gradient
    gradient: bool = False,  # the logits become their gradient
    grad_bias: Tensor | None = None,  # (V,) to which the gradient's sum over the rows is added
) -> None:
    """The losses of a chunk of rows: natively where the recurrence of this dtype runs natively, else in plain torch."""
    ignore_index, smoothing = options
    if logits.dtype in native.DTYPES and select_backend(PLAIN, logits.device, logits.dtype).name == "cpu":
        native.row_losses(
            logits,
            bias,
            targets,
            losses,
            ignore_index=ignore_index,
            smoothing=smoothing,
            scale=scale,
            gradient=gradient,
            grad_bias=grad_bias,
        )
        return
    if bias is not None:
        logits += bias
    ignored = targets == ignore_index
    at = targets.masked_fill(ignored, 0).unsqueeze(1)
    log_sum = logits.logsumexp(1)
    found = log_sum - (1 - smoothing) * logits.gather(1, at).squeeze(1)
    if smoothing:
        found -= smoothing * logits.mean(1)
    losses.copy_(found.masked_fill(ignored, 0))
    if not gradient:
        return
    logits.sub_(log_sum.unsqueeze(1)).exp_()
    if smoothing:
        logits -= smoothing / logits.shape[1]
    logits.scatter_add_(1, at, logits.new_full(at.shape, smoothing - 1))
    logits.masked_fill_(ignored.unsqueeze(1), 0)
    if scale is not None:
        logits *= scale.unsqueeze(1)
    if grad_bias is not None:
        grad_bias += logits.sum(0)


def gradients_in_torch(
    scale: Tensor,  # (N,)
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    options: LossOptions,
) -> tuple[Tensor, ...]:
    """The three gradients (two without a bias) of `sweep` written out in torch, to be differentiated once more.

    All N V logits are stored.
    """
    logits = torch.nn.functional.linear(hidden, weight, bias).to(sum_dtype(hidden.dtype))
    ignored = targets == options.ignore_index
    wanted = torch.nn.functional.one_hot(targets.masked_fill(ignored, 0), weight.shape[0]).to(logits.dtype)
    wanted = (1 - options.smoothing) * wanted + options.smoothing / weight.shape[0]
    delta = ((logits.softmax(1) - wanted) * scale.masked_fill(ignored, 0).unsqueeze(1)).to(hidden.dtype)
    found = delta @ weight, delta.t() @ hidden
    return found if bias is None else (*found, delta.sum(0))


def _buffer(like: Tensor, numbers: int, dtype: torch.dtype) -> Tensor:
    """Memory for logits, which a thread keeps from call to call: fresh pages cost a tenth of all that is done here."""
    if like.device.type != "cpu" or type(like) not in PLAIN_TYPES or numbers > 2 * NUMBERS_AT_ONCE["cpu"]:
        return like.new_empty(numbers, dtype=dtype)
    kept = getattr(_kept, "memory", None)
    if kept is None or kept.numel() < numbers * dtype.itemsize:
        kept = _kept.memory = torch.empty(numbers * dtype.itemsize, dtype=torch.uint8)
    return kept[: numbers * dtype.itemsize].view(dtype)


def _add_product(total: Tensor | None, a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """`total` + a b, in `dtype`; None stands for zeros."""
    if a.dtype != dtype:
        product = torch.mm(a, b)
        return product.to(dtype) if total is None else total.add_(product)
    return torch.mm(a, b) if total is None else total.addmm_(a, b)


def _check_targets(targets: Tensor, V: int, options: LossOptions) -> None:
    if targets.device.type != "cpu":  # to look is to wait for the device, whose own gather complains
        return
    wrong = ((targets < 0) | (targets >= V)) & (targets != options.ignore_index)
    if bool(wrong.any()):
        place = int(wrong.nonzero()[0, 0])
        raise IndexError(f"target {int(targets[place])} at place {place} is outside 0..{V - 1}")
