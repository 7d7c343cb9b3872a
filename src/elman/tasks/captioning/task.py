"""The task `captioning`: its settings, its options, and what the training loop calls."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from elman.atomic_io import write_text
from elman.data.image.dataset import FLICKR8K
from elman.errors import UserError
from elman.training.recurrent_settings import RecurrentSettings
from elman.training.settings import at_least, below_one
from elman.training.task import Carry, Loss

if TYPE_CHECKING:
    from torch import nn

    from elman.data.image.dataset import Captioned, CaptionedParts
    from elman.data.image.features import Features
    from elman.data.text.vocabulary import Vocabulary
    from elman.insight.example import InspectionExample
    from elman.models.decoding.config import Decoding
    from elman.tasks.captioning.steps import CaptionBatch, CaptionPairs
    from elman.training.report import Report
    from elman.training.run_folder import RunFolder

EXAMPLES = 20
"""Captions that evaluation shows."""
PLACES = {"first": ("first",), "state": ("state",), "every": ("every",), "first+state": ("first", "state")}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings(RecurrentSettings):
    """A captioner and its training."""

    data: str = FLICKR8K
    """flickr8k; or a folder of pictures; or a file of features (.npz, .npy, .safetensors)."""
    captions: str = ""
    """The file with the captions of your own pictures."""
    features: str = ""
    """A file of features to take in place of looking at the pictures."""
    feature_as: Literal["first", "state", "every", "first+state"] = "first"
    """Where the picture is given: as the first input, as the first state, or beside the word at every step."""
    min_count: int = 4
    """Words that are rarer are left out of the vocabulary."""
    embedding_size: int = 256
    """Numbers that stand for a word."""
    tied: bool = True
    """Use the embedding as the output layer's weights too."""
    label_smoothing: float = 0.0
    """Share of the probability that training spreads over all words."""
    longest: int = 30
    """Words after which a caption is cut, in training and in writing."""
    beam: int = 3
    """Unfinished captions kept side by side in evaluation."""
    length_penalty: float = 0.7
    """Captions are compared by log-probability / length^this."""
    validation_share: float = 0.1
    """Share of the pictures held out to choose the best weights, where the data name no validation part."""
    hidden_size: int = 512
    """Hidden units of each layer."""
    dropout: float = 0.5
    """Share of values dropped between layers, at the input and at the output."""
    steps: int = 3000
    """Optimiser steps in all."""
    lr: float = 1e-3
    """Peak learning rate of AdamW."""
    eval_every: int = 500
    """Steps between two looks at the validation part."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("min_count", "embedding_size", "longest", "beam"):
            at_least(self, name, 1)
        at_least(self, "length_penalty", 0)
        below_one(self, "label_smoothing")
        if not 0 < self.validation_share < 1:
            raise UserError(f"--validation-share is {self.validation_share}; it must be above 0 and below 1")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """How captions are written and shown."""

    beam: int | None = None
    """Unfinished captions kept side by side; the run's own number otherwise."""
    temperature: float = 0.0
    """Draw words at this temperature in place of looking for the best caption."""
    top_k: int = 0
    """Draw among this many most probable words; 0 is all."""
    seed: int = 1
    """Of drawn captions."""
    explain: bool = False
    """Show how probable each word was, and what would have been the next best."""
    plot: Path | None = None
    """Draw a sheet of the pictures with their captions: FILE.png or FILE.svg."""


