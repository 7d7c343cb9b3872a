"""What a classifier thinks after each token, as plain text and as coloured text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.errors import one_line_of, optional_imports
from elman.plotting.palette import PALETTE, colour

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True)
class RunningPrediction:
    """What a classifier predicts after one token.

    Attributes:
        token: the token as it stands in the text.
        label: the most probable class after it.
        probability: of that class.
    """

    token: str
    label: str
    probability: float


def plain_running_prediction(label: str, probability: float, text: str, running: Sequence[RunningPrediction]) -> str:
    """A prediction on two lines: its label and probability; the text, and where the prediction turns, to what."""
    return f"{one_line_of(label)}  {probability:.1%}\n  " + one_line_of(_turns(running) if running else text)


def _turns(running: Sequence[RunningPrediction]) -> str:
    words, before = [], None
    for now in running:
        words.append(now.token)
        if now.label != before:
            words.append(f"[{now.label} {now.probability:.0%}]")
        before = now.label
    return " ".join(words)


def running_prediction(
    label: str, probability: float, text: str, running: Sequence[RunningPrediction], classes: Sequence[str]
) -> Text:
    """The same for a terminal.

    With two classes blue leans to the first, vermillion to the second, the deeper the surer; where the terminal has no
    colour, a number after a token says how probable the class is, wherever the prediction turns.
    """
    with optional_imports():
        from rich.text import Text

    shown = Text.assemble((one_line_of(label), "bold"), f"  {probability:.1%}\n  ")
    return shown.append_text(running_text(running, classes)) if running else shown.append(one_line_of(text))


def running_text(running: Sequence[RunningPrediction], classes: Sequence[str]) -> Text:
    """The tokens side by side, in the colour of the prediction after it; where it turns, the label and how sure."""
    with optional_imports():
        from rich.text import Text

    text = Text()
    before = None
    for now in running:
        place = classes.index(now.label)
        if len(classes) == 2:
            lean = now.probability if place else 1 - now.probability
            background, foreground = colour(2 * lean - 1)
            style = f"{foreground} on {background}"
        else:
            style = f"bold {PALETTE[place % len(PALETTE)]}"
        text.append(one_line_of(now.token), style)
        if now.label != before:
            text.append(f" [{one_line_of(now.label)} {now.probability:.0%}]", "dim")
        text.append(" ")
        before = now.label
    return text
