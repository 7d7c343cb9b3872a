"""Is a review positive? Asked after every word."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from common import embedded, fit, save
from reviews import review
from torch import Tensor, nn
from torch.nn import functional as F

import elman

HIDDEN, STEPS, B, SEED = 32, 2500, 64, 1
UNKNOWN = "<unk>"


def build(folder: Path) -> None:
    """Train on reviews of `reviews.py`, a word in thirty being unknown; judged by 2,000 new ones."""
    torch.manual_seed(SEED)
    draw = random.Random(SEED)
    words = sorted({word for _ in range(5000) for word in review(draw)[0]})
    known = {word: place for place, word in enumerate([UNKNOWN, *words])}
    embedding, rnn, output = (
        nn.Embedding(len(known), 24),
        elman.RNN(24, HIDDEN, init="orthogonal"),
        nn.Linear(HIDDEN, 2),
    )

    def batch(size: int, unknown: float) -> tuple[Tensor, Tensor, Tensor]:
        reviews = [review(draw) for _ in range(size)]
        lengths = torch.tensor([len(words) for words, _ in reviews])
        ids = torch.zeros(int(lengths.max()), size, dtype=torch.int64)
        for b, (words, _) in enumerate(reviews):
            ids[: len(words), b] = torch.tensor([0 if draw.random() < unknown else known[word] for word in words])
        return ids, lengths, torch.tensor([answer for _, answer in reviews])

    def loss(step: int) -> Tensor:
        ids, lengths, answers = batch(B, 1 / 30)
        h, last = rnn(embedding(ids), lengths=lengths)
        # the last state counts most; the running opinion is to be an opinion too
        alive = torch.arange(len(ids))[:, None] < lengths
        every = F.cross_entropy(output(h)[alive], answers.expand(len(ids), -1)[alive])
        return F.cross_entropy(output(last[0]), answers) + 0.2 * every

    fit(nn.ModuleList([embedding, rnn, output]), loss, STEPS, 5e-3)
    ids, lengths, answers = batch(2000, 0)
    with torch.no_grad():
        right = (output(rnn(embedding(ids), lengths=lengths)[1][0]).argmax(-1) == answers).float().mean()
    facts = {"H": HIDDEN, "words": list(known), "quality": f"{100 * right:.1f} % of 2,000 new made-up reviews"}
    save(folder, "sentiment", facts, embedded(embedding, rnn) | {"w_out": output.weight, "b_out": output.bias})
