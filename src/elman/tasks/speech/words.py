"""The task `speech` with `answer=class`: which of the transcripts a recording is, as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.errors import UserError
from elman.tasks.classification.prediction import ClassPrediction
from elman.tasks.classification.task import ClassificationTask, Examples, Part
from elman.tasks.speech.recordings import SpeechTask
from elman.tasks.speech.settings import Options, Settings
from elman.training.task import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from elman.data.audio.dataset import Spoken
    from elman.data.audio.io import Sound
    from elman.training.predicting.input_stream import Event, InputStream

PIECE_SECONDS = 30
"""A longer recording is put into a class piece by piece."""


class WordTask(SpeechTask, ClassificationTask[Settings]):
    """Which of the transcripts a recording is."""

    def classes_of_data(self) -> tuple[str, ...]:
        """The transcripts of the training part."""
        from elman.data.splits import class_names

        train = self.recordings.part("train")
        labels = [one.transcript for one in train]
        return class_names(labels, str(self.settings.data), lambda number: str(train[number].path))

    def read_examples(self, part: Part) -> Examples:
        """The recordings of a part, as steps."""
        return self._read(self.recordings, part)

    def other_examples(self, path: Path) -> Examples:
        """The recordings of another folder."""
        return self._read(self.other_recordings(path), "train")

    def _read(self, source: Spoken, part: Part) -> Examples:
        from elman.data.splits import numbered

        recordings = source.part(part)
        labels = numbered([one.transcript for one in recordings], self.classes, lambda i: str(recordings[i].path))
        steps = [self.front_end(source.sound(one)) for one in recordings]
        return Examples(steps, labels, [one.path.name for one in recordings])

    def shown(self, index: int, step: int) -> NDArray[Any]:
        """A training recording, changed a little."""
        import numpy as np

        generator = np.random.default_rng((self.settings.seed, step, index))
        sound = self.augmentation(self.recordings.sound(self._train[index]), generator)
        return self.front_end(sound, self.augmentation.manner(generator))

    @cached_property
    def _train(self) -> list[Any]:
        return self.recordings.part("train")

    def build_model(self) -> nn.Module:
        """A classifier of the steps as they are."""
        from torch import nn

        from elman.models.classifier import Classifier

        s = self.settings
        shape = s.shape(self.front_end.size, bidirectional=s.bidirectional)
        return Classifier(nn.Identity(), shape, len(self.classes), **s.answering)

    def prediction_type(self) -> type[Prediction]:
        """A `ClassPrediction`."""
        return ClassPrediction

    def predict(self, model: nn.Module, inputs: Sequence[str | Path], options: Options) -> list[Prediction]:
        """Label and probabilities of each recording; of a long one the mean over pieces of half a minute.

        Raises:
            UserError: a file is no sound, empty, or silent.
        """
        if options.beam > 1 or options.stream:
            raise UserError("`beam` and `stream` are for runs trained with `answer=symbols`; leave them out")
        shares = [self._probabilities(model, Path(given)) for given in inputs]
        return [ClassPrediction.of(str(given), self.classes, one) for given, one in zip(inputs, shares, strict=True)]

    def _probabilities(self, model: nn.Module, path: Path) -> list[float]:
        from elman.data.audio.frontend import Listening
        from elman.metrics.classification import mean_probabilities

        steps = round(PIECE_SECONDS / self.front_end.seconds)
        return mean_probabilities(model, Listening(path, self.front_end), steps)

    def open_stream(self, model: nn.Module, options: Options) -> InputStream:
        """Which of the transcripts it is, while sound comes in pieces.

        Raises:
            UserError: as `predict`.
        """
        import torch

        from elman.metrics.classification import mean_probabilities
        from elman.tasks.speech.streaming import WholeSoundStream

        if options.beam > 1:
            raise UserError("`beam` is for runs trained with `answer=symbols`; leave it out")
        steps = round(PIECE_SECONDS / self.front_end.seconds)

        def judge(sound: Sound) -> Event:
            shares = mean_probabilities(model, [torch.from_numpy(self.front_end(sound))], steps)
            return {k: v for k, v in ClassPrediction.of("", self.classes, shares).to_json().items() if k != "input"}

        return WholeSoundStream(self.settings.rate, judge)
