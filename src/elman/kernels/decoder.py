"""Many single steps of a stack of layers, without gradients: streaming and generation.

`Stack` is the equations in plain torch, the specification, and what runs where no backend has a faster one;
`elman.kernels.make_stack` chooses.
L layers, S sequences side by side, I inputs, H hidden units, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.errors import UserError
from elman.kernels.options import PLAIN, RecurrenceOptions


@dataclass(frozen=True)
class LayerWeights:
    """One layer's weights."""

    w_ih: Tensor  # (H, I), or (H, H) above the first
    w_hh: Tensor  # (H, H)
    bias: Tensor | None  # (H,) the sum b_ih + b_hh


@dataclass(frozen=True)
class StackWeights:
    """The weights of a stack of layers, and of what reads and writes tokens where it does."""

    layers: Sequence[LayerWeights]  # from the bottom up
    embedding: Tensor | None = None  # (V, I), if the bottom layer reads tokens
    output: tuple[Tensor, Tensor | None] | None = None  # weight (V, H) and bias (V,), if tokens are written


@dataclass(frozen=True)
class SamplingParams:
    """How a token is drawn from logits: temperature (0 is greedy), then top-k (0 is all), then top-p (1 is all).

    Draw n of sequence s is number n S + s of the SplitMix64 counter of `seed` (Steele, Lea and Flood 2014): the same
    on every backend, whatever the thread count.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        top_k: keep this many of the most probable tokens; 0 keeps all.
        top_p: keep the smallest set of tokens whose probability reaches this (Holtzman et al. 2020); 1 keeps all.
        seed: of the draws.

    Raises:
        UserError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"`temperature` is {self.temperature}; it must be 0 (greedy) or more")
        if self.top_k < 0:
            raise UserError(f"`top_k` is {self.top_k}; it must be 0 (all tokens) or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"`top_p` is {self.top_p}; it must be above 0 and at most 1")


class Stack:
    """A stack of layers, taken one step at a time. It has copies of the weights as they are when it is made.

    Arguments:
        weights: of the layers, and of what reads and writes tokens.
        options: of every layer.
        bfloat16: round the weights to bfloat16; sums stay in their own dtype.
    """

    dtypes: ClassVar[tuple[torch.dtype, ...]] = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    """What it computes in."""

    def __init__(self, weights: StackWeights, options: RecurrenceOptions = PLAIN, *, bfloat16: bool = False) -> None:
        def kept(weight: Tensor) -> Tensor:
            weight = weight.detach()
            return weight.to(torch.bfloat16).to(weight.dtype) if bfloat16 else weight.clone()

        first, embedding, output = weights.layers[0], weights.embedding, weights.output
        # Every token's share of the bottom layer's sum: a row to look up instead of a product.
        self.table = None if embedding is None else _share_of_tokens(embedding, first)  # (V, H)
        self.layers = [
            LayerWeights(kept(layer.w_ih), kept(layer.w_hh), _copied(layer.bias)) for layer in weights.layers
        ]
        self.f = torch.tanh if options.nonlinearity == "tanh" else torch.relu
        self.residual = options.residual
        self.output = None if output is None else (kept(output[0]), _copied(output[1]))

    def step(self, x: Tensor, state: Tensor) -> Tensor:
        """x (S, I), or tokens (S,); state (L, S, H). Returns the new state; its last layer is the output."""
        new: list[Tensor] = []
        for layer, before in zip(self.layers, state, strict=True):
            if not new and self.table is not None:
                if bool((x < 0).any()):  # would count from the end
                    raise IndexError(f"token {int(x.min())} is below 0")
                drive = self.table[x]
            else:
                drive = F.linear(new[-1] if new else x, layer.w_ih, layer.bias)
            h = self.f(drive + before @ layer.w_hh.t())
            new.append(before + h if self.residual else h)
        return torch.stack(new)

    def generate(
        self, first: Tensor, state: Tensor, length: int, params: SamplingParams, *, start: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Write `length` tokens for each of S texts.

        Arguments:
            first: (S,) the token that each text goes on from, not yet read.
            state: (L, S, H), after the tokens before `first`.
            start: the number of the first draw, to go on with a text in several calls.

        Returns:
            tokens (length, S) and the state (L, S, H) after reading all of them but the last.

        Raises:
            RuntimeError: the stack was made without an embedding or without an output layer.
        """
        self.check_writes()
        assert self.output is not None
        tokens = torch.empty(length, first.shape[0], dtype=torch.int64, device=first.device)
        for n in range(length):
            state = self.step(first, state)
            first = tokens[n] = choose(F.linear(state[-1], *self.output), params, start + n)
        return tokens, state

    def check_writes(self) -> None:
        """Raise RuntimeError where the stack reads or writes no tokens."""
        if self.table is None or self.output is None:
            raise RuntimeError("this stack was made without an embedding or an output layer: it cannot write")


def choose(logits: Tensor, params: SamplingParams, draw: int) -> Tensor:
    """Draw number `draw`: (S, V) logits to (S,) tokens."""
    if params.temperature < torch.finfo(torch.float32).tiny:  # which float32 does not hold
        return logits.argmax(-1)
    S, V = logits.shape
    scores = logits.float()
    kept = torch.ones_like(scores, dtype=torch.bool)
    if 0 < params.top_k < V:
        kept = scores >= scores.topk(params.top_k).values[:, -1:]
    p = ((scores - scores.amax(-1, keepdim=True)) / params.temperature).exp().masked_fill(~kept, 0).double()
    if params.top_p < 1:
        ordered, order = p.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(-1) - ordered
        ordered = ordered.masked_fill(before >= params.top_p * p.sum(-1, keepdim=True), 0)
        p = torch.zeros_like(p).scatter(-1, order, ordered)
    chance = torch.tensor([uniform(params.seed, draw * S + s) for s in range(S)], dtype=torch.float64)
    reached = p.cumsum(-1) > (chance.to(p.device) * p.sum(-1)).unsqueeze(-1)
    return reached.int().argmax(-1)


def uniform(seed: int, draw: int) -> float:
    """Number `draw` of the seed's counter, hashed, in [0, 1)."""
    word = (1 << 64) - 1

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & word
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & word
        return z ^ (z >> 31)

    return float(mix(mix(seed & word) + (draw + 1) * 0x9E3779B97F4A7C15 & word) >> 11) * 2.0**-53


def _share_of_tokens(embedding: Tensor, layer: LayerWeights) -> Tensor:
    with torch.no_grad():
        return F.linear(embedding, layer.w_ih, layer.bias)


def _copied(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()
