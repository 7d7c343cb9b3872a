"""The running opinion in the terminal."""

from elman.plotting.palette import VERMILLION
from elman.plotting.running_prediction import RunningPrediction, running_text, show_running_prediction

OPINION = [
    RunningPrediction("The", "negative", 0.5),
    RunningPrediction("food", "positive", 0.6),
    RunningPrediction("good", "positive", 1.0),
]


def test_turns_are_named_and_the_surer_the_deeper() -> None:
    text = running_text(OPINION, ("negative", "positive"))
    assert text.plain == "The [negative 50%] food [positive 60%] good "
    styles = [str(span.style) for span in text.spans if "on" in str(span.style)]
    assert styles[0].endswith("#ffffff")
    assert styles[-1].endswith(VERMILLION)


def test_shown_without_colour_where_there_is_no_terminal() -> None:
    classes = ("negative", "positive")
    first = show_running_prediction("positive", 1.0, "The food good", OPINION, classes)
    second = show_running_prediction("a", 0.25, "[bold]x[/]", (), classes)
    assert first.splitlines()[0] == "positive  100.0%"
    assert second.splitlines()[-1] == "  [bold]x[/]"
    assert "\x1b" not in first + second
