"""A vocabulary that was learned from a large text: kept in the cache.

An entry of the cache: KEY.vocabulary.json, and KEY.json, which says nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from elman.data import entries
from elman.data.text.vocabulary import Vocabulary

_ENDING = ".vocabulary.json"


@dataclass(frozen=True)
class _Learned:
    """That there is one."""


def kept_vocabulary(key: str, learn: Callable[[], Vocabulary]) -> Vocabulary:
    """The vocabulary of this key from the cache, or what `learn` makes, which is kept.

    Raises:
        UserError: the cache cannot be used, or whatever `learn` raises.
    """
    file = entries.folder() / f"{key}{_ENDING}"
    with entries.made_once(key):
        if entries.description(key, _Learned) is None:
            learn().save(file)
            entries.describe(key, _Learned(), [_ENDING])
        return Vocabulary.load(file)
