"""Where a run lies on a hub: `hf://USER/NAME`, or `hf://USER/NAME@REVISION`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from elman.errors import UserError

SCHEME = "hf://"
LONGEST = 96
"""Characters of USER/NAME, at most, as the hub has it."""
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_NAME = re.compile(rf"({_PART})/({_PART})(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?")
_TWICE = re.compile(r"\.\.|-{2}")  # in no name of the hub's
_COLLAPSED = re.compile(r"hf:/+")  # what pathlib makes of the scheme


@dataclass(frozen=True)
class HubAddress:
    """A repository of a hub, and which version of it.

    Arguments:
        user: the user or organisation.
        name: the repository's name.
        revision: a branch, a tag or a commit; empty for the newest.
    """

    user: str
    name: str
    revision: str = ""

    @property
    def repository(self) -> str:
        """USER/NAME, as the hub calls it."""
        return f"{self.user}/{self.name}"

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @classmethod
    def parse(cls, text: str) -> HubAddress:
        """The address written as `hf://USER/NAME`, `hf://USER/NAME@REVISION`, or without the scheme.

        Raises:
            UserError: it is no such address.
        """
        found = _NAME.fullmatch(_COLLAPSED.sub("", text, count=1) if _COLLAPSED.match(text) else text)
        if not found or _TWICE.search(text) or len(f"{found[1]}/{found[2]}") > LONGEST:
            raise UserError(
                f"{text!r} names no model of a hub; write hf://USER/NAME, each of letters, digits, '-', '_' and '.'"
                f" and at most {LONGEST} characters in all, and for one version hf://USER/NAME@REVISION"
            )
        return cls(found[1], found[2], found[3] or "")


def on_hub(place: str | Path) -> bool:
    """Whether a run's place is an address of a hub, not a folder."""
    return bool(_COLLAPSED.match(str(place)))
