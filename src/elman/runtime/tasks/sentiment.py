"""Runs of the task `sentiment`: the class of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from elman.errors import UserError
from elman.runtime.classifier import Classifier, Ensemble, build
from elman.runtime.files import names_in
from elman.runtime.model import Model
from elman.runtime.predictions import ClassPrediction, best_of
from elman.runtime.records import Record
from elman.runtime.recurrent import Shape, Weights, softmax
from elman.runtime.streams import ClassStream, RereadingStream
from elman.runtime.tensors import Array
from elman.runtime.text.ngrams import MOST_TOKENS, NgramCounts, WithNgrams, read_sizes
from elman.runtime.text.vocabulary import PAD, UNK, Vocabulary


class RunningPrediction(Record):
    """What a classifier predicts after one token."""

    token: str
    label: str
    probability: float


class TextPrediction(ClassPrediction):
    """The class of one text, and the prediction after each token where that was asked for."""

    opinion: tuple[RunningPrediction, ...] = ()


class SentimentModel(Model):
    """A text classifier, its vocabulary and its classes, with counted n-grams beside the network or without."""

    task, takes = "sentiment", "texts"

    def build(self, weights: Weights) -> None:
        """Classes, vocabulary, one network or several, and counted n-grams."""
        s = self.settings
        self.classes = names_in(self.folder / "classes.json")
        kind = s.text("tokens", "words", ("auto", "words", "bpe", "characters"))
        path = self.folder / "vocabulary.json"
        self.vocabulary = Vocabulary.load(path, "words" if kind == "auto" else kind, (PAD, UNK))
        assert self.vocabulary.unk is not None
        self._unknown = self.vocabulary.unk
        self.longest = s.integer("max_length", 400, 1, 1 << 40)
        self.counted = self.longest
        V, E, C = len(self.vocabulary), s.integer("embedding_size", 100, 1), len(self.classes)
        shape = Shape.of(s, bidirectional=s.flag("bidirectional", True))
        beside = s.text("ngrams", "none", ("auto", "beside", "none")) == "beside"

        def make(member: str) -> Classifier:
            prefix = f"network.{member}" if beside else member
            table = weights.take(f"{prefix}inputs.weight", V, E)
            return Classifier(weights, prefix, table, E, shape, C, s, "max")

        network = build(s, make)
        assert isinstance(network, Classifier | Ensemble)
        self.model: Classifier | Ensemble | WithNgrams = network
        if beside:
            counts = NgramCounts(weights, read_sizes(self.folder / "ngrams.json"), V, C)
            self.model = WithNgrams(weights, network, counts, self.longest)
            self.counted = max(self.longest, MOST_TOKENS)

    def options(self) -> dict[str, Any]:
        """Whether to say what the network thinks after each token, too."""
        return {"opinion": True}

    def answer(self, inputs: list[Any], options: dict[str, Any]) -> Sequence[TextPrediction]:
        """Label and probabilities of each text, and the prediction after each token."""
        texts = [self.text_of(one, number, len(inputs)) for number, one in enumerate(inputs, 1)]
        for number, text in enumerate(texts, 1):
            if not text.strip():
                raise UserError(f"text {number} of {len(texts)} is empty; give a text to judge")
        return [self._prediction(text, options["opinion"]) for text in texts]

    def encode(self, text: str) -> Array:
        """(T,) the last tokens of a text, as many as are read or counted; the unknown one where it has none."""
        return np.array(self.vocabulary.encode(text)[-self.counted :] or [self._unknown])

    def _prediction(self, text: str, opinion: bool) -> TextPrediction:
        ids = self.encode(text)
        scores = self.model.prefix_scores(ids) if opinion else self.model(ids[:, None], np.array([len(ids)]))
        shares: list[list[float]] = softmax(scores).tolist()
        label, probability = best_of(self.classes, shares[-1])
        running: tuple[RunningPrediction, ...] = ()
        if opinion:
            tokens = self.vocabulary.token_texts(text)[-len(shares) :] or [text.strip()]
            pairs = zip(tokens, shares, strict=True)
            running = tuple(RunningPrediction(token, *best_of(self.classes, share)) for token, share in pairs)
        return TextPrediction(text, label, probability, dict(zip(self.classes, shares[-1], strict=True)), running)

    def stream(self) -> ClassStream | RereadingStream:
        """A stream that reads a text piece by piece, each of whole tokens, and says what it thinks of all so far.

        With counted n-grams all is read anew with each piece, up to `max_length` tokens.

        Raises:
            UserError: the run has no counted n-grams, and reads from both ends or is made of several networks.
        """
        if isinstance(self.model, WithNgrams):
            return RereadingStream(self.model, self.classes, self._ids, self.longest)
        if not isinstance(self.model, Classifier):
            raise UserError("a run of several networks has no streams; give all of a text to `predict`")
        return ClassStream(self.model, self.classes, self._ids)

    def _ids(self, text: str) -> Array:
        return np.array(self.vocabulary.encode(text), np.int64)


MODEL = SentimentModel
