"""A language model that writes after each of several prompts, with the state carried from one to the next."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from elman.data.text.vocabulary import Vocabulary
from elman.models.decoding.sampling import generate
from elman.models.language_model import LanguageModel
from elman.models.recurrent import State
from elman.tasks.language.settings import Options
from elman.training.predicting.input_stream import Event, InputStream

TOGETHER_SECONDS = 0.03
"""What is written within this time is said together: often enough that the text is seen to grow."""


class WritingStream(InputStream):
    """Reads a prompt, writes on from it, reads the next prompt after what it has written, and so on.

    A piece that is empty has it write on. Events: "text" with a few tokens as they are written.

    Arguments:
        beginning: the tokens that stand before a text that begins.
        options: `length` tokens are written after each piece.
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary, beginning: list[int], options: Options) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._beginning = beginning
        self._options = options
        self._state: State = ()
        self._unread: list[int] = []  # the token that was written last
        self._drawn = 0

    def push(self, piece: str) -> Iterator[Event]:
        """Read the piece, then write `length` tokens."""
        ids = self._vocabulary.encode(piece) if piece else []
        read = [*self._unread, *ids] or self._beginning
        held: list[str] = []
        said = time.monotonic()
        for text in self._vocabulary.pieces(self._write(read)):
            held.append(text)
            if time.monotonic() - said > TOGETHER_SECONDS:
                yield {"event": "text", "text": "".join(held)}
                held, said = [], time.monotonic()
        if held:
            yield {"event": "text", "text": "".join(held)}

    def _write(self, read: list[int]) -> Iterator[int]:
        device = next(self._model.parameters()).device
        length, params = self._options.length, self._options.params()
        tokens = generate(
            self._model,
            torch.tensor(read, device=device),
            length,
            params,
            state=self._state,
            start=self._drawn,
        )
        last = read[-1]
        while True:
            try:
                last = int(next(tokens))
            except StopIteration as end:
                self._state = end.value
                break
            yield last
        self._unread = [last]
        self._drawn += length
