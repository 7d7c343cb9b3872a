"""Attention: what a decoder looks at while it writes.

S steps of the input, T of the output, B sequences, A units of comparison, Q size of a query, C of what is attended to.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

AttentionKind = Literal["none", "dot", "additive"]

_TANH_AT_ONCE = 1 << 24  # numbers in the (T, S, B, A) block of additive attention; a longer text is done in pieces


class Attention(nn.Module):
    """Scores every step of the input by how well it answers a query, and gives the weighted mean of the steps.

    "dot": (U q)^T (W k + b) / sqrt(A), which is Luong et al. 2015, "general", in two factors. "additive":
    v^T tanh(U q + W k + b) (Bahdanau et al. 2015).

    Arguments:
        query: Q.
        size: C, of each step of the input.
        units: A.
        kind: "dot" or "additive".
    """

    def __init__(self, query: int, size: int, units: int, kind: AttentionKind = "dot") -> None:
        super().__init__()
        if kind not in ("dot", "additive"):
            raise ValueError(f"kind is {kind!r}; it must be 'dot' or 'additive'")
        self.kind = kind
        self.keys = nn.Linear(size, units)
        self.query = nn.Linear(query, units, bias=False)
        self.score = nn.Linear(units, 1, bias=False) if kind == "additive" else None
        self.scale = units**-0.5

    def project_keys(self, steps: Tensor) -> Tensor:
        """The keys (S, B, A) of the input's steps (S, B, C): computed once, whatever is asked later."""
        keys: Tensor = self.keys(steps)
        return keys

    def forward(self, queries: Tensor, keys: Tensor, steps: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Look back at the input.

        Arguments:
            queries: (T, B, Q).
            keys: (S, B, A) from `project_keys`.
            steps: (S, B, C) what is attended to.
            inside: (S, B) whether a step belongs to the sequence; what is padding gets the weight 0.

        Returns:
            (T, B, C) and the weights (B, T, S), which sum to 1 over S.
        """
        scores = self._scores(self.query(queries), keys).masked_fill(~inside.T.unsqueeze(1), -torch.inf)
        weights = scores.softmax(-1)
        return torch.bmm(weights, steps.transpose(0, 1)).transpose(0, 1), weights

    def _scores(self, asked: Tensor, keys: Tensor) -> Tensor:
        """How well each step answers each query, (B, T, S)."""
        if self.score is None:
            products: Tensor = torch.bmm(asked.transpose(0, 1), keys.permute(1, 2, 0)) * self.scale
            return products
        few = max(1, _TANH_AT_ONCE // keys.numel())
        parts = [self.score((some.unsqueeze(1) + keys).tanh()).squeeze(-1) for some in torch.split(asked, few)]
        return torch.cat(parts).permute(2, 0, 1)
