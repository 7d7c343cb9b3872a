"""The vocabulary of texts with labels: of stored ones learned from some of them, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elman.data import entries
from elman.data.text.labelled.parts import StoredPart
from elman.data.text.labelled.texts import LabelledTexts
from elman.data.text.tokenizers import Kind
from elman.data.text.vocabulary import Vocabulary
from elman.errors import UserError

VOCABULARY_CHARACTERS = 100_000_000
"""Characters of stored texts that a vocabulary is learned from, at most."""


def learn_vocabulary(part: LabelledTexts, kind: Kind, size: int | None, **options: Any) -> Vocabulary:
    """The vocabulary of a part's texts; `options` are those of `Vocabulary.build`.

    Raises:
        UserError: there is no text, or the size is too small.
    """
    texts = part.some(VOCABULARY_CHARACTERS)
    if not isinstance(part, StoredPart):
        return Vocabulary.build(texts, kind, size, **options)
    key = entries.key_of("labelled vocabulary", part.key, VOCABULARY_CHARACTERS, kind, size, sorted(options.items()))
    file = entries.folder() / f"{key}.vocabulary.json"
    with entries.made_once(key):
        found = _kept(file)
        if found is None:
            Vocabulary.build(texts, kind, size, **options).save(file)
    return found or Vocabulary.load(file)


def _kept(file: Path) -> Vocabulary | None:
    try:
        return Vocabulary.load(file)
    except UserError:  # none, or a damaged one
        return None
