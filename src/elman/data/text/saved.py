"""The vocabulary that a run keeps, which must be of the kind and have the marks that the run needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from elman.data.text.tokenizers import UNK, Kind
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError


def load_vocabulary(path: Path, kind: Kind, special: Sequence[str] = ()) -> Vocabulary:
    """A saved vocabulary of a kind, with the special tokens that a task asks for.

    Raises:
        UserError: the file is missing, damaged, or another vocabulary than the run's.
    """
    vocabulary = Vocabulary.load(path)
    if vocabulary.kind != kind:
        raise UserError(f"{path} is a vocabulary of {vocabulary.kind}, and the run's is of {kind}; restore its own")
    needed = (*special, UNK) if kind == "words" else special
    if missing := [token for token in needed if token not in vocabulary]:
        raise UserError(f"{path} is damaged: it has no {missing[0]}; take it from a whole copy of the run")
    return vocabulary
