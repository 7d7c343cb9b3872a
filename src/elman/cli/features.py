"""`elman features`: what SqueezeNet sees in pictures, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from elman.cli.messages import say, show_line

SAVED_EVERY = 500
"""Pictures after which the file is written: what a run that is stopped loses at most, some ten seconds of work."""


def features(
    *pictures: Annotated[Path, Parameter(help="Pictures, or folders of pictures.")],
    out: Annotated[
        Path,
        Parameter(
            help="The file to write: NAME.npz, NAME.safetensors, or NAME.npy with the list NAME.names.txt; "
            "pictures that it has already are not seen again."
        ),
    ],
) -> None:
    """Turn pictures into features for `elman train captioning --features`.

    A command that was stopped goes on where it was when it is given again.

    Example: elman features holidays --out holidays.npz
    """
    import numpy as np

    from elman.data.image.features import Features, checked_form, read_features
    from elman.data.image.io import picture_files
    from elman.errors import UserError
    from elman.models.image_features import MAKER
    from elman.tasks.captioning.task import extract_with_progress

    checked_form(out)
    if not pictures:
        raise UserError("name a folder of pictures, or pictures")
    files = picture_files(pictures)
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two pictures are called {twice}; features go by name, so give them different ones")
    known = read_features(out) if out.exists() else Features((), np.zeros((0, 0), np.float32), MAKER)
    if known.maker != MAKER:
        raise UserError(f"{out} holds features that elman did not make; name another file")
    new = [file for file in files if file.name not in known.rows]
    for begin in range(0, len(new), SAVED_EVERY):
        seen = extract_with_progress(new[begin : begin + SAVED_EVERY])
        vectors = np.concatenate([known.vectors, seen.vectors]) if known.names else seen.vectors
        known = Features(known.names + seen.names, vectors, MAKER)
        known.save(out)
        left = len(new) - begin - len(seen.names)
        if left:
            say(f"{out}: {len(known.names):,} pictures, {left:,} to go")
    show_line(f"{out}: {len(known.names):,} pictures, {len(new):,} of them new")
