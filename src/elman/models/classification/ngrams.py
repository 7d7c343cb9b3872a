"""Counted n-grams of tokens beside a network: tf-idf, a linear layer, and how much each of the two has to say.

T tokens, B texts, F n-grams, C classes, V tokens of the vocabulary; S linear layers, one for all members of an ensemble
or one for each of K.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from elman.models.classification.ensemble import Ensemble, mean_scores

PREFIXES_AT_ONCE = 16
_BITS = 62


def longest_ngram(vocabulary: int, wanted: int) -> int:
    """How many tokens an n-gram may have so that each has a number of its own among 64-bit integers."""
    return max(1, min(wanted, int(_BITS / math.log2(vocabulary + 2))))


class NgramCounts(nn.Module):
    """Scores of classes by the n-grams of a text: (1 + log count) times idf, of length 1, and a linear layer.

    Beginning and end of a text count as a token each.

    Arguments:
        vocabulary: V.
        longest: tokens of the longest n-gram.
        features: F.
        sets: S.
        classes: C.
    """

    codes: Tensor  # (F,) int64, rising: the numbers of the n-grams
    idf: Tensor  # (F,)
    weight: Tensor  # (S, F, C)
    bias: Tensor  # (S, C)

    def __init__(self, vocabulary: int, longest: int, features: int, sets: int, classes: int) -> None:
        super().__init__()
        self.base, self.longest = vocabulary + 2, longest
        self.register_buffer("codes", torch.zeros(features, dtype=torch.int64))
        self.register_buffer("idf", torch.zeros(features))
        self.register_buffer("weight", torch.zeros(sets, features, classes))
        self.register_buffer("bias", torch.zeros(sets, classes))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Scores (S, B, C) of texts x (T, B) of so many tokens (B,)."""
        row, place, value = self.weighed(x, lengths)
        scores = self.bias.unsqueeze(1).repeat(1, x.shape[1], 1)
        return scores.index_add(1, row, self.weight[:, place] * value[:, None])

    def weighed(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The n-grams of texts that are known: text, number from 0 to F, and weight of each."""
        row, code = ngram_codes(x, lengths, self.longest, self.base)
        place = torch.searchsorted(self.codes, code).clamp_(max=len(self.codes) - 1)
        known = self.codes[place] == code
        found, count = torch.unique(row[known] * len(self.codes) + place[known], return_counts=True)
        row, place = found // len(self.codes), found % len(self.codes)
        value = (1 + count.log()) * self.idf[place]
        size = torch.zeros(x.shape[1], device=x.device).index_add_(0, row, value * value).sqrt()
        return row, place, value / size[row].clamp(min=1e-12)


def ngram_codes(x: Tensor, lengths: Tensor, longest: int, base: int) -> tuple[Tensor, Tensor]:
    """Every n-gram of texts: which text it stands in, and its number in the system of this base.

    Arguments:
        x: (T, B) tokens from 0 to base - 3.
        lengths: (B,).
    """
    steps, texts = x.shape
    place = torch.arange(steps + 2, device=x.device).unsqueeze(1)
    edge = torch.full((1, texts), base - 1, dtype=torch.int64, device=x.device)
    tokens = torch.cat([edge, x.long() + 1, edge])
    tokens = torch.where(place <= lengths, tokens, base - 1)
    rows, codes = [], []
    for n in range(1, longest + 1):
        starts = steps + 3 - n
        code = torch.zeros(starts, texts, dtype=torch.int64, device=x.device)
        for ahead in range(n):
            code = code * base + tokens[ahead : ahead + starts]
        there = place[:starts] + n <= lengths + 2
        rows.append(torch.arange(texts, device=x.device).expand(starts, -1)[there])
        codes.append(code[there])
    return torch.cat(rows), torch.cat(codes)


class WithNgrams(nn.Module):
    """A classifier of tokens, or an ensemble, and counted n-grams: the scores of both, each times its weight, added.

    Arguments:
        network: takes x (T, B) and lengths (B,), and gives scores (B, C).
        counts: of one set, or one for each member.
        most: tokens of a text that the network reads, the last ones; the counts are of all of them.
    """

    shares: Tensor  # (2,) the weights of the network and of the counts

    def __init__(self, network: nn.Module, counts: NgramCounts, most: int) -> None:
        super().__init__()
        self.network, self.counts, self.most = network, counts, most
        self.register_buffer("shares", torch.tensor([1.0, 0.0]))

    def forward(self, x: Tensor, lengths: Tensor, *, each: bool = False) -> Tensor:
        """Scores (B, C) of texts x (T, B) of so many tokens (B,); of each member, (K, B, C), with `each`.

        In training they are the network's alone.
        """
        if self.training:  # the counts are fitted: it is the network that learns
            scores: Tensor = self.network(x, lengths, **({"each": True} if each else {}))
            return scores
        own, counted = self.parts(x, lengths)
        scores = self.joined(own, counted)
        return scores if each else mean_scores(scores)

    def parts(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the network's members, (K, B, C), and of the counts, (S, B, C)."""
        start = (lengths - self.most).clamp(min=0)
        recent = x
        if int(start.max()):
            place = start + torch.arange(min(self.most, len(x)), device=x.device).unsqueeze(1)
            recent = x.gather(0, place.clamp(max=len(x) - 1))
        several = isinstance(self.network, Ensemble)
        scores = self.network(recent, lengths - start, **({"each": True} if several else {}))
        own = scores if several else scores.unsqueeze(0)
        return own.float().log_softmax(-1), self.counts(x, lengths).log_softmax(-1)

    def joined(self, own: Tensor, counted: Tensor) -> Tensor:
        """Log-probabilities of both together, (K, ..., C)."""
        return (self.shares[0] * own + self.shares[1] * counted).log_softmax(-1)

    def prefix_scores(self, x: Tensor) -> Tensor:
        """Scores after each prefix of one text (T,), as far back as the network reads: (T, C)."""
        before = max(0, len(x) - self.most)
        members = self.network.members if isinstance(self.network, Ensemble) else [self.network]
        own = torch.stack([member.prefix_scores(x[before:]) for member in members])  # type: ignore[operator]
        counted = []
        for lengths in torch.split(torch.arange(before + 1, len(x) + 1, device=x.device), PREFIXES_AT_ONCE):
            counted.append(self.counts(x.unsqueeze(1).expand(-1, len(lengths)), lengths))
        both = self.joined(own.float().log_softmax(-1), torch.cat(counted, dim=1).log_softmax(-1))
        return mean_scores(both)


class Parts(nn.Module):
    """What the parts of a `WithNgrams` say of each text: log-probabilities (B, K + S, C), the network's first."""

    def __init__(self, model: WithNgrams) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Log-probabilities from what the model takes."""
        return torch.cat(self.model.parts(x, lengths)).transpose(0, 1)


def fit_shares(own: Tensor, counted: Tensor, truth: Tensor) -> Tensor:
    """The weights (2,) of two classifiers, none below 0, with which their joint cross-entropy is least.

    They are held near 1 as by one example, so that a few examples do not decide much.

    Arguments:
        own, counted: (N, C) log-probabilities.
        truth: (N,) the true classes.
    """
    found: list[tuple[float, Tensor]] = []
    pair = torch.stack([own, counted]).double()
    with torch.enable_grad():
        for mask in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0)):
            used = torch.tensor(mask, dtype=torch.float64)
            shares = torch.ones(2, dtype=torch.float64, requires_grad=True)
            optimizer = torch.optim.LBFGS([shares], max_iter=100, line_search_fn="strong_wolfe")

            def closure(shares: Tensor = shares, used: Tensor = used) -> Tensor:
                scores = torch.tensordot(shares * used, pair, 1)
                held = (used * (shares - 1).square()).sum() / 2
                loss = nn.functional.cross_entropy(scores, truth, reduction="sum") + held
                shares.grad = torch.autograd.grad(loss, shares)[0]
                return loss.detach()

            optimizer.step(closure)  # type: ignore[no-untyped-call]
            done = (shares * used).detach()
            if bool((done >= 0).all()):
                found.append((float(closure()), done.float()))
    return min(found, key=lambda one: one[0])[1] if found else torch.tensor([1.0, 0.0])
