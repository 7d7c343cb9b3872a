"""How every plot of elman looks: colours, sizes, titles, and how it is saved.

Figures are made without pyplot, so nothing needs a display and nothing stays open behind the caller's back.
Ten inches at 100 dots per inch make 1,000 pixels; all text stays readable at that width. Colour is never the
only sign: lines differ in dash as well, points in shape.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from elman.atomic_io import write_whole
from elman.plotting.mpl import Axes, Figure, FigureCanvasAgg, LinearSegmentedColormap, cycler, findfont, get_font, mpl
from elman.plotting.palette import BLUE, GREY, INK, PALE, PALETTE, VERMILLION, WHITE

DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (2, 1.5)),
    (0, (6, 2, 1, 2)),
    (0, (10, 3)),
    (0, (1, 2)),
    (0, (4, 1)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

DIVERGING = LinearSegmentedColormap.from_list("elman", (BLUE, WHITE, VERMILLION))
SEQUENTIAL = "cividis"

WIDTH = 10.0  # inches
DPI = 100  # dots per inch: WIDTH * DPI = 1,000 pixels
TITLE_COLUMNS = 78  # characters of the title's size that fit in WIDTH

_RC: Any = {
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a picture is the same on every machine
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=PALETTE, linestyle=DASHES),
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "svg.hashsalt": "elman",  # the same figure gives the same bytes
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` under the house style, so that text and legends which it adds have its sizes."""
    return mpl.rc_context(_RC)(function)


@styled
def new_figure(
    title: str, rows: int = 1, columns: int = 1, *, height: float = 5.0, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure 1,000 pixels wide, and its axes row by row.

    Arguments:
        title: what the plot shows, as a sentence with the finding in it; long ones are wrapped.
        rows, columns: the grid of axes.
        height: inches.
        subplots: what `Figure.subplots` takes besides (`sharex`, `width_ratios`, ...).
    """
    figure = blank_figure(title, height)
    return figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False, **subplots)))


@styled
def blank_figure(title: str, height: float = 5.0) -> Figure:
    """Make a figure 1,000 pixels wide that has no axes yet."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    set_title(figure, title)
    return figure


def series(k: int) -> dict[str, Any]:
    """Give colour, dash and marker of the k-th line (from 0) of a plot, as keywords; 49 lines all differ."""
    row, column = divmod(k, len(PALETTE))
    return {
        "color": PALETTE[column],
        "linestyle": DASHES[(column + row) % len(DASHES)],
        "marker": MARKERS[(column + row) % len(MARKERS)],
    }


def set_title(figure: Figure, title: str) -> None:
    """Put `title` over the whole figure, wrapped to its width."""
    lines = [line for part in title.split("\n") for line in textwrap.wrap(part, TITLE_COLUMNS)]
    figure.suptitle(plain("\n".join(lines)), x=0.01, ha="left", fontsize=14, fontweight="bold", color=INK)


@styled
def save_figure(figure: Figure, path: str | Path) -> tuple[Path, Path]:
    """Write `figure` as `path`.svg and `path`.png, each whole or not at all.

    Arguments:
        path: without suffix; "runs/a/loss" gives runs/a/loss.svg and runs/a/loss.png.

    Returns:
        the two paths.

    Raises:
        UserError: the folder cannot be written to.
    """
    path = Path(path)
    svg, png = path.with_name(path.name + ".svg"), path.with_name(path.name + ".png")
    write_whole(svg, lambda part: figure.savefig(part, format="svg", metadata={"Date": None}))
    write_whole(png, lambda part: figure.savefig(part, format="png", dpi=DPI, metadata={"Software": None}))
    return svg, png


_WHITE = str.maketrans({"\n": "↵", "\t": "⇥", "\r": "␍", " ": "␣"})


def plain(text: str) -> str:
    """Make `text` safe to draw: no mathematics by a stray dollar sign, no character that the font lacks."""
    return "".join(c if c == "\n" or ord(c) in _glyphs() else f"U+{ord(c):04X}" for c in text).replace("$", r"\$")


def labels(tokens: Sequence[str]) -> list[str]:
    """Make each token a label in which white space can be seen."""
    return [plain(token.translate(_WHITE)) for token in tokens]


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
