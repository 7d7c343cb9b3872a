"""Settings from a dictionary, as Python users give them."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elman.errors import UserError


def settings_of(kind: type[Any], given: Mapping[str, Any]) -> Any:
    """Settings of a class from a dictionary: lists become tuples, and paths texts.

    Raises:
        UserError: a name that the class does not have (suggests the near one), or a value that it refuses.
    """
    known = [field.name for field in dataclasses.fields(kind)]
    if unknown := [str(name) for name in given if name not in known]:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"they are {', '.join(known)}"
        raise UserError(f"there is no setting {unknown[0]!r}; {advice}")
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()})
