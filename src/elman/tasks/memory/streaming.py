"""A sequence of a memory problem that comes in pieces, and the answer after each of its steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from elman.models.classification.prefixes import prefix_reader
from elman.runtime.text.memory_problems import read_bits, read_number
from elman.training.predicting.input_stream import Event, InputStream

_LAST_SPACE = re.compile(r"\s+\S*$")


class BitStream(InputStream):
    """YES or NO after each bit, as if the string ended there: however many come, a bit takes one step.

    Arguments:
        answers: the names of the classes.
    """

    def __init__(self, model: nn.Module, answers: Sequence[str]) -> None:
        self._reader = prefix_reader(model)
        self._answers = answers

    def push(self, piece: str) -> Iterator[Event]:
        """An event "answer" for each bit; spaces are passed over."""
        text = "".join(piece.split())
        if not text:
            return
        bits = read_bits(text)
        for bit, row in zip(bits, self._reader.push(torch.tensor(bits)).softmax(-1).tolist(), strict=True):
            given = max(range(len(row)), key=row.__getitem__)
            yield {"event": "answer", "bit": bit, "answer": self._answers[given], "probability": row[given]}


class NumberStream(InputStream):
    """The network's sum after each number, marked by a * or not, beside the right one."""

    def __init__(self, model: nn.Module) -> None:
        self._reader = prefix_reader(model)
        self._rest = ""
        self._sum = 0.0
        self._place = 0

    def push(self, piece: str) -> Iterator[Event]:
        """An event "answer" for each number that is whole: what follows on the last space may still grow."""
        text = self._rest + piece
        space = _LAST_SPACE.search(text)
        end = 0 if space is None else space.start()
        yield from self._read(text[:end].split())
        self._rest = text[end:]

    def finish(self) -> Iterator[Event]:
        """An event for the last number."""
        words, self._rest = self._rest.split(), ""
        yield from self._read(words)

    def _read(self, words: Sequence[str]) -> Iterator[Event]:
        pairs = [read_number(word, self._place + place) for place, word in enumerate(words, 1)]
        if not pairs:
            return
        for (value, mark), total in zip(pairs, self._reader.push(torch.tensor(pairs))[:, 0].tolist(), strict=True):
            self._sum += value * mark
            yield {"event": "answer", "number": value, "marked": bool(mark), "answer": total, "sum": self._sum}
        self._place += len(pairs)
