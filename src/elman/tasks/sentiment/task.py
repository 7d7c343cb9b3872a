"""The task `sentiment`: texts, their vocabulary, the classifier, and its predictions."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from elman.atomic_io import write_text
from elman.data.io.json_files import read_json
from elman.errors import UserError
from elman.tasks.classification.comparison import Baseline
from elman.tasks.classification.ensemble import EnsembleTask
from elman.tasks.classification.task import Examples, Part
from elman.tasks.sentiment.ngram_sizes import MOST_TOKENS, WANTED, NgramSizes
from elman.tasks.sentiment.prediction import TextPrediction, running
from elman.tasks.sentiment.reading import texts_of
from elman.tasks.sentiment.settings import Options, Settings
from elman.training.settings import Choice
from elman.training.task import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from elman.data.description.facts import Description
    from elman.data.text.classification import LabelledTexts, TextClasses
    from elman.data.text.vocabulary import Vocabulary
    from elman.insight.example import InspectionExample
    from elman.models.classification.ngrams import NgramCounts, WithNgrams
    from elman.plotting.running_prediction import RunningPrediction
    from elman.training.run_folder import RunFolder

VOCABULARY, NGRAMS = "vocabulary.json", "ngrams.json"
TOGETHER = 256
"""Lines that are judged at once, at most."""
log = logging.getLogger("elman")


class Task(EnsembleTask[Settings]):
    """The class of a text."""

    name = "sentiment"
    inputs = "texts"
    streaming: ClassVar[bool] = True
    predict_example = ("It was good.",)
    options_type = Options

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
        from elman.tasks.sentiment.auto import TextFacts, choose

        data, s = self.data, self.settings
        known = data.train.joined(data.validation) if data.held_out else data.train
        facts = TextFacts(
            examples=len(known),
            words=sum(len(text.split()) for text in known.texts) / len(known),
            characters=sum(map(len, known.texts)) / len(known),
            classes=len(data.classes),
            own_validation=not data.held_out,
        )
        return choose(facts, s)

    def baselines(self) -> list[Baseline]:
        """Words or characters counted, weighed by tf-idf, and logistic regression."""
        from elman.tasks.sentiment.counting import counting_baselines

        train, judged = self._training_part, self.judged("validation")
        characters = self.settings.tokens == "characters"
        return counting_baselines(train.texts, train.labels, judged, self.held_out(), characters=characters)

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
        return {name: zip(part.texts, part.labels.tolist(), strict=True) for name, part in parts.items()}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The run's own, or one learned from the training texts."""
        from elman.data.text.tokenizers import PAD, UNK
        from elman.data.text.vocabulary import Vocabulary

        s = self.settings
        return Vocabulary.build(
            self._training_part.texts,
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

        unknown = [self._unknown]
        longest = self.settings.max_length
        if self.settings.ngrams == "beside":
            longest = max(longest, MOST_TOKENS)
        return [np.array(ids[-longest:] or unknown) for ids in self.vocabulary.encode_lines(texts)]

    @property
    def _unknown(self) -> int:
        assert self.vocabulary.unk is not None
        return self.vocabulary.unk

    def read_examples(self, part: Part) -> Examples:
        """The texts of a part, as numbers."""
        return self._encoded(self._training_part if part == "train" else getattr(self.data, part))

    def other_examples(self, path: Path) -> Examples:
        """Texts of a file or folder."""
        from elman.data.text.classification import read_labelled_part

        s = self.settings
        texts, notes = read_labelled_part(path, self.classes, text_column=s.text_column, label_column=s.label_column)
        for note in notes:
            log.info(note)
        return self._encoded(texts)

    def _encoded(self, part: LabelledTexts) -> Examples:
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
    def ngram_sizes(self) -> NgramSizes:
        """What is counted: the run's own sizes, or those that follow from the training texts."""
        from elman.models.classification.ngrams import longest_ngram

        longest = longest_ngram(len(self.vocabulary), WANTED[self.vocabulary.kind])
        return NgramSizes(longest, len(self._known_ngrams[0]), self._ngram_sets)

    @property
    def _ngram_sets(self) -> int:
        return 1 if self._left_out_of is None else self.settings.members

    @cached_property
    def _known_ngrams(self) -> tuple[Tensor, Tensor]:
        from elman.tasks.sentiment.ngrams import MOST_WEIGHTS, known_ngrams

        most = MOST_WEIGHTS // (self._ngram_sets * len(self.classes))
        sequences = self.examples("train").sequences
        return known_ngrams(sequences, self.vocabulary.kind, len(self.vocabulary), most)

    @cached_property
    def _counts(self) -> NgramCounts:
        """The counted n-grams, fitted on the training texts."""
        import numpy as np

        from elman.tasks.sentiment.ngrams import fit_ngrams

        counts, train = self._new_counts(), self.examples("train")
        away = np.zeros((1, len(train)), dtype=np.bool_) if self._left_out_of is None else self._left_out_of
        fit_ngrams(counts, *self._known_ngrams, train.sequences, train.labels, away)
        return counts

    def _new_counts(self) -> NgramCounts:
        from elman.models.classification.ngrams import NgramCounts

        s = self.ngram_sizes
        return NgramCounts(len(self.vocabulary), s.longest, s.features, s.sets, len(self.classes))

    def build_model(self) -> nn.Module:
        """The network, or several; with n-grams beside, which are fitted where training begins."""
        from elman.models.classification.ngrams import WithNgrams

        network = super().build_model()
        if self.settings.ngrams != "beside":
            return network
        counts = self._new_counts()
        if self.begins:
            counts.load_state_dict(self._counts.state_dict())
        return WithNgrams(network, counts, self.settings.max_length)

    def inspected(self, model: nn.Module) -> nn.Module:
        """The network, of several the first one; without the counts."""
        from elman.models.classification.ngrams import WithNgrams

        return super().inspected(model.network if isinstance(model, WithNgrams) else model)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and accuracy on the validation part, where also the network and the counts are weighed."""
        from elman.models.classification.ngrams import WithNgrams, fit_shares

        if isinstance(model, WithNgrams):
            model.shares.copy_(fit_shares(*self._two_opinions(model)))
        return super().evaluate(model)

    def _two_opinions(self, model: WithNgrams) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities (M, C) of the network and of the counts on what neither has seen, and the truth (M,)."""
        import torch

        from elman.metrics.classification import answer
        from elman.models.classification.ensemble import mean_scores
        from elman.models.classification.ngrams import Parts

        away = self._left_out_of
        examples = self.examples("validation" if away is None else "train")
        found = answer(Parts(model), examples.sequences, examples.labels)
        own, counted = found.scores.tensor_split([found.scores.shape[1] - self._ngram_sets], dim=1)
        if away is None:
            return mean_scores(own.transpose(0, 1)), counted[:, 0], found.truth
        unseen = torch.from_numpy(away.T)
        return own[unseen], counted[unseen], found.truth.unsqueeze(1).expand_as(unseen)[unseen]

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves, and say what network and counts reach alone and together."""
        import torch

        from elman.models.classification.ngrams import WithNgrams

        super().finish(folder, model)
        if isinstance(model, WithNgrams):
            with torch.no_grad():
                own, counted, truth = self._two_opinions(model)
            alone, other = (float((one.argmax(-1) == truth).double().mean()) for one in (own, counted))
            shares = model.shares.tolist()
            log.info(
                "the answers join the network (alone %.1f%% on validation, weight %.2f) and counted n-grams (alone"
                " %.1f%%, weight %.2f); `ngrams=none` trains the network alone",
                *(100 * alone, shares[0], 100 * other, shares[1]),
            )

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

    def predict(self, model: nn.Module, inputs: Sequence[str], options: Options) -> list[Prediction]:
        """Label and probabilities of each text, and the prediction after each token.

        Raises:
            UserError: a text is empty.
        """
        for number, text in enumerate(inputs, 1):
            if not text.strip():
                raise UserError(f"text {number} of {len(inputs)} is empty; give a text to judge")
        if options.opinion:
            return [self._prediction(model, text, options) for text in inputs]
        return list(self._plainly(model, inputs))

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
        """Labels of texts, all at once, without an opinion after each token."""
        import numpy as np

        from elman.metrics.classification import answer

        shares = answer(model, self.encode(texts), np.zeros(len(texts), dtype=np.int64)).scores.softmax(-1).tolist()
        for text, one in zip(texts, shares, strict=True):
            yield TextPrediction.of(text, self.classes, one)

    def _prediction(self, model: nn.Module, text: str, options: Options) -> TextPrediction:
        import torch

        from elman.models.classification.ensemble import Ensemble
        from elman.models.classification.ngrams import WithNgrams
        from elman.models.classifier import Classifier

        assert isinstance(model, Classifier | Ensemble | WithNgrams)
        ids = torch.from_numpy(self.encode([text])[0]).to(next(model.parameters()).device)
        scores: Tensor = (
            model.prefix_scores(ids)
            if options.opinion
            else model(ids.unsqueeze(1), torch.tensor([len(ids)], device=ids.device))
        )
        shares: list[list[float]] = scores.softmax(-1).tolist()
        last = TextPrediction.of(text, self.classes, shares[-1])
        opinion: tuple[RunningPrediction, ...] = ()
        if options.opinion:
            tokens = self.vocabulary.token_texts(text)[-len(shares) :] or [text.strip()]
            opinion = running(tokens, self.classes, shares)
        return TextPrediction(text, last.label, last.probability, last.probabilities, opinion)

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
