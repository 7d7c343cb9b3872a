"""The picture of a forecast: the past, the forecast with its interval, and the actual values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman.plotting.mpl import AutoDateLocator, ConciseDateFormatter
from elman.plotting.palette import BLUE, INK, VERMILLION
from elman.plotting.style import DASHES, MARKERS, new_figure, plain, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]
MOST_PANELS = 4


@dataclass(frozen=True)
class Stretch:
    """One forecast: F times, points (F,), and the ends of its interval where there is one."""

    times: Any
    point: Values
    lower: Values | None = None
    upper: Values | None = None


@dataclass(frozen=True)
class Panel:
    """What is drawn of one target: its name, what is known of it, and the forecasts."""

    name: str
    times: Any
    values: Values
    stretches: Sequence[Stretch]


def draw_forecasts(panels: Sequence[Panel], title: str, level: float, path: Path) -> tuple[Path, Path]:
    """Draw one panel a target (or series) as `path`.svg and `path`.png; at most `MOST_PANELS` of them.

    Arguments:
        level: what share the intervals shall cover, for the legend.
    """
    shown = list(panels[:MOST_PANELS])
    if len(panels) > len(shown):
        title += f" (the first {len(shown)} of {len(panels)} are drawn)"
    figure, axes = new_figure(title, rows=len(shown), height=max(4.5, 1.0 + 2.8 * len(shown)))
    for axis, panel in zip(axes, shown, strict=True):
        axis.plot(panel.times, panel.values, color=INK, linestyle=DASHES[0], linewidth=1.4, label="what was measured")
        for number, stretch in enumerate(panel.stretches):
            _draw(axis, stretch, level, first=number == 0)
        axis.set_ylabel(plain(panel.name))
        if np.issubdtype(np.asarray(panel.times).dtype, np.datetime64):
            dates = AutoDateLocator()  # type: ignore[no-untyped-call]
            axis.xaxis.set_major_locator(dates)
            axis.xaxis.set_major_formatter(ConciseDateFormatter(dates))  # type: ignore[no-untyped-call]
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    axes[-1].set_xlabel("time")
    return save_figure(figure, path)


def _draw(axis: Axes, stretch: Stretch, level: float, *, first: bool) -> None:
    mark = MARKERS[0] if len(stretch.point) <= 48 else ""
    label = "forecast" if first else None
    axis.plot(
        stretch.times, stretch.point, color=VERMILLION, linestyle=DASHES[1], marker=mark, markersize=3, label=label
    )
    if stretch.lower is not None and stretch.upper is not None:
        label = f"{level:.0%} interval" if first else None
        axis.fill_between(stretch.times, stretch.lower, stretch.upper, color=BLUE, alpha=0.25, linewidth=0, label=label)
