"""What both kinds of the task `speech` have: recordings, and the way from sound to steps."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from elman.tasks.speech.settings import Options, Settings
from elman.training.task import Task as BaseTask

if TYPE_CHECKING:
    from elman.data.audio.augmentation import Augmentation
    from elman.data.audio.dataset import Spoken
    from elman.data.audio.frontend import FrontEnd
    from elman.data.description.facts import Description

SCALER = "scaler.json"
log = logging.getLogger("elman")


class SpeechTask(BaseTask[Settings]):
    """Recordings, and the steps that a network reads of them."""

    name = "speech"
    inputs = "sound files (WAV, FLAC), or folders of them"
    data_files: ClassVar[int] = 1
    predict_example = ("recording.wav",)
    takes = "files"
    input_suffixes = (".wav", ".flac", ".ogg", ".aiff", ".aif")
    writes = "the spectrogram and when each symbol was heard, of a run trained with `answer=symbols`"
    options_type = Options
    local_options = frozenset({"stream"})

    @cached_property
    def recordings(self) -> Spoken:
        """The recordings; what the user should know of them is logged."""
        from elman.data.audio.dataset import Spoken

        s = self.settings
        recordings = Spoken.read(
            s.data,
            speaker=s.speaker,
            without=s.without,
            validation_share=s.validation_share,
            max_seconds=s.max_seconds,
            rate=s.rate,
        )
        if recordings.note:
            log.info(recordings.note)
        return recordings

    def understood(self, *, whole: bool = False) -> Description:
        """Recordings, transcripts and sample rates."""
        from elman.data.description.recordings import describe_recordings

        return describe_recordings(self.recordings.recordings, self.settings.data)

    def other_recordings(self, path: Path) -> Spoken:
        """The recordings of another folder."""
        from elman.data.audio.dataset import Spoken
        from elman.data.audio.recordings import read_folder, without_long

        s = self.settings
        recordings, note = without_long(read_folder(path), s.max_seconds)
        if note:
            log.info(note)
        return Spoken(recordings, s.rate)

    @cached_property
    def front_end(self) -> FrontEnd:
        """From sound to steps: the run's own scale, or one fitted on the training part."""
        from elman.data.audio.frontend import FrontEnd
        from elman.data.audio.log_mel import LogMel
        from elman.data.scaling import Scaler

        s = self.settings
        spectrum = LogMel(s.rate, s.bands)
        if s.normalise == "recording":
            return FrontEnd(spectrum, s.stack, None, s.cepstra, s.floor)
        if self.folder is not None:
            return FrontEnd(spectrum, s.stack, Scaler.load(self.folder / SCALER), s.cepstra)
        train = [self.recordings.sound(one) for one in self.recordings.part("train")]
        return FrontEnd.fit(spectrum, s.stack, train, s.cepstra)

    def learned_from(self) -> dict[str, Iterable[Any]]:
        """Names, transcripts, speakers and sounds."""
        parts = {"training part": self.recordings.part("train"), "validation part": self.recordings.part("validation")}
        return {
            name: ((one.path.name, one.transcript, one.speaker, one.path) for one in part)
            for name, part in parts.items()
        }

    @property
    def augmentation(self) -> Augmentation:
        """How recordings are changed in training."""
        from elman.data.audio.augmentation import Augmentation

        s = self.settings
        return Augmentation(s.vary_speed, s.vary_gain, s.vary_hiss, s.vary_tract, s.vary_tempo, s.vary_ends)

    def save(self, folder: Path) -> None:
        """Write the scale of the front end, where there is one."""
        super().save(folder)
        if self.front_end.scaler is not None:
            self.front_end.scaler.save(folder / SCALER)

    def restore(self, folder: Path) -> None:
        """Read the scale of the front end."""
        super().restore(folder)
        _ = self.front_end
