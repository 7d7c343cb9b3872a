"""The vocabulary of texts with labels: of stored ones learned from some of them, once."""

from __future__ import annotations

from typing import Any

from elman.data import entries
from elman.data.text.kept_vocabulary import kept_vocabulary
from elman.data.text.labelled.parts import StoredPart
from elman.data.text.labelled.texts import LabelledTexts
from elman.data.text.tokenizers import Kind
from elman.data.text.vocabulary import Vocabulary

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
    return kept_vocabulary(key, lambda: Vocabulary.build(texts, kind, size, **options))
