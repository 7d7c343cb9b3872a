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
from elman.models.language_model import LanguageModel
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


def plain_step(model: nn.Module, tokens: Tensor, fused: bool | None = True) -> Step:
    """One training step, written out; `fused` is AdamW's, None leaves the choice to torch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=fused)

    def step() -> float:
        logits, _ = model(tokens[:-1], None)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def elman_step(model: nn.Module, settings: Settings, tokens: Tensor) -> Step:
    """One training step of the language task."""
    optimizer = build_optimizer(model, settings)
    parameters = list(model.parameters())

    def step() -> float:
        total, _ = model(tokens[:-1], (), tokens[1:])
        loss = total / tokens[1:].numel()
        loss.backward()
        clip(parameters, settings)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def median_times(steps: list[Step], turns: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Median seconds of each by `clock`, one after the other in every turn."""
    times: list[list[float]] = [[] for _ in steps]
    for turn in range(turns + 2):
        for step, own in zip(steps, times, strict=True):
            start = clock()
            step()
            if turn >= 2:
                own.append(clock() - start)
    return [statistics.median(own) for own in times]


def characters(turns: int, clock: Callable[[], float]) -> list[tuple[str, float, float]]:
    """The language task's own model on characters: name, seconds of PyTorch, seconds of elman."""
    rows = []
    for hidden, layers in ((128, 1), (512, 1), (512, 2)):
        settings = Settings(data=("builtin",), hidden_size=hidden, layers=layers, dropout=0.1)
        task = Task.new(settings)
        V = len(task.vocabulary)
        tokens = torch.randint(V, (settings.chunk + 1, settings.batch_size))
        plain = PlainModel(V, settings.embedding_size, hidden, layers, settings.dropout, tied=False)
        steps = [plain_step(plain, tokens), elman_step(task.build_model(), settings, tokens)]
        theirs, ours = median_times(steps, turns, clock)
        rows.append((f"characters: B=32 T=64 H={hidden}, {layers} layer{'s' * (layers > 1)}", theirs, ours))
    return rows


def words(turns: int, clock: Callable[[], float]) -> list[tuple[str, float, float]]:
    """A usual word model, B=20 T=35 H=200, 2 layers, V=10,000: by one line, and as the language task trains it."""
    V, H = 10_000, 200
    tokens = torch.randint(V, (36, 20))
    settings = Settings(hidden_size=H, embedding_size=H, layers=2, dropout=0.2, clip_norm=1.0)
    rows = []
    for tied in (True, False):
        plain = PlainModel(V, H, H, 2, 0.2, tied=tied)
        fast = copy.deepcopy(plain)
        elman.accelerate(fast)
        own = LanguageModel(V, settings.shape(H), dropout=0.2, tied=tied)
        steps = [plain_step(plain, tokens), plain_step(fast, tokens), elman_step(own, settings, tokens)]
        theirs, one_line, ours = median_times(steps, turns, clock)
        name = "words, tied" if tied else "words"
        rows += [(f"{name}, by elman.accelerate", theirs, one_line), (f"{name}, the task language", theirs, ours)]
        usual = plain_step(copy.deepcopy(plain), tokens, fused=None)
        theirs, ours = median_times([usual, elman_step(own, settings, tokens)], turns, clock)
        rows.append((f"{name}, the task language; PyTorch's AdamW not fused", theirs, ours))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--only", choices=("characters", "words"))
    parser.add_argument(
        "--processor-time", action="store_true", help="count what this process computes: on a busy machine"
    )
    arguments = parser.parse_args()
    clock = time.process_time if arguments.processor_time else time.perf_counter
    table = Table(title=f"one training step, median of {arguments.turns} turns, {torch.get_num_threads()} threads")
    for column in ("model", "PyTorch (ms)", "elman (ms)", "times faster"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for part in (characters, words):
        if arguments.only in (None, part.__name__):
            for name, theirs, ours in part(arguments.turns, clock):
                table.add_row(name, f"{theirs * 1e3:.1f}", f"{ours * 1e3:.1f}", f"{theirs / ours:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
