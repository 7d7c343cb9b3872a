"""Every text on its way to a terminal: settings written as options, control characters made visible."""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_SETTING = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def option(name: str) -> str:
    """How a setting is written on the command line: lr_floor -> --lr-floor."""
    return "--" + name.replace("_", "-")


def as_options(text: str) -> str:
    """The same text with its settings, which stand in backticks, as options.

    `lr_floor` becomes --lr-floor, `init=orthogonal` --init orthogonal, `residual=True` --residual, and `carry=False`
    --no-carry.
    """
    return _SETTING.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if value == "False":
        return option("no_" + name)
    return option(name) if value in (None, "True") else f"{option(name)} {value}"


def printable(text: str) -> str:
    """The same text with control characters written out (\\x1b), so that no foreign text commands the terminal.

    Line breaks and tabs stay.
    """
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def one_line(error: BaseException) -> str:
    """An error's message on one line, without the frame and the line breaks of a terminal."""
    return printable(" ".join(as_options(str(error)).split()))


def say(message: str) -> None:
    """One line on standard error, in the program's name."""
    print(f"elman: {printable(message)}", file=sys.stderr)


def show(text: str, *, end: str = "\n") -> None:
    """Text on standard output, at once."""
    print(printable(text), end=end, flush=True)


def show_rich(*parts: Any) -> None:
    """Tables and texts on standard output; what is text holds no markup."""
    out = console()
    for part in parts:
        out.print(printable(part) if isinstance(part, str) else part)


def console(*, stderr: bool = False) -> Console:
    """A console that takes foreign text as it is, and cuts no number where its output is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)


def survive_any_encoding() -> None:
    """Write characters that the terminal's encoding lacks as escapes rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test may put a plain buffer in its place
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class Notes(logging.Handler):
    """Shows what the toolkit notes (the logger "elman") on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line a note."""
        say(as_options(record.getMessage()))


def show_notes() -> None:
    """Show the toolkit's notes from now on."""
    log = logging.getLogger("elman")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, Notes) for handler in log.handlers):
        log.addHandler(Notes())


def shell_words(words: Sequence[str]) -> str:
    """A command as a shell takes it, quoted where it must be."""
    import shlex

    return shlex.join(words)


def finite(value: Any) -> Any:
    """The same, with null for numbers that JSON does not have, and lists for tensors."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
