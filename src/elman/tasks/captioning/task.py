"""The task `captioning`: pictures and captions, the vocabulary, the captioner, and its metrics."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.atomic_io import write_text
from elman.data.image.dataset import FLICKR8K
from elman.data.io.json_files import read_json
from elman.errors import UserError
from elman.tasks.captioning.prediction import Caption, draw_captions
from elman.tasks.captioning.settings import Options, Settings
from elman.training.task import Carry, Loss, Prediction
from elman.training.task import Task as BaseTask

if TYPE_CHECKING:
    from torch import nn

    from elman.data.description.facts import Description
    from elman.data.image.dataset import Captioned, CaptionedParts
    from elman.data.image.features import Features
    from elman.data.text.vocabulary import Vocabulary
    from elman.insight.example import InspectionExample
    from elman.models.decoding.config import Decoding
    from elman.tasks.captioning.steps import CaptionBatch, CaptionPairs
    from elman.training.report import Report

log = logging.getLogger("elman")
VOCABULARY, FEATURES = "vocabulary.json", "features.json"
LARGEST_FEATURE = 1_000_000
PARTS = {"training": "train", "validation": "validation"}
EXAMPLES = 20
"""Captions that evaluation shows."""
PLACES = {"first": ("first",), "state": ("state",), "every": ("every",), "first+state": ("first", "state")}


@dataclass(frozen=True)
class Seen:
    """What features are: how many numbers, and the network that made them, "" for another's."""

    size: int
    maker: str = ""


