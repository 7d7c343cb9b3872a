"""The layer between token numbers and a recurrent network: one vector a token, some of them unknown in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMBEDDING_STD = 0.3  # torch's N(0, 1) saturates a tanh layer from the first step on


class WordEmbedding(nn.Embedding):
    """An embedding that, in training, takes some of its tokens for the unknown one (word dropout, Iyyer et al. 2015).

    So the unknown token's vector is learned, and no single word is leant upon.

    Arguments:
        vocabulary: V, how many tokens there are.
        size: of a token's vector.
        unknown: the number of the unknown token.
        word_dropout: the share of tokens taken for it.
    """

    def __init__(self, vocabulary: int, size: int, unknown: int, word_dropout: float = 0.0) -> None:
        super().__init__(vocabulary, size)
        self.unknown = unknown
        self.word_dropout = word_dropout
        nn.init.normal_(self.weight, std=EMBEDDING_STD)

    def forward(self, tokens: Tensor) -> Tensor:
        """(...) integers to (..., size)."""
        if self.training and self.word_dropout:
            dropped = torch.rand(tokens.shape, device=tokens.device) < self.word_dropout
            tokens = tokens.masked_fill(dropped, self.unknown)
        return super().forward(tokens)
