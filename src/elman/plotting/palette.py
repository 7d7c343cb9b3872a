"""The colours of every plot, page and terminal view: those of Okabe and Ito (2008), told apart by everyone.

This module imports nothing, so that a terminal view need not wait for matplotlib.
"""

from __future__ import annotations

import math

BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"
ORANGE = "#e69f00"
SKY = "#56b4e9"
INK = "#1a1a1a"
GREY = "#6b6b6b"
PALE = "#dddddd"
WHITE = "#ffffff"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)


def colour(value: float, limit: float = 1.0) -> tuple[str, str]:
    """Give background and text colour of `value` in [-limit, limit]: blue below zero, vermillion above.

    A value that is not finite is white, like zero.
    """
    share = max(-1.0, min(1.0, value / limit)) if math.isfinite(value) and limit > 0 else 0.0
    end = _parts(VERMILLION if share > 0 else BLUE)
    red, green, blue = (round(255 + abs(share) * (part - 255)) for part in end)
    background = f"#{red:02x}{green:02x}{blue:02x}"
    # Against one of the two the contrast is at least 4.5, which WCAG 2.1 asks of text.
    return background, "#000000" if luminance(background) > 0.179 else WHITE


def luminance(hexadecimal: str) -> float:
    """Give the relative luminance of a colour as WCAG 2.1 defines it, 0 (black) to 1 (white)."""
    linear = [
        p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in (q / 255 for q in _parts(hexadecimal))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(hexadecimal: str) -> tuple[int, int, int]:
    return int(hexadecimal[1:3], 16), int(hexadecimal[3:5], 16), int(hexadecimal[5:7], 16)
