"""The picture of a recording: its spectrogram, and over it the symbols where they were heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.plotting.palette import BLUE, INK, WHITE
from elman.plotting.style import SEQUENTIAL, new_figure, plain, save_figure

MOST_SYMBOLS = 60  # more would cover one another


def draw_spectrogram(
    frames: NDArray[np.float32], hop: float, heard: Sequence[tuple[str, float]], title: str, path: Path
) -> tuple[Path, Path]:
    """Draw log-mel frames (N, M) as `path`.svg and `path`.png.

    Arguments:
        hop: seconds from frame to frame.
        heard: symbols, and the seconds at which each was first heard.
    """
    figure, axes = new_figure(title, height=4.5)
    seconds = len(frames) * hop
    picture = axes[0].imshow(
        frames.T, origin="lower", aspect="auto", cmap=SEQUENTIAL, extent=(0, seconds, 0, frames.shape[1])
    )
    figure.colorbar(picture, ax=axes[0], label="log power (nats)")
    axes[0].set(xlabel="time (s)", ylabel="mel band")
    axes[0].grid(False)
    label = {"facecolor": WHITE, "edgecolor": BLUE, "boxstyle": "round,pad=0.2"}
    for symbol, second in [pair for pair in heard if pair[1] <= seconds][:MOST_SYMBOLS]:
        axes[0].axvline(second, color=WHITE, linestyle=":", linewidth=1.2)
        axes[0].text(
            second, frames.shape[1] * 0.94, plain(symbol), color=INK, ha="center", va="top", fontsize=12, bbox=label
        )
    return save_figure(figure, path)
