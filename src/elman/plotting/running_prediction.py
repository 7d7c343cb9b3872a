"""What a classifier thinks after each token, as coloured text in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from elman.plotting.palette import PALETTE, colour

if TYPE_CHECKING:
    from rich.text import Text


def show_opinions(predictions: Sequence[dict[str, Any]], classes: Sequence[str]) -> str:
    """Each prediction: its label, its probability, and how the opinion came about.

    With two classes blue leans to the first, vermillion to the second, the deeper the surer; where the terminal has no
    colour, a number after a token says how probable the second class is, wherever the opinion turns.

    Arguments:
        predictions: with "label", "probability", and, where asked for, "opinion": a list of token, label, probability.
    """
    import sys

    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    with console.capture() as shown:
        for prediction in predictions:
            console.print(Text.assemble((prediction["label"], "bold"), f"  {prediction['probability']:.1%}"))
            if "opinion" in prediction:
                console.print(Text("  ").append_text(opinion_text(prediction["opinion"], classes)))
            else:
                console.print(Text("  " + prediction["input"]))
    return shown.get().rstrip("\n")


def opinion_text(opinion: Sequence[dict[str, Any]], classes: Sequence[str]) -> Text:
    """The tokens side by side, each in the colour of the opinion after it; where it turns, the label and how sure."""
    from rich.text import Text

    text = Text()
    before = None
    for now in opinion:
        place = classes.index(now["label"])
        if len(classes) == 2:
            lean = now["probability"] if place else 1 - now["probability"]
            background, foreground = colour(2 * lean - 1)
            style = f"{foreground} on {background}"
        else:
            style = f"bold {PALETTE[place % len(PALETTE)]}"
        text.append(now["token"], style)
        if now["label"] != before:
            text.append(f" [{now['label']} {now['probability']:.0%}]", "dim")
        text.append(" ")
        before = now["label"]
    return text
