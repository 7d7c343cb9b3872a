"""The files of a run, their sizes looked at first and their types checked: settings, lists, tables of numbers."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from elman.errors import UserError

LARGEST_SETTINGS, LARGEST_JSON = 1 << 20, 1 << 28
"""Bytes of a settings file and of a JSON file, at most."""
LARGEST_INPUT = 1 << 31
"""Bytes of an input that is read whole, at most."""
COPY = "restore it from a copy"
OLD_SETTINGS = {"quiet": "small_init"}
"""Settings of version 0.1: the old name, and today's."""


def read_bytes(path: Path, most: int = LARGEST_INPUT) -> bytes:
    """The bytes of a regular file that is not empty.

    Raises:
        UserError: there is none, it cannot be read, or has more than `most` bytes.
    """
    try:
        mode = path.stat()
        if not stat.S_ISREG(mode.st_mode):
            raise UserError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}; give a file")
        if mode.st_size > most:
            raise UserError(f"{path} has {mode.st_size:,} bytes, and at most {most:,} are read; give a smaller file")
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}; check the path") from error
    except (OSError, ValueError, MemoryError) as error:
        if isinstance(error, UserError):
            raise
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UserError(f"cannot read {str(path)[:200]}: {reason}; check the path and its permissions") from error
    if not raw:
        raise UserError(f"{path} is empty; give a file with something in it")
    return raw


def read_text(path: Path, most: int = LARGEST_INPUT) -> str:
    """The text of a file in UTF-8, a byte order mark left out.

    Raises:
        UserError: as `read_bytes`; or it is not UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start + 1:,}); convert it") from error


def read_json(path: Path, what: str) -> Any:
    """What a JSON file of a run holds; `checked` looks at its form.

    Raises:
        UserError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(read_bytes(path, LARGEST_JSON).decode(), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        reason = str(error)[:120] or type(error).__name__
        raise UserError(f"{path} is damaged: it holds no {what} ({reason}); {COPY}") from error


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def names_in(path: Path) -> tuple[str, ...]:
    """A list of different names from a JSON file: classes, symbols.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    names = read_json(path, "list of names")
    good = isinstance(names, list) and names and all(isinstance(name, str) and name for name in names)
    if not good or len(set(names)) < len(names):
        raise UserError(f"{path} is damaged: it holds no list of different names; {COPY}")
    if odd := next((name for name in names if has_control(name)), ""):
        raise UserError(f"{path} is damaged: its names have {odd[:40]!r}, which has a control character; {COPY}")
    return tuple(names)


def has_control(name: str) -> bool:
    """Whether a name has a control character, or half of one that takes two in UTF-16."""
    return any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in name)


def numbers_in(table: Any, name: str, path: Path) -> list[float]:
    """A list of numbers under a name of a JSON object.

    Raises:
        UserError: it is none.
    """
    values = table.get(name) if isinstance(table, dict) else None
    if not isinstance(values, list) or not all(type(one) in (int, float) for one in values):
        raise UserError(f"{path} is damaged: {name!r} is no list of numbers; {COPY}")
    return values


class Settings:
    """The settings of a run, asked by name: `settings.integer("hidden_size", 1, 1_000_000)`.

    A setting that the file does not name has the task's default, which the caller gives.
    """

    def __init__(self, table: Mapping[str, Any], path: Path) -> None:
        self.path = path
        self._table = {OLD_SETTINGS.get(name, name): value for name, value in table.items()}

    @classmethod
    def read(cls, path: Path) -> Settings:
        """The settings of a run's `settings.toml`.

        Raises:
            UserError: it is missing or no TOML.
        """
        import tomllib

        try:
            return cls(tomllib.loads(read_text(path, LARGEST_SETTINGS)), path)
        except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{path} is not valid TOML: {str(error)[:120]}; {COPY}") from error

    def text(self, name: str, default: str, allowed: tuple[str, ...] = ()) -> str:
        """A text, one of `allowed` where these are given."""
        return str(self._get(name, default, lambda one: isinstance(one, str) and (not allowed or one in allowed)))

    def flag(self, name: str, default: bool = False) -> bool:
        """True or False."""
        return bool(self._get(name, default, lambda value: isinstance(value, bool)))

    def integer(self, name: str, default: int, least: int = 0, most: int = 1_000_000) -> int:
        """A whole number in a range."""
        return int(self._get(name, default, lambda value: type(value) is int and least <= value <= most))

    def number(self, name: str, default: float, least: float = 0.0, most: float = 1e9) -> float:
        """A number in a range."""
        return float(self._get(name, default, lambda value: type(value) in (int, float) and least <= value <= most))

    def _get(self, name: str, default: Any, right: Callable[[Any], bool]) -> Any:
        value = self._table.get(name, default)
        if not right(value):
            raise UserError(f"{self.path} is damaged: `{name}` is {str(value)[:40]!r}, which it cannot be; {COPY}")
        return value
