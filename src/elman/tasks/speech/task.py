"""The task `speech`: one of its two kinds, as the settings ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elman.tasks.speech.recordings import SpeechTask
from elman.tasks.speech.settings import Settings
from elman.tasks.speech.transcripts import TranscriptTask
from elman.tasks.speech.words import WordTask


class Task(SpeechTask):
    """Makes a `WordTask` or a `TranscriptTask`."""

    @classmethod
    def new(cls, settings: Settings) -> Any:
        """The kind that answers as the settings ask, to be trained."""
        return kind_of(settings).new(settings)

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> Any:
        """The kind that answers as the settings ask, of a run."""
        return kind_of(settings).load(folder, settings)

    @classmethod
    def describe(cls, settings: Settings) -> Any:
        """What the kind that answers as the settings ask understands of the recordings."""
        return kind_of(settings)(settings).understood(whole=True)


def kind_of(settings: Settings) -> type[WordTask] | type[TranscriptTask]:
    """A class for whole recordings, or symbols one after the other."""
    return WordTask if settings.answer == "class" else TranscriptTask
