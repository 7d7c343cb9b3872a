"""The running opinion in the terminal."""

from elman.plotting.palette import VERMILLION
from elman.plotting.running_prediction import opinion_text, show_opinions

OPINION = [
    {"token": "The", "label": "negative", "probability": 0.5},
    {"token": "food", "label": "positive", "probability": 0.6},
    {"token": "good", "label": "positive", "probability": 1.0},
]


def test_turns_are_named_and_the_surer_the_deeper() -> None:
    text = opinion_text(OPINION, ("negative", "positive"))
    assert text.plain == "The [negative 50%] food [positive 60%] good "
    styles = [str(span.style) for span in text.spans if "on" in str(span.style)]
    assert styles[0].endswith("#ffffff")
    assert styles[-1].endswith(VERMILLION)


def test_shown_without_colour_where_there_is_no_terminal() -> None:
    predictions = [
        {"input": "The food good", "label": "positive", "probability": 1.0, "opinion": OPINION},
        {"input": "[bold]x[/]", "label": "a", "probability": 0.25},
    ]
    shown = show_opinions(predictions, ("negative", "positive"))
    assert shown.splitlines()[0] == "positive  100.0%"
    assert shown.splitlines()[-1] == "  [bold]x[/]"
    assert "\x1b" not in shown
