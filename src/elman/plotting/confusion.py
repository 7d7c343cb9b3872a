"""The picture of a confusion matrix: which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.plotting.palette import INK, WHITE
from elman.plotting.style import SEQUENTIAL, new_figure, plain, save_figure

NUMBERED_CELLS = 12  # more classes than this leave no room for numbers


def draw_confusion(counts: NDArray[np.int64], classes: Sequence[str], where: str, path: Path) -> tuple[Path, Path]:
    """Draw counts (C, C), true classes down, answers across, as `path`.svg and `path`.png.

    Arguments:
        where: the part that was asked about, for the title.
    """
    right = np.trace(counts) / max(1, counts.sum())
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    figure, axes = new_figure(f"{right:.1%} of the {where}'s {counts.sum():,} answers are right", height=7.0)
    picture = axes[0].imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
    figure.colorbar(picture, ax=axes[0], label="share of the true class")
    names = [plain(name if len(name) <= 24 else name[:23] + "…") for name in classes]
    axes[0].set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 3 else 0, ha="right")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set(xlabel="answer", ylabel="true class")
    axes[0].grid(False)
    if len(names) <= NUMBERED_CELLS:
        for (row, column), count in np.ndenumerate(counts):
            colour = INK if shares[row, column] > 0.5 else WHITE
            axes[0].text(column, row, f"{count:,}", ha="center", va="center", color=colour)
    return save_figure(figure, path)
