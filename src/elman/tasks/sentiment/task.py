"""The task `sentiment`: texts, their vocabulary, the classifier, and its predictions."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from elman.atomic_io import write_text
from elman.data.io.json_files import read_json
from elman.errors import UserError
from elman.plotting.running_prediction import RunningPrediction
from elman.tasks.classification.comparison import Baseline
from elman.tasks.classification.task import Examples, Part
from elman.tasks.sentiment.ngram_sizes import NgramSizes
from elman.tasks.sentiment.ngram_task import NgramTask
from elman.tasks.sentiment.prediction import TextPrediction, running
from elman.tasks.sentiment.reading import texts_of
from elman.tasks.sentiment.settings import Options
from elman.training.settings import Choice
from elman.training.task import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from elman.data.description.facts import Description
    from elman.data.text.labelled.texts import LabelledTexts, TextClasses
    from elman.data.text.vocabulary import Vocabulary
    from elman.insight.example import InspectionExample
    from elman.training.predicting.input_stream import InputStream
    from elman.training.report import Report

VOCABULARY, NGRAMS = "vocabulary.json", "ngrams.json"
TOGETHER = 256
"""Lines that are judged at once, at most."""
log = logging.getLogger("elman")


class Task(NgramTask):
    """The class of a text."""

    name = "sentiment"
    inputs = "texts"
    streaming: ClassVar[bool] = True
    predict_example = ("It was good.",)
    options_type = Options
    local_options = frozenset({"file"})

    @cached_property
    def data(self) -> TextClasses:
        """The texts; what the user should know of them is logged."""
        from elman.data.text.classification import read_labelled_text

        s = self.settings
        data = read_labelled_text(
            s.data, text_column=s.text_column, label_column=s.label_column, validation_share=s.validation_share
        )
        for note in data.notes:
            log.info(note)
        return data

    def understood(self, *, whole: bool = False) -> Description:
        """Texts, classes, and the columns that they were read from."""
        from elman.data.description.labels import describe_texts
        from elman.data.io.columns import Columns

        s = self.settings
        return describe_texts(self.data, s.data, Columns(s.text_column, s.label_column), whole=whole)

    @property
    def _training_part(self) -> LabelledTexts:
        """The texts that are learned from: under cross-validation those that else were held out, too."""
        data = self.data
        return data.train.joined(data.validation) if self.settings.folds > 0 and data.held_out else data.train

    def choose(self) -> list[Choice]:
        """What the number of the texts and what they are cut into say of settings that are left open."""
        from elman.data.text.labelled.texts import LOOKED_AT
        from elman.tasks.sentiment.auto import TextFacts, choose

        data, s = self.data, self.settings
        known = data.train.joined(data.validation) if data.held_out else data.train
        some = known.some(LOOKED_AT)
        facts = TextFacts(
            examples=len(known),
            words=sum(len(text.split()) for text in some) / len(some),
            characters=known.count_characters() / len(known),
            classes=len(data.classes),
            own_validation=not data.held_out,
        )
        return choose(facts, s)

    def baselines(self) -> list[Baseline]:
        """Words or characters counted, weighed by tf-idf, and logistic regression."""
        from elman.tasks.sentiment.counting import MOST_COUNTED, counting_baselines

        train = self._training_part
        if train.count_characters() > MOST_COUNTED:
            log.info("no simple method beside the network: the texts are too long to count in a minute")
            return []
        judged, characters = self.judged("validation"), self.settings.tokens == "characters"
        return counting_baselines(train.texts, train.labels, judged, self.held_out(), characters=characters)

    def comparing_takes(self) -> float:
        """As long as for some of the texts, for each fold as many times as there are more of them."""
        from elman.tasks.sentiment.counting import counting_takes

        train, characters = self._training_part, self.settings.tokens == "characters"
        return max(1, self.settings.folds) * counting_takes(train.texts, train.labels, characters=characters)

    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """Other sizes, rates and ways of reading."""
        from elman.tasks.sentiment.auto import candidates

        return candidates(self.settings)

    def classes_of_data(self) -> tuple[str, ...]:
        """The names of the classes in the training data."""
        return self.data.classes

    def learned_from(self) -> dict[str, Iterable[Any]]:
        """Texts and labels."""
        parts = {"training part": self.data.train, "validation part": self.data.validation}
        return {name: part.examples() for name, part in parts.items()}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The run's own, or one learned from the training texts."""
        from elman.data.text.labelled.vocabulary import learn_vocabulary
        from elman.data.text.tokenizers import PAD, UNK

        s = self.settings
        return learn_vocabulary(
            self._training_part,
            "words" if s.tokens == "auto" else s.tokens,
            s.vocabulary_size,
            special=(PAD, UNK),
            lowercase=s.lowercase and s.tokens != "characters",
            min_count=s.min_count,
        )

    def save(self, folder: Path) -> None:
        """Write classes and vocabulary, and how many n-grams are counted."""
        super().save(folder)
        self.vocabulary.save(folder / VOCABULARY)
        if self.settings.ngrams == "beside":
            write_text(folder / NGRAMS, json.dumps(asdict(self.ngram_sizes)) + "\n")

    def restore(self, folder: Path) -> None:
        """Read classes and vocabulary."""
        from elman.data.text.saved import load_vocabulary
        from elman.data.text.tokenizers import PAD, UNK

        super().restore(folder)
        tokens = "words" if self.settings.tokens == "auto" else self.settings.tokens
        self.vocabulary = load_vocabulary(folder / VOCABULARY, tokens, (PAD, UNK))
        if self.settings.ngrams == "beside":
            self.ngram_sizes = read_json(folder / NGRAMS, NgramSizes, "numbers of n-grams")

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The numbers of each text's tokens, (T,): the last ones, as many as are read or counted, 1 at least."""
        import numpy as np

        unknown, longest = [self._unknown], self._longest
        return [np.array(ids[-longest:] or unknown) for ids in self.vocabulary.encode_lines(texts)]

    @property
    def _longest(self) -> int:
        """How many tokens of a text are read or counted, at most."""
        from elman.runtime.text.ngrams import MOST_TOKENS

        longest = self.settings.max_length
        return max(longest, MOST_TOKENS) if self.settings.ngrams == "beside" else longest

    @property
    def _unknown(self) -> int:
        assert self.vocabulary.unk is not None
        return self.vocabulary.unk

    def read_examples(self, part: Part) -> Examples:
        """The texts of a part, as numbers; of the validation part those that training looks at."""
        if part == "validation":
            return self._encoded(self.data.validation.thinned(self.settings.validation_sample))
        return self._encoded(self._training_part if part == "train" else self.data.test)

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """Metrics on all of the validation part, also where training looked at some of it, and on the test part."""
        if not data and self.settings.validation_sample:
            self._parts["validation"] = self._encoded(self.data.validation)
        return super().examine(model, *data)

    def other_examples(self, path: Path) -> Examples:
        """Texts of a file or folder."""
        from elman.data.text.classification import read_labelled_part

        s = self.settings
        texts, notes = read_labelled_part(path, self.classes, text_column=s.text_column, label_column=s.label_column)
        for note in notes:
            log.info(note)
        return self._encoded(texts)

    def _encoded(self, part: LabelledTexts) -> Examples:
        from elman.data.text.labelled.parts import StoredTexts
        from elman.data.text.labelled.sequences import encode_stored

        if isinstance(part.texts, StoredTexts):
            return Examples(encode_stored(part.texts, self.vocabulary, self._longest), part.labels, part.texts)
        return Examples(self.encode(part.texts), part.labels, part.texts)

    def shown(self, index: int, step: int) -> NDArray[np.int64]:
        """The end of a training text that the network reads."""
        sequence: NDArray[np.int64] = super().shown(index, step)[-self.settings.max_length :]
        return sequence

    def prepare(self) -> None:
        """Read and check everything that training needs, word vectors and n-grams too."""
        super().prepare()
        _ = self._vectors
        if self.settings.ngrams == "beside" and self.begins:
            _ = self._counts

    @cached_property
    def _vectors(self) -> dict[str, NDArray[np.float32]]:
        from elman.data.text.word_vectors import read_word_vectors

        if self.settings.vectors is None or not self.begins:
            return {}
        vectors = read_word_vectors(Path(self.settings.vectors), self.vocabulary.tokens)
        size = len(next(iter(vectors.values())))
        if size != self.settings.embedding_size:
            own = self.settings.embedding_size
            raise UserError(
                f"{self.settings.vectors} has vectors of {size} numbers; give `embedding_size={size}`, not {own}"
            )
        return vectors

    def build_member(self) -> nn.Module:
        """A classifier of embedded tokens; word vectors, where they are given, are its first embeddings."""
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

    def prediction_type(self) -> type[Prediction]:
        """A `TextPrediction`."""
        return TextPrediction

    def predict(self, model: nn.Module, inputs: Sequence[str], options: Options) -> list[Prediction]:
        """Label and probabilities of each text, and the prediction after each token.

        Raises:
            UserError: a text is empty.
        """
        import torch

        from elman.models.classification.prefixes import prefix_scores

        for number, text in enumerate(inputs, 1):
            if not text.strip():
                raise UserError(f"text {number} of {len(inputs)} is empty; give a text to judge")
        if not options.opinion:
            return list(self._plainly(model, inputs))
        device = next(model.parameters()).device
        ids = [torch.from_numpy(one).to(device) for one in self.encode(inputs)]
        each = [scores.softmax(-1).tolist() for scores in prefix_scores(model, ids)]
        found: list[Prediction] = []
        for text, rows in zip(inputs, each, strict=True):
            tokens = self.vocabulary.token_texts(text)[-len(rows) :] or [text.strip()]
            found.append(self._text_prediction(text, rows[-1], running(tokens, self.classes, rows)))
        return found

    def stream(self, model: nn.Module, inputs: Sequence[str], options: Options) -> Iterator[Prediction]:
        """The same one by one; for the lines of a file or of standard input as they come, empty ones left out.

        Raises:
            UserError: texts and a file are both given, or neither; or the file cannot be read.
        """
        from elman.data.io.lines import STANDARD_INPUT

        file = STANDARD_INPUT if list(inputs) == [STANDARD_INPUT] else options.file
        if file is None and not inputs:
            raise UserError('give texts, or a file of them: `file=texts.txt`, or "-" for standard input')
        if file is None:
            yield from self.predict(model, inputs, options)
            return
        if list(inputs) not in ([], [STANDARD_INPUT]):
            raise UserError("texts and `file` are both given; leave one of the two out")
        for texts in texts_of(file, TOGETHER):
            yield from self._plainly(model, texts)

    def _plainly(self, model: nn.Module, texts: Sequence[str]) -> Iterator[Prediction]:
        """Labels of texts, many at once, without an opinion after each token."""
        import torch

        from elman.models.classification.prefixes import last_scores

        device = next(model.parameters()).device
        scores = last_scores(model, [torch.from_numpy(one).to(device) for one in self.encode(texts)])
        for text, row in zip(texts, scores.softmax(-1).tolist(), strict=True):
            yield self._text_prediction(text, row, ())

    def _text_prediction(
        self, text: str, shares: Sequence[float], opinion: tuple[RunningPrediction, ...]
    ) -> TextPrediction:
        last = TextPrediction.of(text, self.classes, shares)
        return TextPrediction(text, last.label, last.probability, last.probabilities, opinion)

    @classmethod
    def suits_runtime(cls, options: Options, count: int) -> bool:
        """Not for a file of texts, which are many."""
        return options.file is None

    def from_runtime(self, record: Any) -> Prediction:
        """With what it says after each token."""
        opinion = tuple(RunningPrediction(**vars(one)) for one in record.opinion)
        return TextPrediction(**{**vars(record), "opinion": opinion})

    def batches(self, options: Options) -> bool:
        """Always."""
        return True

    def open_stream(self, model: nn.Module, options: Options) -> InputStream:
        """What the network thinks after each token of a text that comes in pieces.

        In one direction the state is carried, and a text of any length is read; in two, or with counted n-grams beside
        the network, every prefix is read anew, up to `max_length` tokens.
        """
        from elman.models.classification.prefixes import prefix_reader
        from elman.tasks.sentiment.streaming import OpinionStream

        carries = not self.settings.bidirectional and self.settings.ngrams != "beside"
        most = sys.maxsize if carries else self.settings.max_length
        letters = self.vocabulary.kind == "characters"
        return OpinionStream(prefix_reader(model), self._cut, self.classes, letters=letters, most=most)

    def _cut(self, text: str) -> tuple[Sequence[int], Sequence[str]]:
        ids: list[int] = self.vocabulary.encode_lines([text])[0] if text else []
        return ids, self.vocabulary.token_texts(text) if ids else []

    def inspection_example(self, model: nn.Module, text: str) -> InspectionExample:
        """A text to look at; of a longer one than `max_length` tokens the end.

        Raises:
            UserError: the text is empty.
        """
        import torch

        from elman.tasks.classification.inspect import example_of_own_prediction

        if not text.strip():
            raise UserError("the text is empty; give one to judge")
        ids = torch.from_numpy(self.encode([text])[0][-self.settings.max_length :])
        tokens = self.vocabulary.written(text)[-len(ids) :] or [text]
        return example_of_own_prediction(model, ids, tokens, self.classes)

    def show(self, predictions: Sequence[Prediction]) -> str:
        """One text below the other, each with its running prediction."""
        return "\n".join(one.show() for one in predictions)

    def view(self, predictions: Sequence[Prediction]) -> Sequence[Any]:
        """The same in colour."""
        return [one.coloured() for one in predictions if isinstance(one, TextPrediction)]
