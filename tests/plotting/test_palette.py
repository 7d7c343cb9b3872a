"""The colours of values and of the text on them."""

import pytest

from elman.plotting.palette import BLUE, VERMILLION, colour, luminance


@pytest.mark.parametrize(
    ("value", "limit", "background"),
    [
        (0.0, 1.0, "#ffffff"),
        (1.0, 1.0, VERMILLION),
        (-5.0, 2.0, BLUE),
        (float("nan"), 1.0, "#ffffff"),
        (1.0, 0.0, "#ffffff"),
    ],
)
def test_colours_run_from_blue_over_white_to_vermillion(value: float, limit: float, background: str) -> None:
    assert colour(value, limit)[0] == background


def test_text_on_a_colour_stays_readable() -> None:
    for step in range(-100, 101):
        dark, light = sorted(luminance(c) for c in colour(step / 100))
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # the contrast that WCAG 2.1 asks of text


def test_luminance_of_black_and_white() -> None:
    assert luminance("#000000") == 0.0
    assert luminance("#ffffff") == pytest.approx(1.0)
