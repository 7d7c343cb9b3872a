"""What a classifier thinks after each token, as coloured text in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.errors import optional_imports
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


def show_running_prediction(
    label: str, probability: float, text: str, running: Sequence[RunningPrediction], classes: Sequence[str]
) -> str:
    """A prediction: its label, its probability, and how it came about.

    With two classes blue leans to the first, vermillion to the second, the deeper the surer; where the terminal has no
    colour, a number after a token says how probable the second class is, wherever the prediction turns.
    """
    import sys

    with optional_imports():
        from rich.console import Console
        from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    with console.capture() as shown:
        console.print(Text.assemble((label, "bold"), f"  {probability:.1%}"))
        console.print(Text("  ").append_text(running_text(running, classes)) if running else Text("  " + text))
    return shown.get().rstrip("\n")


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
        text.append(now.token, style)
        if now.label != before:
            text.append(f" [{now.label} {now.probability:.0%}]", "dim")
        text.append(" ")
        before = now.label
    return text
