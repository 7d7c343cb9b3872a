"""Writing text: characters a second of elman's native generation against a plain PyTorch loop with nn.RNN.

Both sample at temperature 0.8 from the same weights, in one process, in turns. Run: python benchmarks/generate.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from elman.kernels.decoder import SamplingParams
from elman.models.config import RecurrentConfig
from elman.models.decoding.sampling import generate
from elman.models.language_model import LanguageModel

VOCABULARY = 65


def by_torch(model: LanguageModel, rnn: nn.RNN, length: int) -> None:
    """The loop that everyone writes."""
    token, state = torch.zeros(1, 1, dtype=torch.int64), None
    with torch.no_grad():
        for _ in range(length):
            output, state = rnn(model.embedding(token), state)
            probabilities = (model.decoder(output[0]) / 0.8).softmax(-1)
            token = torch.multinomial(probabilities, 1)


def by_elman(model: LanguageModel, length: int, *, bfloat16: bool = False) -> None:
    params = SamplingParams(temperature=0.8)
    for _ in generate(model, torch.zeros(1, dtype=torch.int64), length, params, bfloat16=bfloat16):
        pass


def seconds(call: object, *arguments: object) -> float:
    assert callable(call)
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--length", type=int, default=1000)
    arguments = parser.parse_args()
    table = Table(title=f"characters a second, V={VOCABULARY}, median of {arguments.turns} turns")
    for column in ("H", "layers", "PyTorch", "elman", "times faster", "elman, bfloat16", "times faster "):
        table.add_column(column, justify="right")
    for hidden, layers in ((128, 1), (512, 1), (512, 2), (1024, 1)):
        model = LanguageModel(VOCABULARY, RecurrentConfig(input_size=128, hidden_size=hidden, layers=layers)).eval()
        rnn = nn.RNN(128, hidden, layers)
        rnn.load_state_dict(model.recurrent.layer.state_dict())
        times = [
            (
                seconds(by_torch, model, rnn, arguments.length),
                seconds(by_elman, model, arguments.length),
                seconds(partial(by_elman, bfloat16=True), model, arguments.length),
            )
            for _ in range(arguments.turns + 1)
        ][1:]
        theirs, *ours = (statistics.median(column) for column in zip(*times, strict=True))
        cells = [cell for mine in ours for cell in (f"{arguments.length / mine:,.0f}", f"{theirs / mine:.1f}")]
        table.add_row(str(hidden), str(layers), f"{arguments.length / theirs:,.0f}", *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
