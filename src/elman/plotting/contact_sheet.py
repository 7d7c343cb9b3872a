"""A sheet of pictures with what a network says of each."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError, optional_imports
from elman.plotting.palette import INK
from elman.plotting.style import plain

COLUMNS = 4
MOST = 60  # more would be too small to read
_FORMS = (".png", ".svg", ".pdf")


def draw_sheet(pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str], out: Path) -> None:
    """Draw pictures (h, w, 3), four in a row, each over its caption; of many the first 60.

    Raises:
        UserError: `out` is no name of a picture.
    """
    with optional_imports():
        from matplotlib.figure import Figure

    from elman.atomic_io import write_whole

    if out.suffix not in _FORMS:
        raise UserError(f"`plot` is {out}, which is no picture's name; end it in {', '.join(_FORMS)}")
    shown = list(zip(pictures, captions, strict=True))[:MOST]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.7 * rows), layout="constrained")
    for number, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if number < len(shown):
            picture, caption = shown[number]
            axes.imshow(picture)
            text = "\n".join(textwrap.wrap(plain(caption), 30)) or "(nothing)"
            axes.set_title(text, fontsize=11, color=INK, y=-0.05, va="top")
    write_whole(out, lambda temporary: figure.savefig(temporary, format=out.suffix[1:], dpi=110))
