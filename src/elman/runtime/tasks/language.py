"""Runs of the task `language`: texts go on from a prompt, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.runtime.classifier import linear_in
from elman.runtime.model import Model
from elman.runtime.native import Decoder
from elman.runtime.predictions import Prediction
from elman.runtime.recurrent import Recurrent, Shape, State, Weights, softmax
from elman.runtime.sampling import check_sampling, choose, uniform
from elman.runtime.tensors import Floats
from elman.runtime.text.vocabulary import Vocabulary

BLOCK = 64
"""Tokens written in one native call."""
MOST_LENGTH = 1_000_000_000


class Continuation(Prediction):
    """A prompt, and the text that a language model puts after it."""

    prompt: str
    text: str

    def __str__(self) -> str:
        return self.prompt + self.text


class LanguageModel(Model):
    """A language model and its vocabulary."""

    task, takes = "language", "prompts"

    def build(self, weights: Weights) -> None:
        """Vocabulary, embedding, recurrent part and output layer."""
        s = self.settings
        kind = s.text("tokens", "characters", ("characters", "bpe", "words"))
        self.vocabulary = Vocabulary.load(self.folder / "vocabulary.json", kind)
        V, E, shape = len(self.vocabulary), s.integer("embedding_size", 128, 1), Shape.of(s, hidden_size=512)
        self.embedding = weights.take("embedding.weight", V, E)
        self.recurrent = Recurrent(weights, "recurrent.layer.", E, shape)
        if s.flag("tied"):
            if shape.hidden_size != E:
                raise weights.unfit("`tied` needs `embedding_size` and `hidden_size` alike")
            self.output = self.embedding, weights.take("decoder.bias", V)
        else:
            self.output = linear_in(weights, "decoder", V, shape.hidden_size)

    def options(self) -> dict[str, Any]:
        """Tokens to write, how they are drawn, and the seed of the draws."""
        return {"length": 200, "temperature": 0.8, "seed": 1, "top_k": 0, "top_p": 1.0}

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[Continuation]:
        """Each prompt and how the model goes on from it."""
        texts = [self.text_of(one, number, len(inputs)) for number, one in enumerate(inputs, 1)]
        return [Continuation(text, "".join(self.write(text, **options))) for text in texts]

    def write(
        self,
        prompt: str,
        length: int = 200,
        temperature: float = 0.8,
        seed: int = 1,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> Iterator[str]:
        """The text that goes on from a prompt, piece by piece as it is written; the same seed writes the same text.

        Raises:
            UserError: the prompt has characters that the vocabulary lacks, or an option is out of its range.
        """
        stream = self.stream()
        stream.push(prompt)
        return stream.write(length, temperature, seed, top_k, top_p)

    def stream(self) -> LanguageStream:
        """A stream that reads texts and writes on from them."""
        return LanguageStream(self)

    @np.errstate(all="ignore")
    def logits(self, tokens: Sequence[int], state: State) -> tuple[Floats, State]:
        """(V,) the logits of what follows tokens (T,), and the state after them."""
        states, state = self.recurrent(self.embedding[np.asarray(tokens)][:, None], state)
        return states[-1, 0] @ self.output[0].T + self.output[1], state

    @cached_property
    def decoder(self) -> Decoder | None:
        """The network packed for writing, where native code takes it; made when it is first asked for."""
        return self.recurrent.writer(self.embedding, self.output)

    @property
    def beginning(self) -> list[int]:
        """What stands before a text that begins: a line break; in a vocabulary without one a blank, else any token."""
        for character in ("\n", " "):
            if self.vocabulary.kind == "characters" and character not in self.vocabulary.numbered:
                continue
            if ids := self.vocabulary.encode(character):
                return ids
        return [0]


class LanguageStream:
    """A text that is read and written piece by piece; the state is carried on.

    The last token is held back until the next one comes: writing goes on from it.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model, self._held = model, list[int]()
        self._state: State = ()

    def push(self, text: str) -> None:
        """Read a text.

        Raises:
            UserError: it has characters that the vocabulary lacks.
        """
        ids = self._held + self._model.vocabulary.encode(text)
        if len(ids) > 1:
            vectors = self._model.embedding[np.asarray(ids[:-1])][:, None]
            _, self._state = self._model.recurrent(vectors, self._state)
        self._held = ids[-1:]

    def probabilities(self) -> Floats:
        """(V,) how probable each next token is; those of `model.vocabulary.tokens`."""
        probabilities: Floats = softmax(self._model.logits(self._held or self._model.beginning, self._state)[0])
        return probabilities

    def write(
        self, length: int, temperature: float = 0.8, seed: int = 1, top_k: int = 0, top_p: float = 1.0
    ) -> Iterator[str]:
        """Write `length` tokens, piece by piece; they are read as they are written.

        Raises:
            UserError: an option is out of its range.
        """
        check_sampling(temperature, top_k, top_p)
        top_k = min(top_k, len(self._model.vocabulary))
        if not 0 < length <= MOST_LENGTH:
            raise UserError(f"`length` is {length:,}; it must be from 1 to {MOST_LENGTH:,}")
        return self._model.vocabulary.pieces(self._tokens(length, temperature, seed, top_k, top_p))

    def _tokens(self, length: int, temperature: float, seed: int, top_k: int, top_p: float) -> Iterator[int]:
        model = self._model
        if not self._held:
            begin = model.beginning
            if len(begin) > 1:
                _, self._state = model.logits(begin[:-1], self._state)
            self._held = begin[-1:]
        decoder = model.decoder
        for start in range(0, length, BLOCK if decoder else 1):
            if decoder is None:
                logits, self._state = model.logits(self._held, self._state)
                tokens = [choose(logits, temperature, top_k, top_p, uniform(seed, start) if temperature else 0.0)]
            else:
                state = (self._state or model.recurrent.zeros(1))[0].copy()
                count = min(BLOCK, length - start)
                tokens = decoder.generate(self._held[0], state, count, temperature, top_k, top_p, seed, start).tolist()
                self._state = (state,)
            self._held = tokens[-1:]
            yield from tokens


MODEL = LanguageModel
