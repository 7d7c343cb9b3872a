"""Parity: YES after each bit if the number of 1s so far is even, else NO."""

from __future__ import annotations

from pathlib import Path

import torch
from common import fit, layer, save
from torch import nn
from torch.nn import functional as F

import elman
from elman.data.synthetic import Parity

HIDDEN, STEPS, LONGEST, JUDGED, SEED = 16, 2500, 40, 1000, 2


def build(folder: Path) -> None:
    """Train on strings of up to 40 bits; judged by 1,000 strings of 1,000."""
    torch.manual_seed(SEED)
    rnn, output = elman.RNN(2, HIDDEN, init="orthogonal"), nn.Linear(HIDDEN, 2)

    def loss(step: int) -> torch.Tensor:
        longest = max(2, min(LONGEST, round(2 * LONGEST * step / STEPS)))
        bits, lengths, even = Parity(1, longest, every=True).batch(64, SEED, step)
        h, _ = rnn(F.one_hot(bits, 2).float(), lengths=lengths)
        return F.cross_entropy(output(h).flatten(0, 1), even.flatten())

    fit(nn.ModuleList([rnn, output]), loss, STEPS, 5e-3)
    bits, _, even = Parity(JUDGED, JUDGED).batch(1000, SEED, 0, "test")
    with torch.no_grad():
        right = (output(rnn(F.one_hot(bits, 2).float())[0][-1]).argmax(-1) == even).float().mean()
    quality = f"{100 * right:.1f} % of 1,000 new strings of {JUDGED:,} bits"
    facts = {"H": HIDDEN, "I": 2, "O": 2, "longest": LONGEST, "quality": quality}
    save(folder, "parity", facts, layer(rnn) | {"w_out": output.weight, "b_out": output.bias})