class Task:
    """What is to be seen."""

    name = "captioning"
    inputs = "pictures, folders of pictures, or files of features"
    inputs_are_files = True
    unit = "words"
    metric = "cider"
    higher_is_better = True

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder

    @cached_property
    def captioned(self) -> CaptionedParts:
        """Pictures and captions; what a person should know of them is said on standard error."""
        from elman.data.image.dataset import read_captioned

        s = self.settings
        given = (s.data, s.captions, s.features, extract_with_progress)
        read = read_captioned(*given, validation_share=s.validation_share, seed=s.seed)
        for note in read.notes:
            print(f"elman: {note}", file=sys.stderr)
        return read

    @cached_property
    def seen(self) -> dict[str, Any]:
        """What the features are: their size, and the network that made them."""
        path = self.folder / "features.json"
        if path.exists():
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return facts
        return {"size": self.captioned.parts["train"].vectors.shape[1], "maker": self.captioned.maker}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words: the run's own, where there is one."""
        from elman.data.text.tokenizers import SPECIAL
        from elman.data.text.vocabulary import Vocabulary

        path = self.folder / "vocabulary.json"
        if path.exists():
            return Vocabulary.load(path)
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

        return Buckets(self._train.lengths, self.settings.batch_size, self.settings.seed)

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

    def save(self, folder: Path) -> None:
        self.vocabulary.save(folder / "vocabulary.json")
        write_text(folder / "features.json", json.dumps(self.seen) + "\n")

    def build_model(self) -> nn.Module:
        import torch

        from elman.models.captioner import Captioner

        s = self.settings
        V, D, shape = len(self.vocabulary), self.seen["size"], s.shape(s.embedding_size)
        model = Captioner(V, D, shape, feature_as=PLACES[s.feature_as], dropout=s.dropout, tied=s.tied)
        if not (self.folder / "model.safetensors").exists():
            model.scale_by(torch.from_numpy(self.captioned.parts["train"].vectors))
        return model

    def batch(self, step: int, rank: int, world: int) -> CaptionBatch:
        return self._train.batch(self._buckets.batch(step)[rank::world].tolist())

    def loss(self, model: nn.Module, batch: CaptionBatch, carry: Carry) -> Loss:
        from elman.tasks.captioning.steps import batch_loss

        return Loss(*batch_loss(model, batch, self._padding, self.settings.label_smoothing))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss in nats a word, and the scores of captions written greedily, on the validation part."""
        from elman.models.decoding.config import Decoding

        return self._metrics(model, "validation", Decoding(max_length=self.settings.longest))[0]

    def _metrics(self, model: Any, name: str, decoding: Decoding) -> tuple[dict[str, float], list[str]]:
        import torch

        from elman.tasks.captioning.steps import caption, caption_metrics, mean_loss

        part = self.captioned.parts[name]
        written = caption(model, torch.from_numpy(part.vectors), self.vocabulary, decoding, 1)
        texts = [self._text(one.tokens) for one in written]
        loss = mean_loss(model, self._pairs_of(part), self._padding)
        return {"loss": loss, "perplexity": math.exp(loss), **caption_metrics(texts, part.captions)}, texts

    def _text(self, tokens: tuple[int, ...]) -> str:
        return " ".join(self.vocabulary.tokens[token] for token in tokens)

    def report(self, model: nn.Module) -> dict[str, float]:
        """The figures of `examine`."""
        return self.examine(model).metrics

    def examine(self, model: nn.Module, data: Path | None = None) -> Report:
        """Scores of the validation part, and of the test part where there is one, and the captions in a table."""
        from elman.training.report import Report, Table

        if data is not None:
            raise UserError("a captioning run is measured on its own held-out pictures; leave --data out")
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
                Table(f"{name}-captions", f"the first of the {name} part", ("picture", "caption", "a person's"), rows)
            )
        return Report(metrics, tuple(tables))

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves."""
        from elman.training.loss_curve import draw_curves

        draw_curves(folder, self.metric, "nats per word")

    def predict(self, model: nn.Module, inputs: list[str | Path], options: Options) -> list[dict[str, Any]]:
        """A caption for each picture, with its probability.

        Raises:
            UserError: a picture or a file of features that cannot be read, or that is of another kind than the run's.
        """
        import torch

        from elman.models.captioner import Captioner
        from elman.tasks.captioning.steps import caption, explained

        assert isinstance(model, Captioner)
        decoding = self._asked(options)
        paths, features = self._look_at(inputs)
        vectors = torch.from_numpy(features.vectors)
        predictions = []
        for number, written in enumerate(caption(model, vectors, self.vocabulary, decoding, options.seed)):
            probability = float(torch.tensor(written.log_probability).exp())
            name = str(paths[number]) if paths else features.names[number]
            prediction = {"input": name, "caption": self._text(written.tokens), "probability": probability}
            if options.explain:
                prediction["words"] = explained(model, vectors[number], written, self.vocabulary)
            predictions.append(prediction)
        if options.plot is not None:
            self._draw(paths, predictions, options.plot)
        return predictions

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

    def _look_at(self, inputs: list[str | Path]) -> tuple[list[Path], Features]:
        """The pictures that are meant, none where features are given, and their features."""
        from elman.data.image.features import FORMS, read_features
        from elman.data.image.io import picture_files

        if len(inputs) == 1 and Path(inputs[0]).suffix in FORMS:
            paths, features = [], read_features(Path(inputs[0]))
        elif self.seen["maker"]:
            paths = picture_files(inputs)
            features = extract_with_progress(paths)
        else:
            raise UserError(
                "this run learned from features of your own, and elman does not know what makes them; give a file of"
                " such features in place of pictures"
            )
        if features.vectors.shape[1] != self.seen["size"]:
            own, size = self.seen["size"], features.vectors.shape[1]
            raise UserError(f"{inputs[0]} has {size} numbers for each picture, and this run learned from {own}")
        return paths, features

    def _draw(self, paths: list[Path], predictions: list[dict[str, Any]], out: Path) -> None:
        from elman.data.image.io import read_picture
        from elman.plotting.contact_sheet import draw_sheet

        if not paths:
            raise UserError("--plot needs the pictures themselves, and features were given")
        draw_sheet([read_picture(path) for path in paths], [one["caption"] for one in predictions], out)
        print(f"elman: written: {out}", file=sys.stderr)

    def show(self, predictions: list[dict[str, Any]]) -> str:
        lines = []
        for one in predictions:
            lines.append(f"{one['input']}  {one['caption']}  ({one['probability']:.2g})")
            lines += [
                f"    {word['word']:<14} {word['probability']:6.1%}   then {word['runner_up']}"
                f" {word['runner_up_probability']:.1%}"
                for word in one.get("words", ())
            ]
        return "\n".join(lines)


def extract_with_progress(files: list[Path]) -> Features:
    """The features of pictures; many show how far they are."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from elman.models.image_features import extract_features

    console = Console(stderr=True)
    columns = (TextColumn("looking at pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal or len(files) < 100) as bar:
        bar_task = bar.add_task("", total=len(files))
        return extract_features(files, lambda done, _: bar.update(bar_task, completed=done))
