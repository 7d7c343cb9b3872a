"""The task `speech`: its settings, its options, and what the training loop calls."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.errors import UserError
from elman.tasks.classification.task import ClassificationTask, Examples, Part, read_names
from elman.tasks.speech.settings import Options, Settings
from elman.training.task import Carry, Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from elman.data.audio.augmentation import Augmentation
    from elman.data.audio.dataset import Spoken
    from elman.data.audio.frontend import FrontEnd
    from elman.tasks.speech.transcription import Transcription, Utterance, UtteranceBatch, UtteranceSampler
    from elman.training.report import Report
    from elman.training.run_folder import RunFolder

BEAM = 8
"""The prefixes that evaluation keeps."""
PIECE_SECONDS = 30
"""A longer recording is put into a class piece by piece."""


class Task:
    """Makes the one of the two that the settings ask for."""

    inputs = "sound files (WAV, FLAC)"

    def __new__(cls, settings: Settings, folder: Path) -> Any:
        return (Words if settings.answer == "class" else Transcripts)(settings, folder)


class Listener:
    """What both have: recordings, and the way from sound to steps."""

    name = "speech"
    inputs = Task.inputs
    settings: Settings
    folder: Path

    @cached_property
    def spoken(self) -> Spoken:
        """The recordings; what a person should know of them is said on standard error."""
        from elman.data.audio.dataset import Spoken

        s = self.settings
        spoken = Spoken.read(
            s.data,
            speaker=s.speaker,
            without=s.without,
            validation_share=s.validation_share,
            max_seconds=s.max_seconds,
            rate=s.rate,
        )
        if spoken.note:
            print(f"elman: {spoken.note}", file=sys.stderr)
        return spoken

    def other_spoken(self, path: Path) -> Spoken:
        """The recordings of another folder."""
        from elman.data.audio.dataset import Spoken
        from elman.data.audio.recordings import read_folder, without_long

        s = self.settings
        recordings, note = without_long(read_folder(path), s.max_seconds)
        if note:
            print(f"elman: {note}", file=sys.stderr)
        return Spoken(recordings, s.rate)

    @cached_property
    def front_end(self) -> FrontEnd:
        from elman.data.audio.frontend import FrontEnd
        from elman.data.audio.log_mel import LogMel
        from elman.data.scaling import Scaler

        s, saved = self.settings, self.folder / "scaler.json"
        spectrum = LogMel(s.rate, s.bands)
        if s.normalise == "recording":
            return FrontEnd(spectrum, s.stack, None, s.cepstra, s.floor)
        if saved.exists():
            return FrontEnd(spectrum, s.stack, Scaler.load(saved), s.cepstra)
        train = [self.spoken.sound(one) for one in self.spoken.part("train")]
        return FrontEnd.fit(spectrum, s.stack, train, s.cepstra)

    @property
    def variation(self) -> Augmentation:
        from elman.data.audio.augmentation import Augmentation

        s = self.settings
        return Augmentation(s.vary_speed, s.vary_gain, s.vary_hiss, s.vary_tract, s.vary_tempo, s.vary_ends)

    def save_front_end(self, folder: Path) -> None:
        if self.front_end.scaler is not None:
            self.front_end.scaler.save(folder / "scaler.json")


class Words(Listener, ClassificationTask):
    """Which of the transcripts a recording is."""

    settings: Settings

    def __init__(self, settings: Settings, folder: Path) -> None:
        ClassificationTask.__init__(self, settings, folder)
        self._parts: dict[Part, Examples] = {}

    def classes_of_data(self) -> tuple[str, ...]:
        from elman.data.splits import class_names

        train = self.spoken.part("train")
        labels = [one.transcript for one in train]
        return class_names(labels, str(self.settings.data), lambda number: str(train[number].path))

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.save_front_end(folder)

    def examples(self, part: Part) -> Examples:
        if part not in self._parts:
            self._parts[part] = self._heard(self.spoken, part)
        return self._parts[part]

    def other_examples(self, path: Path) -> Examples:
        return self._heard(self.other_spoken(path), "train")

    def _heard(self, spoken: Spoken, part: Part) -> Examples:
        from elman.data.splits import numbered

        recordings = spoken.part(part)
        labels = numbered([one.transcript for one in recordings], self.classes, lambda i: str(recordings[i].path))
        steps = [self.front_end(spoken.sound(one)) for one in recordings]
        return Examples(steps, labels, [one.path.name for one in recordings])

    def shown(self, index: int, step: int) -> NDArray[Any]:
        import numpy as np

        generator = np.random.default_rng((self.settings.seed, step, index))
        sound = self.variation(self.spoken.sound(self._train[index]), generator)
        return self.front_end(sound, self.variation.manner(generator))

    @cached_property
    def _train(self) -> list[Any]:
        return self.spoken.part("train")

    def build_model(self) -> nn.Module:
        from torch import nn

        from elman.models.classifier import Classifier

        s = self.settings
        shape = s.shape(self.front_end.size, bidirectional=s.bidirectional)
        return Classifier(nn.Identity(), shape, len(self.classes), **s.answering)

    def predict(self, model: nn.Module, inputs: list[str | Path], options: Options) -> list[dict[str, Any]]:
        """Label and probabilities of each recording; of a long one the mean over pieces of half a minute.

        Raises:
            UserError: a file is no sound, empty, or silent.
        """
        if options.beam > 1 or options.stream or options.plot:
            raise UserError("--beam, --stream and --plot are for runs trained with --answer symbols; leave them out")
        predictions = []
        for given in inputs:
            probabilities = self._probabilities(model, Path(given))
            best = max(range(len(probabilities)), key=probabilities.__getitem__)
            shares = dict(zip(self.classes, probabilities, strict=True))
            predictions.append(
                {
                    "input": str(given),
                    "label": self.classes[best],
                    "probability": probabilities[best],
                    "probabilities": shares,
                }
            )
        return predictions

    def _probabilities(self, model: nn.Module, path: Path) -> list[float]:
        from elman.data.audio.frontend import Listening
        from elman.metrics.classification import mean_probabilities

        steps = round(PIECE_SECONDS / self.front_end.seconds)
        return mean_probabilities(model, Listening(path, self.front_end), steps)

    def show(self, predictions: list[dict[str, Any]]) -> str:
        width = max(len(prediction["input"]) for prediction in predictions)
        return "\n".join(f"{p['input']:<{width}}  {p['label']}  {p['probability']:.1%}" for p in predictions)


class Transcripts(Listener):
    """All that is said in a recording."""

    unit = "symbols"
    metric = "wer"
    higher_is_better = False

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the transcripts: the run's own, where there is one."""
        from elman.tasks.speech.transcription import symbols_heard

        path = self.folder / "symbols.json"
        s = self.settings
        return read_names(path) if path.exists() else symbols_heard(self.spoken, s.kind, s.joined > 1)

    @cached_property
    def strings(self) -> UtteranceSampler:
        return self._strings_of(self.spoken)

    def _strings_of(self, spoken: Spoken) -> UtteranceSampler:
        from elman.tasks.speech.transcription import UtteranceSampler

        s = self.settings
        how = (s.joined, s.pause, s.join_gain, self.variation, s.seed)
        return UtteranceSampler(spoken, self.front_end, self.symbols, s.kind, *how)

    @cached_property
    def _held_out(self) -> dict[Part, list[Utterance]]:
        return {part: self.strings.held_out(part) for part in ("validation", "test")}

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        self.strings.prepare()
        _ = self._held_out

    def save(self, folder: Path) -> None:
        from elman.tasks.speech.transcription import save_symbols

        save_symbols(folder / "symbols.json", self.symbols)
        self.save_front_end(folder)

    def build_model(self) -> nn.Module:
        from elman.models.transcriber import Transcriber

        s = self.settings
        shape = s.shape(self.front_end.size, bidirectional=s.bidirectional)
        return Transcriber(shape, len(self.symbols), dropout=s.dropout)

    def batch(self, step: int, rank: int, world: int) -> UtteranceBatch:
        from elman.tasks.speech.transcription import make_batch

        return make_batch(self.strings.drawn(step, self.settings.batch_size, rank, world))

    def loss(self, model: nn.Module, batch: UtteranceBatch, carry: Carry) -> Loss:
        from elman.tasks.speech.transcription import batch_loss

        return Loss(*batch_loss(model, batch))

    def _hear(self, model: nn.Module, utterances: Sequence[Utterance], beam: int) -> Transcription:
        from elman.tasks.speech.transcription import hear

        return hear(model, utterances, self.symbols, self.settings.kind, beam)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and error rates on the validation part, decoded greedily."""
        metrics = self._hear(model, self._held_out["validation"], 1).metrics()
        return {name: value for name, value in metrics.items() if name != "wer_beam"}

    def report(self, model: nn.Module) -> dict[str, float]:
        """The figures of `examine`."""
        return self.examine(model).metrics

    def examine(self, model: nn.Module, data: Path | None = None) -> Report:
        """Figures on the validation and the test part; by number of words, and what was misheard, of the test part.

        Arguments:
            data: a folder to measure on in place of the parts.
        """
        from elman.training.report import Report

        if data is not None:
            others = self._strings_of(self.other_spoken(data)).recorded("train")
            heard = self._hear(model, others, BEAM)
            return Report(heard.metrics(), heard.tables(data.name, [one.name for one in others]))
        part: Part = "test" if self._held_out["test"] else "validation"
        metrics: dict[str, float] = {}
        for name in dict.fromkeys(("validation", part)):
            heard = self._hear(model, self._held_out[name], BEAM)
            metrics |= {f"{name}_{figure}": value for figure, value in heard.metrics().items()}
        return Report(metrics, heard.tables(part, [one.name for one in self._held_out[part]]))

    def finish(self, folder: RunFolder, model: nn.Module) -> None:
        """Draw the curves."""
        from elman.training.loss_curve import draw_curves

        draw_curves(folder, self.metric, "nats per symbol")

    def predict(self, model: nn.Module, inputs: list[str | Path], options: Options) -> list[dict[str, Any]]:
        """The text of each recording, and when each of its symbols was heard.

        Raises:
            UserError: a file is no sound, empty, or silent; or --stream is asked of a run in both directions.
        """
        if options.stream and self.settings.bidirectional:
            raise UserError(
                "--stream needs a run in one direction, and this one also reads from the end; train with"
                " --no-bidirectional"
            )
        if options.stream and self.settings.normalise == "recording":
            raise UserError(
                "--stream cannot know the mean of a recording before its end; train with --normalise training"
            )
        return [self._transcribed(model, Path(given), options) for given in inputs]

    def _transcribed(self, model: nn.Module, path: Path, options: Options) -> dict[str, Any]:
        from elman.data.audio.frontend import Listening
        from elman.models.decoding.ctc import Greedy, PrefixBeam
        from elman.models.transcriber import Transcriber, log_probabilities
        from elman.tasks.speech.transcription import written

        assert isinstance(model, Transcriber)
        listening = Listening(path, self.front_end)
        decoder = PrefixBeam(options.beam) if options.beam > 1 else Greedy()
        between = " " if self.settings.kind == "words" else ""
        for scores in log_probabilities(model, listening):
            new = decoder.push(scores.cpu())
            if options.stream and new:
                print(
                    "".join(self.symbols[one.symbol - 1] + between for one in new), end="", file=sys.stderr, flush=True
                )
        if options.stream:
            print(file=sys.stderr)
        emitted, seconds = decoder.best(), self.front_end.seconds
        heard = [(self.symbols[one.symbol - 1], round(listening.begin + one.step * seconds, 3)) for one in emitted]
        text = written(emitted, self.symbols, self.settings.kind)
        prediction = {"input": str(path), "text": text, "seconds": listening.seconds, "heard": heard}
        if options.plot:
            prediction["written"] = self._draw(listening.first, heard, text, path)
        return prediction

    def _draw(self, frames: NDArray[np.float32], heard: list[tuple[str, float]], text: str, path: Path) -> list[str]:
        from elman.plotting.spectrogram import draw_spectrogram

        shown = text if len(text) <= 60 else text[:59] + "…"
        title = f"{path.name}: “{shown}” was heard" if text else f"{path.name}: nothing was heard"
        hop = self.front_end.spectrum.hop
        return [str(made) for made in draw_spectrogram(frames, hop, heard, title, self.folder / f"heard-{path.stem}")]

    def show(self, predictions: list[dict[str, Any]]) -> str:
        width = max(len(prediction["input"]) for prediction in predictions)
        lines = [f"{p['input']:<{width}}  {p['text']}" for p in predictions]
        return "\n".join(lines + ["written: " + ", ".join(p["written"]) for p in predictions if "written" in p])
