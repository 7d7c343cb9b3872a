"""The task `speech` with `answer=symbols`: all that is said in a recording, by CTC."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from elman.data.names import read_names, save_names
from elman.errors import UserError, one_line_of
from elman.tasks.classification.task import Part
from elman.tasks.speech.prediction import Transcript
from elman.tasks.speech.recordings import SpeechTask
from elman.tasks.speech.settings import Options
from elman.training.progress import display
from elman.training.task import Carry, Loss, Prediction

if TYPE_CHECKING:
    from torch import nn

    from elman.data.audio.dataset import Spoken
    from elman.data.audio.io import Sound
    from elman.tasks.speech.transcription import Transcription, Utterance, UtteranceBatch, UtteranceSampler
    from elman.training.predicting.input_stream import Event, InputStream
    from elman.training.report import Report

SYMBOLS = "symbols.json"
BEAM = 8
"""The prefixes that evaluation keeps."""


class TranscriptTask(SpeechTask):
    """All that is said in a recording."""

    looks_at_end = 0
    unit = "symbols"
    metric = "wer"
    loss_unit = "nats per symbol"

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the transcripts: the run's own, or those of the training part."""
        from elman.tasks.speech.transcription import symbols_heard

        return symbols_heard(self.recordings, self.settings.kind, self.settings.joined > 1)

    @cached_property
    def strings(self) -> UtteranceSampler:
        """The utterances of each part."""
        return self._strings_of(self.recordings)

    def _strings_of(self, recordings: Spoken) -> UtteranceSampler:
        from elman.tasks.speech.transcription import UtteranceSampler

        s = self.settings
        how = (s.joined, s.pause, s.join_gain, self.augmentation, s.seed)
        return UtteranceSampler(recordings, self.front_end, self.symbols, s.kind, *how)

    @cached_property
    def _held_out(self) -> dict[Part, list[Utterance]]:
        return {part: self.strings.held_out(part) for part in ("validation", "test")}

    def prepare(self) -> None:
        """Read and check everything that training needs."""
        self.strings.prepare()
        _ = self._held_out

    def save(self, folder: Path) -> None:
        """Write symbols and the scale of the front end."""
        super().save(folder)
        save_names(folder / SYMBOLS, self.symbols)

    def restore(self, folder: Path) -> None:
        """Read symbols and the scale of the front end."""
        super().restore(folder)
        self.symbols = read_names(folder / SYMBOLS)

    def build_model(self) -> nn.Module:
        """A transcriber with one output a symbol, and one for none."""
        from elman.models.transcriber import Transcriber

        s = self.settings
        shape = s.shape(self.front_end.size, bidirectional=s.bidirectional)
        return Transcriber(shape, len(self.symbols), dropout=s.dropout)

    def batch(self, step: int, rank: int, world: int) -> UtteranceBatch:
        """Utterances side by side; a process that is left without any takes one that does not count."""
        from elman.tasks.speech.transcription import make_batch

        size = self.settings.effective_batch_size
        share = self.strings.drawn(step, size, rank, world)
        return make_batch(share or self.strings.drawn(step, size)[:1], counts=bool(share))

    def loss(self, model: nn.Module, batch: UtteranceBatch, carry: Carry) -> Loss:
        """The CTC loss (Graves et al. 2006)."""
        from elman.tasks.speech.transcription import batch_loss

        return Loss(*batch_loss(model, batch))

    def _hear(self, model: nn.Module, utterances: Sequence[Utterance], beam: int) -> Transcription:
        from elman.tasks.speech.transcription import hear

        return hear(model, utterances, self.symbols, self.settings.kind, beam)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss and error rates on the validation part, decoded greedily."""
        metrics = self._hear(model, self._held_out["validation"], 1).metrics()
        return {name: value for name, value in metrics.items() if name != "wer_beam"}

    def examine(self, model: nn.Module, *data: Path) -> Report:
        """Metrics on the validation and the test part; by number of words, and what was misheard, of the test part.

        Arguments:
            data: a folder to measure on in place of the parts.
        """
        from elman.training.report import Report

        if data:
            others = self._strings_of(self.other_recordings(data[0])).recorded("train")
            heard = self._hear(model, others, BEAM)
            return Report(heard.metrics(), heard.tables(data[0].name, [one.name for one in others]))
        part: Part = "test" if self._held_out["test"] else "validation"
        metrics: dict[str, float] = {}
        for name in dict.fromkeys(("validation", part)):
            heard = self._hear(model, self._held_out[name], BEAM)
            metrics |= {f"{name}_{figure}": value for figure, value in heard.metrics().items()}
        return Report(metrics, heard.tables(part, [one.name for one in self._held_out[part]]))

    def prediction_type(self) -> type[Prediction]:
        """A `Transcript`."""
        return Transcript

    def predict(self, model: nn.Module, inputs: Sequence[str | Path], options: Options) -> list[Prediction]:
        """The text of each recording, and when each of its symbols was heard.

        Raises:
            UserError: a file is no sound, empty, or silent; or `stream` is asked of a run in both directions.
        """
        if options.stream and self.settings.bidirectional:
            raise UserError(
                "`stream` needs a run in one direction, and this one also reads from the end; train with"
                " `bidirectional=False`"
            )
        if options.stream and self.settings.normalise == "recording":
            raise UserError(
                "`stream` cannot know the mean of a recording before its end; train with `normalise=training`"
            )
        return [self._transcribed(model, Path(given), options) for given in inputs]

    def _transcribed(self, model: nn.Module, path: Path, options: Options) -> Transcript:
        from elman.data.audio.frontend import Listening
        from elman.models.transcriber import Transcriber, log_probabilities
        from elman.runtime.ctc import Greedy, PrefixBeam
        from elman.tasks.speech.transcription import written

        assert isinstance(model, Transcriber)
        listening = Listening(path, self.front_end)
        decoder = PrefixBeam(options.beam) if options.beam > 1 else Greedy()
        between = " " if self.settings.kind == "words" else ""
        for scores in log_probabilities(model, listening):
            new = decoder.push(scores.cpu().numpy())
            if options.stream and new:
                display().text("".join(self.symbols[one.symbol - 1] + between for one in new))
        if options.stream:
            display().text("\n")
        emitted, seconds = decoder.best(), self.front_end.seconds
        heard = tuple((self.symbols[one.symbol - 1], round(listening.begin + one.step * seconds, 3)) for one in emitted)
        text = written(emitted, self.symbols, self.settings.kind)
        return Transcript(str(path), text, listening.seconds, heard, listening.first, self.front_end.spectrum.hop)

    def open_stream(self, model: nn.Module, options: Options) -> InputStream:
        """What is said in sound that comes in pieces: as it is heard, or of a run that needs the whole, read anew.

        Raises:
            UserError: a beam, which may change its mind, is asked of a run that writes as it hears.
        """
        import torch

        from elman.models.transcriber import Transcriber
        from elman.tasks.speech.streaming import TranscriptStream, WholeSoundStream
        from elman.tasks.speech.transcription import decode, written

        assert isinstance(model, Transcriber)
        if not self.settings.bidirectional and self.settings.normalise == "training":
            if options.beam > 1:
                raise UserError("`beam` may change its mind about what was written; leave it out of a stream")
            return TranscriptStream(model, self.front_end, self.symbols)

        def judge(sound: Sound) -> Event:
            steps = torch.from_numpy(self.front_end(sound))
            scores = model(steps.unsqueeze(1))[:, 0].float().log_softmax(-1)
            return {"text": written(decode(scores, options.beam), self.symbols, self.settings.kind)}

        return WholeSoundStream(self.settings.rate, judge)

    def show(self, predictions: Sequence[Prediction]) -> str:
        """A line for each recording, the texts one below the other."""
        found = [one for one in predictions if isinstance(one, Transcript)]
        width = max(len(one_line_of(one.input)) for one in found)
        return "\n".join(f"{one_line_of(one.input):<{width}}  {one_line_of(one.text)}" for one in found)
