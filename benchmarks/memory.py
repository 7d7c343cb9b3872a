"""Peak memory of a training step: elman.RNN against torch.nn.RNN, and a word model, each in a process of its own.

What is counted is the process's largest resident size after one training step (forward, backward to the input and all
weights) over its size just before: the states that are kept, gradients and working buffers. Shapes as in layer.py.
The word model's step is the second of two, with clipping and AdamW; what is counted begins before the model is made.

Run: python benchmarks/memory.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

SHAPES = ((128, 64, 128), (512, 64, 256), (128, 64, 1024), (1024, 16, 512))  # T, B, H


def one_step(who: str, T: int, B: int, H: int) -> int:
    """Bytes by which a training step raises the process's peak."""
    import torch

    import elman

    layer = (elman.RNN if who == "elman" else torch.nn.RNN)(H, H)
    small = torch.randn(2, 2, H, requires_grad=True)
    layer(small)[0].sum().backward()  # threads, libraries
    x = torch.randn(T, B, H, requires_grad=True)
    grad = torch.randn(T, B, H)
    before = peak_bytes()
    layer(x)[0].backward(grad)
    return peak_bytes() - before


def word_step(who: str) -> int:
    """The same of the word model of train.py, from before it is made to after its second step."""
    import torch

    from elman.models.language_model import LanguageModel
    from elman.tasks.language.settings import Settings
    from train import PlainModel, elman_step, plain_step

    V, H = 10_000, 200
    settings = Settings(hidden_size=H, embedding_size=H, layers=2, dropout=0.2)
    small = torch.randint(7, (5, 2))

    def step(V: int, tokens: torch.Tensor) -> None:
        if who == "elman":
            one = elman_step(LanguageModel(V, settings.shape(H), dropout=0.2), settings, tokens)
        else:
            one = plain_step(PlainModel(V, H, H, 2, 0.2, tied=False), tokens)
        one(), one()

    step(7, small)  # threads, libraries
    before = peak_bytes()
    step(V, torch.randint(V, (36, 20)))
    return peak_bytes() - before


def peak_bytes() -> int:
    """The largest resident size of this process so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measured(who: str, shape: tuple[int, ...]) -> int:
    command = [sys.executable, __file__, who, *map(str, shape)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    if len(sys.argv) > 1:
        who, *shape = sys.argv[1:]
        print(one_step(who, *map(int, shape)) if shape else word_step(who))
        return
    table = Table(title="MiB that a training step adds to the process's peak", title_justify="left")
    for column in ("shape", "torch", "elman", "elman's share"):
        table.add_column(column, justify="right" if column != "shape" else "left")
    for shape in (*SHAPES, ()):
        theirs, ours = measured("torch", shape), measured("elman", shape)
        name = "T={} B={} H={}".format(*shape) if shape else "words: T=35 B=20 H=200, 2 layers, V=10,000"
        table.add_row(name, f"{theirs / 2**20:.0f}", f"{ours / 2**20:.0f}", f"{ours / theirs:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
