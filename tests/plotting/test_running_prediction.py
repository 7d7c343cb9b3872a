"""The running opinion in the terminal."""

from elman.plotting.palette import VERMILLION
from elman.plotting.running_prediction import (
    RunningPrediction,
    plain_running_prediction,
    running_prediction,
    running_text,
)

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


def test_shown_without_colour_as_plain_text() -> None:
    first = plain_running_prediction("positive", 1.0, "The food good", OPINION)
    assert first == "positive  100.0%\n  The [negative 50%] food [positive 60%] good"
    assert plain_running_prediction("a", 0.25, "[bold]x[/]\ny", ()) == "a  25.0%\n  [bold]x[/]\\ny"


def test_a_foreign_line_break_is_written_out_in_colour_too() -> None:
    classes = ("negative", "positive")
    assert running_prediction("a", 0.25, "[b]x\r\n", (), classes).plain == "a  25.0%\n  [b]x\\r\\n"
    broken = [RunningPrediction("a\nb", "positive", 1.0)]
    assert running_prediction("positive", 1.0, "", broken, classes).plain.count("\n") == 1
