"""Texts with the numbers of their classes, and the parts of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOOKED_AT = 10_000_000
"""Characters of a part that are looked at for what its texts are like, at most, where it is not in memory."""


@dataclass(frozen=True)
class LabelledTexts:
    """N texts and the numbers of their classes: `labels` is (N,) int64."""

    texts: Sequence[str]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def joined(self, other: LabelledTexts) -> LabelledTexts:
        """These texts and those of another part."""
        return LabelledTexts((*self.texts, *other.texts), np.concatenate([self.labels, other.labels]))

    def thinned(self, most: int) -> LabelledTexts:
        """At most so many of the texts, evenly spread; all for 0."""
        if not most or len(self) <= most:
            return self
        chosen = np.linspace(0, len(self) - 1, most).astype(np.int64)
        return self.taken(chosen)

    def taken(self, chosen: NDArray[np.int64]) -> LabelledTexts:
        """The texts of these numbers."""
        return LabelledTexts(tuple(self.texts[number] for number in chosen.tolist()), self.labels[chosen])

    def some(self, characters: int) -> Sequence[str]:
        """Texts evenly spread, of about so many characters together at most; in memory all of them."""
        return self.texts

    def count_characters(self) -> int:
        """Of all texts together."""
        return sum(map(len, self.texts))

    def examples(self) -> Iterable[Any]:
        """What a training learns from: each text with its label."""
        return zip(self.texts, self.labels.tolist(), strict=True)


@dataclass(frozen=True)
class TextClasses:
    """Texts for classification in three parts; `test` may be empty. A person should be told the `notes`.

    Attributes:
        held_out: whether the validation part was taken from the training part, and did not come with the data.
    """

    classes: tuple[str, ...]
    train: LabelledTexts
    validation: LabelledTexts
    test: LabelledTexts
    notes: tuple[str, ...] = ()
    held_out: bool = False
