"""The task `sentiment`: its settings, its options, and what the training loop calls."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from elman.errors import UserError
from elman.models.config import Readout
from elman.tasks.classification.settings import ClassifierSettings
from elman.tasks.classification.task import ClassificationTask, Examples, Part
from elman.training.settings import at_least, below_one

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from elman.data.text.classification import LabelledTexts, TextClasses
    from elman.data.text.vocabulary import Vocabulary
    from elman.insight.example import InspectionExample


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings(ClassifierSettings):
    """A text classifier and its training."""

    data: str = "sst2"
    """sst2, sst5, trec, imdb, yelp; or a .csv, .tsv or .jsonl file; or a folder of class folders."""
    text_column: str | None = None
    """The column of a file that has the text; found by its usual names otherwise."""
    label_column: str | None = None
    """The column that has the class; found by its usual names otherwise."""
    tokens: Literal["words", "bpe", "characters"] = "words"
    """What the text is cut into."""
    vocabulary_size: int = 20000
    """How many different tokens, at most."""
    min_count: int = 1
    """Words that are rarer in the training part are taken for unknown."""
    lowercase: bool = True
    """Read capitals as small letters."""
    max_length: int = 400
    """Of a longer text the last so many tokens are read."""
    embedding_size: int = 128
    """Size of the vector that stands for a token."""
    vectors: str | None = None
    """Text file of word vectors (GloVe, word2vec) to begin with; their size is --embedding-size."""
    word_dropout: float = 0.1
    """Share of tokens that are taken for unknown, anew at every step."""
    readout: Readout = "max"
    """What is read of the states: the last one, or the mean, sum, maximum or attention-weighted mean of all."""
    bidirectional: bool = True
    """Also read from the end to the beginning."""
    dropout: float = 0.5
    """Share of values dropped between layers, at the input and at the output."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vocabulary_size", "min_count", "max_length", "embedding_size"):
            at_least(self, name, 1)
        below_one(self, "word_dropout")
        if self.vectors and self.tokens != "words":
            raise UserError(f"--vectors are of words, and --tokens is {self.tokens}; leave one of the two out")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What `elman predict` can be told of a text classifier."""

    opinion: bool = True
    """Also say what the network thinks after each token."""


class Task(ClassificationTask):
    """The class of a text."""

    name = "sentiment"
    inputs = "texts"
    settings: Settings

    def __init__(self, settings: Settings, folder: Path) -> None:
        super().__init__(settings, folder)
        self._saved_vocabulary = folder / "vocabulary.json"
        self._is_new = not self._saved_vocabulary.exists()
        self._parts: dict[Part, Examples] = {}

    @cached_property
    def data(self) -> TextClasses:
        """The texts; what a person should know of them is said on standard error."""
        from elman.data.text.classification import read_labelled_text

        s = self.settings
        data = read_labelled_text(
            s.data, text_column=s.text_column, label_column=s.label_column, validation_share=s.validation_share
        )
        for note in data.notes:
            print(f"elman: {note}", file=sys.stderr)
        return data

    def classes_of_data(self) -> tuple[str, ...]:
        return self.data.classes

    @cached_property
    def vocabulary(self) -> Vocabulary:
        from elman.data.text.tokenizers import PAD, UNK
        from elman.data.text.vocabulary import Vocabulary

        if self._saved_vocabulary.exists():
            return Vocabulary.load(self._saved_vocabulary)
        s = self.settings
        return Vocabulary.build(
            self.data.train.texts,
            s.tokens,
            s.vocabulary_size,
            special=(PAD, UNK),
            lowercase=s.lowercase and s.tokens != "characters",
            min_count=s.min_count,
        )

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.vocabulary.save(folder / self._saved_vocabulary.name)

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The numbers of each text's tokens, (T,) with T from 1 to --max-length."""
        import numpy as np

        unknown = [self._unknown]
        longest = self.settings.max_length
        return [np.array(ids[-longest:] or unknown) for ids in self.vocabulary.encode_lines(texts)]

    @property
    def _unknown(self) -> int:
        assert self.vocabulary.unk is not None
        return self.vocabulary.unk

    def examples(self, part: Part) -> Examples:
        if part not in self._parts:
            self._parts[part] = self._encoded(getattr(self.data, part))
        return self._parts[part]

    def other_examples(self, path: Path) -> Examples:
        from elman.data.text.classification import read_labelled_part

        s = self.settings
        texts, notes = read_labelled_part(path, self.classes, text_column=s.text_column, label_column=s.label_column)
        for note in notes:
            print(f"elman: {note}", file=sys.stderr)
        return self._encoded(texts)

    def _encoded(self, part: LabelledTexts) -> Examples:
        return Examples(self.encode(part.texts), part.labels, part.texts)

    def prepare(self) -> None:
        super().prepare()
        _ = self._vectors

    @cached_property
    def _vectors(self) -> dict[str, NDArray[np.float32]]:
        from elman.data.text.word_vectors import read_word_vectors

        if self.settings.vectors is None or not self._is_new:
            return {}
        vectors = read_word_vectors(Path(self.settings.vectors), self.vocabulary.tokens)
        size = len(next(iter(vectors.values())))
        if size != self.settings.embedding_size:
            own = self.settings.embedding_size
            raise UserError(
                f"{self.settings.vectors} has vectors of {size} numbers; give --embedding-size {size}, not {own}"
            )
        return vectors

    def build_model(self) -> nn.Module:
        import torch

        from elman.models.classifier import Classifier
        from elman.models.embedding import WordEmbedding

        s = self.settings
        embedding = WordEmbedding(len(self.vocabulary), s.embedding_size, self._unknown, s.word_dropout)
        with torch.no_grad():
            for word, vector in self._vectors.items():
                embedding.weight[self.vocabulary[word]] = torch.from_numpy(vector)
        shape = s.shape(s.embedding_size, bidirectional=s.bidirectional)
        return Classifier(embedding, shape, len(self.classes), **s.answering)

    def predict(self, model: nn.Module, inputs: list[str], options: Options) -> list[dict[str, Any]]:
        """Label and probabilities of each text, and the opinion after each token.

        Raises:
            UserError: a text is empty.
        """
        import torch

        from elman.models.classifier import Classifier

        assert isinstance(model, Classifier)
        device = next(model.parameters()).device
        predictions = []
        for number, text in enumerate(inputs, 1):
            if not text.strip():
                raise UserError(f"text {number} of {len(inputs)} is empty; give a text to judge")
            ids = torch.from_numpy(self.encode([text])[0]).to(device)
            if options.opinion:
                running = model.prefix_scores(ids).softmax(-1)
            else:
                running = model(ids.unsqueeze(1), torch.tensor([len(ids)], device=device)).softmax(-1)
            prediction = {"input": text, **self._opinion(running[-1].tolist())}
            prediction["probabilities"] = dict(zip(self.classes, running[-1].tolist(), strict=True))
            if options.opinion:
                tokens = self.vocabulary.token_texts(text)[-len(ids) :] or [text.strip()]
                pairs = zip(tokens, running.tolist(), strict=True)
                prediction["opinion"] = [{"token": token, **self._opinion(now)} for token, now in pairs]
            predictions.append(prediction)
        return predictions

    def inspection_example(self, model: nn.Module, text: str) -> InspectionExample:
        """A text to look at; of a longer one than --max-length the end.

        Raises:
            UserError: the text is empty.
        """
        import torch

        from elman.models.classifier import Classifier
        from elman.tasks.classification.inspect import example_of_own_prediction

        assert isinstance(model, Classifier)
        if not text.strip():
            raise UserError("the text is empty; give one to judge")
        ids = torch.from_numpy(self.encode([text])[0])
        tokens = self.vocabulary.written(text)[-len(ids) :] or [text]
        return example_of_own_prediction(model, ids, tokens, self.classes)

    def _opinion(self, probabilities: list[float]) -> dict[str, Any]:
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        return {"label": self.classes[best], "probability": probabilities[best]}

    def show(self, predictions: list[dict[str, Any]]) -> str:
        from elman.plotting.running_prediction import show_opinions

        return show_opinions(predictions, self.classes)
