"""A text that comes in pieces, and what the classifier thinks after each of its tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from elman.errors import UserError
from elman.models.classification.prefixes import PrefixReader
from elman.tasks.classification.prediction import ClassPrediction
from elman.training.predicting.input_stream import Event, InputStream

if TYPE_CHECKING:
    from torch import Tensor

_LAST_SPACE = re.compile(r"\s+\S*$")
Cut = Callable[[str], tuple[Sequence[int], Sequence[str]]]
"""A text as the numbers of its tokens, and as the texts of these."""


class OpinionStream(InputStream):
    """Reads words as they are typed. The last word may still grow, so that what is said of it is provisional.

    Events: "opinion" after each token that is settled, "provisional" after what may still grow.

    Arguments:
        cut: text to tokens.
        letters: whether each character is a token, so that none can grow.
        most: tokens that are read, at most.
    """

    def __init__(self, reader: PrefixReader, cut: Cut, classes: Sequence[str], *, letters: bool, most: int) -> None:
        self._reader = reader
        self._cut = cut
        self._classes = classes
        self._letters = letters
        self._most = most
        self._rest = ""
        self._read = 0

    def push(self, piece: str) -> Iterator[Event]:
        """What is thought after each word that is whole now, and after the one that is not."""
        text = self._rest + piece
        space = None if self._letters else _LAST_SPACE.search(text)
        end = len(text) if self._letters else 0 if space is None else space.start()
        ids, tokens = self._cut(text[:end])
        growing, growing_tokens = self._cut(text[end:])
        if self._read + len(ids) + len(growing) > self._most:
            raise UserError(f"the text has more than {self._most:,} tokens, and no more are read; begin another")
        if len(ids):
            yield from self._said("opinion", tokens, self._reader.push(torch.tensor(ids)))
        self._rest, self._read = text[end:], self._read + len(ids)
        if len(growing):
            yield from self._said("provisional", growing_tokens, self._reader.peek(torch.tensor(growing)))

    def finish(self) -> Iterator[Event]:
        """What is thought after the last word."""
        ids, tokens = self._cut(self._rest)
        if len(ids):
            yield from self._said("opinion", tokens, self._reader.push(torch.tensor(ids)))
        self._rest = ""

    def _said(self, event: str, tokens: Sequence[str], scores: Tensor) -> Iterator[Event]:
        for token, shares in zip(tokens, scores.softmax(-1).tolist(), strict=True):
            yield {"event": event, **ClassPrediction.of(token, self._classes, shares).to_json()}
