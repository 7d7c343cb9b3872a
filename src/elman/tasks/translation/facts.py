"""What a translation run keeps of its training pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elman.data.io.json_files import read_json
from elman.errors import UserError

UNLIMITED = 10**6
"""Tokens of a translation, where its source's length sets the limit."""


@dataclass(frozen=True)
class Facts:
    """What must be known of the training pairs where they are not read.

    Attributes:
        languages: from which to which; empty where the data did not say.
        longest: the tokens of the longest source.
    """

    languages: tuple[str, str]
    longest: int


def read_facts(path: Path) -> Facts:
    """The languages and the longest source that a run has written down.

    Raises:
        UserError: the file is missing or damaged.
    """
    facts = read_json(path, Facts, "languages and the longest source")
    if not 0 <= facts.longest <= UNLIMITED:
        raise UserError(f"{path} is damaged: the longest source has {facts.longest} tokens; restore it from a copy")
    return facts
