"""What a language model writes after one prompt."""

from __future__ import annotations

from dataclasses import dataclass

from elman.training.task import Prediction


@dataclass(frozen=True)
class Continuation(Prediction):
    """A prompt, and the text that the model puts after it."""

    prompt: str
    text: str

    def show(self) -> str:
        """The prompt and the text as one."""
        return self.prompt + self.text
