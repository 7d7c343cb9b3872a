"""The picture of an alignment: what each written word attends to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.plotting.style import SEQUENTIAL, labels, new_figure, save_figure

MOST_TOKENS = 60  # on a side; more would be too small to read
_INCHES = 0.28  # of a row
_SHOWN = 90  # characters of the texts in the title


def draw_alignment(
    weights: NDArray[np.float32], source: Sequence[str], target: Sequence[str], path: Path
) -> tuple[Path, Path]:
    """Draw attention (T, S), what was written down and what was read across, as `path`.svg and `path`.png.

    Arguments:
        source, target: the S and T tokens as they stand in the texts, the end mark last. Only the first
            `MOST_TOKENS` of each are drawn.
    """
    whole = ["".join(tokens[:-1]).strip() for tokens in (source, target)]
    read, written = (text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…" for text in whole)
    weights = weights[:MOST_TOKENS, :MOST_TOKENS]
    rows, columns = weights.shape
    figure, axes = new_figure(f"“{read}” → “{written}”", height=max(4.0, 2.6 + _INCHES * rows))
    picture = axes[0].imshow(weights, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    figure.colorbar(picture, ax=axes[0], label="share of the attention")
    axes[0].set_xticks(range(columns), _names(source[:columns]), rotation=60, ha="right", rotation_mode="anchor")
    axes[0].set_yticks(range(rows), _names(target[:rows]))
    axes[0].set(xlabel="read", ylabel="written")
    axes[0].grid(False)
    return save_figure(figure, path)


def _names(tokens: Sequence[str]) -> list[str]:
    """A word that begins needs no space to say so; what goes on with a word has a hyphen."""
    goes_on = [at > 0 and token[:1].isalnum() for at, token in enumerate(tokens)]
    return labels([f"-{token}" if on else token.removeprefix(" ") for token, on in zip(tokens, goes_on, strict=True)])
