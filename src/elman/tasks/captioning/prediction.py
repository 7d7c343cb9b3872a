"""The caption of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elman.errors import UserError, one_line_of
from elman.training.task import Prediction


@dataclass(frozen=True)
class WordChoice:
    """How probable a word was, and what would have been the next best."""

    word: str
    probability: float
    runner_up: str
    runner_up_probability: float


@dataclass(frozen=True)
class Caption(Prediction):
    """What a network writes about one picture.

    Attributes:
        input: the picture's file, or its name in a file of features.
        caption: the text.
        probability: of the whole caption.
        words: each word, where it was asked for.
        picture: the picture's file; None where features were given.
    """

    input: str
    caption: str
    probability: float
    words: tuple[WordChoice, ...] = ()
    picture: Path | None = field(default=None, repr=False, compare=False)

    def show(self) -> str:
        """The picture and its caption, and a line for each word where that was asked for."""
        lines = [one_line_of(f"{self.input}  {self.caption}  ({self.probability:.2g})")]
        lines += [
            f"    {word.word:<14} {word.probability:6.1%}   then {word.runner_up} {word.runner_up_probability:.1%}"
            for word in self.words
        ]
        return "\n".join(lines)

    def write(self, path: str | Path) -> tuple[Path, ...]:
        """Draw the picture with its caption."""
        return draw_captions([self], Path(path))


def draw_captions(captions: Sequence[Caption], out: Path) -> tuple[Path, ...]:
    """Draw a sheet of pictures with their captions; PNG unless the name ends otherwise.

    Raises:
        UserError: features were given in place of pictures, or the name is no picture's.
    """
    from elman.data.image.io import read_picture
    from elman.plotting.contact_sheet import draw_sheet

    pictures = [caption.picture for caption in captions if caption.picture is not None]
    if len(pictures) < len(captions):
        raise UserError("`out` draws the pictures themselves, and features were given; leave it out")
    path = out if out.suffix else out.with_name(out.name + ".png")
    draw_sheet([read_picture(picture) for picture in pictures], [caption.caption for caption in captions], path)
    return (path,)
