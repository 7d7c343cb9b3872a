"""The text a language model trains on: a person's files, a dataset of the catalogue, or Python's own documentation."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from elman.data.datasets.cache import fetch
from elman.data.datasets.download import Progress
from elman.data.datasets.registry import CATALOGUE, find
from elman.data.io.files import exists, is_file, matching_files
from elman.data.io.text import builtin_text, read_text, split_text
from elman.errors import UserError

BUILTIN = "builtin"


def read_corpus(data: Sequence[str], validation_share: float, *, progress: Progress | None = None) -> tuple[str, str]:
    """The training and the validation text.

    Arguments:
        data: paths of text files or patterns such as texts/*.txt, read in this order; or one name: a text dataset of
            the catalogue, or "builtin" (also where a folder is called so).
        validation_share: the last part, held out; a dataset that comes with its own validation file uses that.

    Raises:
        UserError: what cannot be read, downloaded or split; an unknown name suggests the near one.
    """
    if names_a_corpus(data):
        if data[0] == BUILTIN:
            return split_text(builtin_text(), validation_share)
        texts = [name for name, other in CATALOGUE.items() if other.kind == "text"]
        if data[0] not in CATALOGUE:
            near = difflib.get_close_matches(data[0].lower(), [*texts, BUILTIN], n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join([*texts, BUILTIN])}"
            raise UserError(f"there is neither a text nor a file called {data[0]}; {advice}")
        dataset = find(data[0])
        if dataset.kind != "text":
            names = ", ".join(texts)
            raise UserError(f"{data[0]} is not a text to model ({dataset.kind}); take a text file, or one of: {names}")
        folder = fetch(data[0], progress=progress)
        files = [folder / remote.file for remote in dataset.files]
        if len(files) == 1:
            return split_text(read_text(files), validation_share)
        return read_text(files[:1]), read_text(files[1:2])
    return split_text(read_text(matching_files(data)), validation_share)


def names_a_corpus(data: Sequence[str]) -> bool:
    """Whether `data` names a dataset, and no files."""
    return len(data) == 1 and _is_name(data[0])


def _is_name(word: str) -> bool:
    """Whether a dataset is meant: not a file; and a folder only gives way to a dataset that there is."""
    path = Path(word)
    if is_file(path) or (exists(path) and word not in (BUILTIN, *CATALOGUE)):
        return False
    return not set("/.*?[").intersection(word)
