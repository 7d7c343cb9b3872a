"""A language model of characters, on the language reference that every Python carries."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import torch
from common import embedded, fit, save
from torch import Tensor, nn
from torch.nn import functional as F

import elman
from elman.data.io.text import builtin_text

HIDDEN, STEPS, T, B, SEED = 128, 2500, 64, 32, 1


def build(folder: Path) -> None:
    """Train on runs of text whose states go on from piece to piece; the last twentieth is held out."""
    torch.manual_seed(SEED)
    text = builtin_text()
    known = sorted(character for character, count in Counter(text).items() if count > 20)
    text = "".join(character for character in text if character in known)
    ids = torch.tensor([known.index(character) for character in text])
    held = len(ids) // 20
    training, judged = ids[:-held], ids[-held:]
    V = len(known)
    embedding, rnn, output = nn.Embedding(V, 32), elman.RNN(32, HIDDEN, init="orthogonal"), nn.Linear(HIDDEN, V)
    streams = training[: len(training) // B * B].view(B, -1).t()  # (length, B)
    state: Tensor | None = None

    def loss(step: int) -> Tensor:
        nonlocal state
        pieces = (len(streams) - 1) // T
        if step % pieces == 0:
            state = None
        piece = streams[step % pieces * T :][: T + 1]
        h, state = rnn(embedding(piece[:-1]), state)
        state = state.detach()
        return F.cross_entropy(output(h).flatten(0, 1), piece[1:].flatten())

    fit(nn.ModuleList([embedding, rnn, output]), loss, STEPS, 4e-3)
    with torch.no_grad():
        h, _ = rnn(embedding(judged[:-1, None]))
        nats = float(F.cross_entropy(output(h[:, 0]), judged[1:]))
    quality = f"{nats:.2f} nats a character on held-out text; a guess has {math.log(V):.2f}"
    facts = {"H": HIDDEN, "V": V, "alphabet": known, "quality": quality}
    save(folder, "language", facts, embedded(embedding, rnn) | {"w_out": output.weight, "b_out": output.bias})
