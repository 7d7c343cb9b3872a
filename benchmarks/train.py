"""Whole training steps: the language task against the same in plain PyTorch, and a usual word model by one line.

Everything runs in one process, in turns; the figures are medians over the turns. Run: python benchmarks/train.py
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import elman
from elman.models.losses import token_loss
from elman.tasks.language.settings import Settings
from elman.tasks.language.task import Task
from elman.training.optim import build_optimizer, clip

Step = Callable[[], float]


class PlainModel(nn.Module):
    """A language model as one writes it in PyTorch: embedding, RNN, dropout, output layer; tied on request."""

    def __init__(
        self, vocabulary: int, embedding: int, hidden: int, layers: int, dropout: float, *, tied: bool
    ) -> None:
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, embedding)
        self.drop = nn.Dropout(dropout)
        self.rnn = nn.RNN(embedding, hidden, layers, dropout=dropout if layers > 1 else 0.0)
        self.decoder = nn.Linear(hidden, vocabulary)
        if tied:
            self.decoder.weight = self.encoder.weight

    def forward(self, tokens: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        output, hidden = self.rnn(self.drop(self.encoder(tokens)), hidden)
        return self.decoder(self.drop(output)), hidden


def plain_step(model: nn.Module, tokens: Tensor) -> Step:
    """One training step, written out."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step() -> float:
        logits, _ = model(tokens[:-1], None)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def elman_step(settings: Settings, tokens: Tensor) -> Step:
    """One training step of the language task."""
    task = Task.new(settings)
    model = task.build_model()
    optimizer = build_optimizer(model, settings)
    parameters = list(model.parameters())

    def step() -> float:
        logits, _ = model(tokens[:-1])
        total, count = token_loss(logits, tokens[1:])
        loss = total / count
        loss.backward()
        clip(parameters, settings)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def median_times(steps: list[Step], turns: int) -> list[float]:
    """Median seconds of each, one after the other in every turn."""
    times: list[list[float]] = [[] for _ in steps]
    for turn in range(turns + 2):
        for step, own in zip(steps, times, strict=True):
            start = time.perf_counter()
            step()
            if turn >= 2:
                own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    arguments = parser.parse_args()
    table = Table(title=f"one training step, median of {arguments.turns} turns, {torch.get_num_threads()} threads")
    for column in ("model", "PyTorch (ms)", "elman (ms)", "times faster"):
        table.add_column(column, justify="left" if column == "model" else "right")

    for hidden, layers in ((128, 1), (512, 1), (512, 2)):
        settings = Settings(data=("builtin",), hidden_size=hidden, layers=layers, dropout=0.1)
        vocabulary = len(Task.new(settings).vocabulary)
        tokens = torch.randint(vocabulary, (settings.chunk + 1, settings.batch_size))
        plain = PlainModel(vocabulary, settings.embedding_size, hidden, layers, settings.dropout, tied=False)
        theirs, ours = median_times([plain_step(plain, tokens), elman_step(settings, tokens)], arguments.turns)
        name = f"characters: B=32 T=64 H={hidden}, {layers} layer{'s' * (layers > 1)}"
        table.add_row(name, f"{theirs * 1e3:.1f}", f"{ours * 1e3:.1f}", f"{theirs / ours:.2f}")

    tokens = torch.randint(10_000, (36, 20))
    plain = PlainModel(10_000, 200, 200, 2, 0.2, tied=True)
    fast = copy.deepcopy(plain)
    elman.accelerate(fast)
    theirs, ours = median_times([plain_step(plain, tokens), plain_step(fast, tokens)], arguments.turns)
    name = "words, by elman.accelerate: B=20 T=35 H=200, 2 layers, V=10,000, tied"
    table.add_row(name, f"{theirs * 1e3:.1f}", f"{ours * 1e3:.1f}", f"{theirs / ours:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