class Task(BaseTask[Settings]):
    """What is to be seen."""

    name = "captioning"
    looks_at_end = 0
    inputs = "pictures, folders of pictures, or files of features"
    inputs_are_files = True
    predict_example = ("holidays",)
    takes = "files"
    writes = "a sheet of the pictures with their captions"
    unit = "words"
    metric = "cider"
    higher_is_better = True
    loss_unit = "nats per word"
    options_type = Options

    @cached_property
    def captioned(self) -> CaptionedParts:
        """Pictures and captions; what the user should know of them is logged."""
        from elman.data.image.dataset import read_captioned

        s = self.settings
        given = (s.data, s.captions, s.features, remember_with_progress)
        read = read_captioned(*given, validation_share=s.validation_share, seed=s.seed)
        for note in read.notes:
            log.info(note)
        return read

    def understood(self, *, whole: bool = False) -> Description:
        """Captions and pictures, by their files alone."""
        from elman.data.description.pictures import describe_captions
        from elman.data.image.dataset import captions_and_pictures

        s = self.settings
        alone = not s.captions and s.data != FLICKR8K
        return describe_captions(*captions_and_pictures(s.data, s.captions), alone=alone)

    @cached_property
    def seen(self) -> Seen:
        """What the features are: their size, and the network that made them."""
        return Seen(self.captioned.parts["train"].vectors.shape[1], self.captioned.maker)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words: the run's own, or those of the training captions."""
        from elman.data.text.tokenizers import SPECIAL
        from elman.data.text.vocabulary import Vocabulary

        texts = [text for texts in self.captioned.parts["train"].captions for text in texts]
        return Vocabulary.build(texts, "words", special=SPECIAL, min_count=self.settings.min_count)

    def _pairs_of(self, part: Captioned) -> CaptionPairs:
        from elman.tasks.captioning.steps import CaptionPairs

        return CaptionPairs(part, self.vocabulary, self.settings.longest)

    @cached_property
    def _train(self) -> CaptionPairs:
        return self._pairs_of(self.captioned.parts["train"])

    @cached_property
    def _buckets(self) -> Any:
        from elman.data.batching import Buckets

        return Buckets(self._train.lengths, self.settings.effective_batch_size, self.settings.seed)

    @property
    def _padding(self) -> int:
        assert self.vocabulary.pad is not None
        return self.vocabulary.pad

    @property
    def decoding(self) -> Decoding:
        """How evaluation writes."""
        from elman.models.decoding.config import Decoding

        s = self.settings
        return Decoding(beam=s.beam, length_penalty=s.length_penalty, max_length=s.longest)

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        _ = self._train

    def learned_from(self) -> dict[str, Iterable[Any]]:
        """Names and captions of the pictures, and the user's own features or picture files."""
        parts = {f"{name} part": self.captioned.parts[key] for name, key in PARTS.items()}
        found: dict[str, Iterable[Any]] = {
            name: zip(part.names, part.captions, strict=True) for name, part in parts.items()
        }
        if self.seen.maker and not self.settings.features and Path(self.settings.data).is_dir():
            from elman.data.image.io import picture_files

            files = picture_files([Path(self.settings.data).expanduser()])
            return found | {"folder of pictures": ((file.name, file) for file in files)}
        if self.settings.data == FLICKR8K and not self.settings.features:
            return found  # pinned by the catalogue; their features are computed, and differ by rounding
        return found | {f"features of the {name}": part.vectors for name, part in parts.items()}

    def save(self, folder: Path) -> None:
        """Write the vocabulary, and what the features are."""
        self.vocabulary.save(folder / VOCABULARY)
        write_text(folder / FEATURES, json.dumps(asdict(self.seen)) + "\n")

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote."""
        from elman.data.text.saved import load_vocabulary
        from elman.data.text.tokenizers import SPECIAL

        self.vocabulary = load_vocabulary(folder / VOCABULARY, "words", SPECIAL)
        self.seen = read_facts(folder / FEATURES)

    def build_model(self) -> nn.Module:
        """A captioner; a new one learns the size of its features from the training part."""
        import torch

        from elman.models.captioner import Captioner

        s = self.settings
        V, D, shape = len(self.vocabulary), self.seen.size, s.shape(s.embedding_size)
        model = Captioner(V, D, shape, feature_as=PLACES[s.feature_as], dropout=s.dropout, tied=s.tied)
        if self.begins:
            model.scale_by(torch.from_numpy(self.captioned.parts["train"].vectors))
        return model

    def batch(self, step: int, rank: int, world: int) -> CaptionBatch:
        """Captions of like length with their pictures."""
        from elman.data.batching import process_share

        share, counts = process_share(self._buckets.batch(step), rank, world)
        batch = self._train.batch(share.tolist())
        if not counts:
            batch.tokens[1:] = self._padding
        return batch

    def loss(self, model: nn.Module, batch: CaptionBatch, carry: Carry) -> Loss:
        """Cross-entropy of the next word."""
        from elman.tasks.captioning.steps import batch_loss

        return Loss(*batch_loss(model, batch, self._padding, self.settings.label_smoothing))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss in nats a word, and the scores of captions written greedily, on the validation part."""
        from elman.models.decoding.config import Decoding

        return self._metrics(model, "validation", Decoding(max_length=self.settings.longest))[0]

    def _metrics(self, model: Any, name: str, decoding: Decoding) -> tuple[dict[str, float], list[str]]:
        import torch

        from elman.metrics.captioning import caption_metrics
        from elman.tasks.captioning.steps import caption, mean_loss

        part = self.captioned.parts[name]
        written = caption(model, torch.from_numpy(part.vectors), self.vocabulary, decoding, 1)
        texts = [self._text(one.tokens) for one in written]
        loss = mean_loss(model, self._pairs_of(part), self._padding)
        return {"loss": loss, "perplexity": math.exp(loss), **caption_metrics(texts, part.captions)}, texts

    def _text(self, tokens: tuple[int, ...]) -> str:
        return " ".join(self.vocabulary.tokens[token] for token in tokens)

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """Scores of the validation part, and of the test part where there is one, and the captions in a table."""
        from elman.training.report import Report, Table

        if data:
            return super().examine(model, *data)
        metrics: dict[str, float] = {}
        tables = []
        for name in ("validation", "test"):
            part = self.captioned.parts[name]
            if not len(part):
                continue
            found, texts = self._metrics(model, name, self.decoding)
            metrics |= {f"{name}_{figure}": value for figure, value in found.items()}
            rows = tuple(zip(part.names, texts, (given[0] for given in part.captions), strict=True))[:EXAMPLES]
            tables.append(
                Table(f"{name}-captions", f"the first of the {name} part", ("picture", "caption", "reference"), rows)
            )
        return Report(metrics, tuple(tables))

    def prediction_type(self) -> type[Prediction]:
        """A `Caption`."""
        return Caption

    def predict(self, model: nn.Module, inputs: Sequence[str | Path], options: Options) -> list[Prediction]:
        """A caption for each picture, with its probability.

        Raises:
            UserError: a picture or a file of features that cannot be read, or that is of another kind than the run's.
        """
        import torch

        from elman.models.captioner import Captioner
        from elman.tasks.captioning.steps import caption, explained

        assert isinstance(model, Captioner)
        paths, features = self._look_at(inputs)
        vectors = torch.from_numpy(features.vectors)
        predictions: list[Prediction] = []
        for number, written in enumerate(caption(model, vectors, self.vocabulary, self._asked(options), options.seed)):
            picture = paths[number] if paths else None
            words = explained(model, vectors[number], written, self.vocabulary) if options.explain else ()
            probability = float(torch.tensor(written.log_probability).exp())
            name = str(picture) if picture else features.names[number]
            predictions.append(Caption(name, self._text(written.tokens), probability, words, picture))
        return predictions

    def batches(self, options: Options) -> bool:
        """Not where captions are drawn."""
        return options.temperature == 0

    @property
    def inspection_input(self) -> str:
        """One picture, or a file of features where no others are known."""
        return "picture.jpg" if self.seen.maker else "features.npz"

    def inspection_example(self, model: nn.Module, file: str) -> InspectionExample:
        """A picture, or the first of a file of features, to look at: the network while it writes its greedy caption.

        Raises:
            UserError: as `predict`, or a folder is named.
        """
        import torch

        from elman.models.captioner import Captioner
        from elman.models.decoding.config import Decoding
        from elman.tasks.captioning.steps import caption, look_at_caption

        assert isinstance(model, Captioner)
        if Path(file).is_dir():
            raise UserError(f"{file} is a folder; name one picture in it to look at")
        vector = torch.from_numpy(self._look_at([file])[1].vectors[0])
        (written,) = caption(model, vector.unsqueeze(0), self.vocabulary, Decoding(max_length=self.settings.longest), 1)
        return look_at_caption(model, vector, written, self.vocabulary)

    def _asked(self, options: Options) -> Decoding:
        from elman.models.decoding.config import Decoding

        s = self.settings
        beam = (1 if options.temperature else s.beam) if options.beam is None else options.beam
        return Decoding(
            beam=beam,
            temperature=options.temperature,
            top_k=options.top_k,
            length_penalty=s.length_penalty,
            max_length=s.longest,
        )

    def _look_at(self, inputs: Sequence[str | Path]) -> tuple[list[Path], Features]:
        """The pictures that are meant, none where features are given, and their features."""
        from elman.data.image.features import FORMS, read_features
        from elman.data.image.io import picture_files

        if len(inputs) == 1 and Path(inputs[0]).suffix in FORMS:
            paths, features = [], read_features(Path(inputs[0]))
        elif self.seen.maker:
            paths = picture_files(inputs)
            features = extract_with_progress(paths)
        else:
            raise UserError(
                "this run learned from features of your own, and elman does not know what makes them; give a file of"
                " such features in place of pictures"
            )
        if features.vectors.shape[1] != self.seen.size:
            own, size = self.seen.size, features.vectors.shape[1]
            raise UserError(f"{inputs[0]} has {size} numbers for each picture, and this run learned from {own}")
        return paths, features

    def write(self, predictions: Sequence[Prediction], path: str | Path) -> tuple[Path, ...]:
        """Draw one sheet of all pictures with their captions."""
        return draw_captions([one for one in predictions if isinstance(one, Caption)], Path(path))


def read_facts(path: Path) -> Seen:
    """What a run has written down of its features.

    Raises:
        UserError: the file is missing or damaged.
    """
    seen = read_json(path, Seen, "size and maker of features")
    if not 1 <= seen.size <= LARGEST_FEATURE:
        raise UserError(f"{path} is damaged: features of {seen.size} numbers; restore it from a copy")
    return seen


def extract_with_progress(files: list[Path]) -> Features:
    """The features of pictures; many show how far they are."""
    from elman.models.image_features import extract_features
    from elman.training.progress import display

    with display().counting("looking at pictures", len(files)) as done:
        return extract_features(files, lambda count, _: done(count))


def remember_with_progress(files: list[Path]) -> Features:
    """The same, from the cache where the pictures were seen before."""
    from elman.data.image.remembered import remembered
    from elman.models.image_features import MAKER, extract_features
    from elman.training.progress import display

    with display().counting("looking at pictures", len(files)) as done:

        def make(some: Sequence[Path], before: int) -> Features:
            return extract_features(some, lambda count, _: done(before + count))

        return remembered(files, make, MAKER)
