"""`LinearCrossEntropy`: an output layer and its loss as one module, which never stores the logits of a whole batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from elman.ops.output_loss import Reduction, linear_cross_entropy


class LinearCrossEntropy(nn.Linear):
    """`nn.Linear`, whose call with targets is the cross-entropy of its logits.

    Without targets it is the linear layer: logits (..., V). With them it is `F.cross_entropy` of the logits, whose
    values and gradients come from one sweep over a few rows of logits at a time. Weights are tied by assignment, as
    with any linear layer: `layer.weight = embedding.weight`.

    Arguments:
        in_features: H.
        out_features: V.
        bias: whether the logits have a bias.
        ignore_index, label_smoothing, reduction: as in `torch.nn.CrossEntropyLoss`.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: Reduction = "mean",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing is {label_smoothing}; it must lie between 0 and 1")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.reduction: Reduction = reduction

    def forward(self, hidden: Tensor, targets: Tensor | None = None) -> Tensor:
        """Logits, or the loss in nats.

        Arguments:
            hidden: (..., H).
            targets: (...) int64; None for logits.

        Returns:
            (..., V) without targets; else () or, with reduction "none", (...).

        Raises:
            ValueError: shapes that disagree, or targets that are no int64.
            IndexError: a target is neither 0..V-1 nor `ignore_index`.
        """
        if targets is None:
            return super().forward(hidden)
        return linear_cross_entropy(
            hidden,
            self.weight,
            targets,
            self.bias,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        """The sizes, and how the loss is made."""
        smoothing = f", label_smoothing={self.label_smoothing}" if self.label_smoothing else ""
        return f"{super().extra_repr()}, reduction={self.reduction!r}{smoothing}"
