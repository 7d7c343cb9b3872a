"""Every text on its way to a terminal: settings written as options, control characters made visible.

Nothing else in the command line prints; rich's consoles are in `elman.cli.terminal`.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from elman.cli.terminal.characters import printable, printable_json
from elman.errors import one_line_of
from elman.training.distributed.launcher import first_of_machine

if TYPE_CHECKING:
    from rich.console import RenderableType

_SETTING = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")


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


def one_line(error: BaseException) -> str:
    """An error's message on one line, without the frame and the line breaks of a terminal."""
    return printable(" ".join(as_options(str(error)).split()))


def say(message: str) -> None:
    """One line on standard error, in the program's name."""
    try:
        print(f"elman: {printable(one_line_of(message))}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:  # a log on a full disk: no reason to stop the work
        sys.stderr = _Nowhere()


def raw_error(piece: str) -> None:
    """A piece of text on standard error, at once, as it comes."""
    print(printable(piece), end="", file=sys.stderr, flush=True)


def show(text: str, *, end: str = "\n") -> None:
    """Text on standard output, at once."""
    print(printable(text), end=end, flush=True)


def show_line(text: str) -> None:
    """The same on one line, whatever the text."""
    show(one_line_of(text))


def show_rich(*parts: RenderableType) -> None:
    """Tables and texts on standard output; no text is read as markup, no number is cut."""
    from elman.cli.terminal.console import SafeConsole

    SafeConsole().show(*parts)
    sys.stdout.flush()


def show_json(value: Any) -> None:
    """One line of JSON on standard output: null for numbers that JSON does not have."""
    plain = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
    text = json.dumps(finite(value), ensure_ascii=plain, allow_nan=False)
    print(printable_json(text), flush=True)


def ready_streams() -> None:
    """Write characters that the terminal's encoding lacks as escapes; let a closed stream swallow what is written."""
    sys.stdout = sys.stdout or _Nowhere()
    sys.stderr = sys.stderr or _Nowhere()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test may put a plain buffer in its place
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Let Python end without trying once more to write what could not be written."""
    sys.stdout = _Nowhere()


class _Nowhere(io.StringIO):
    """Takes what is written and keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


class Notes(logging.Handler):
    """Shows what the toolkit notes (the logger "elman") on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line a note."""
        say(as_options(record.getMessage()))


def show_notes() -> None:
    """Show the toolkit's notes, and Python's warnings as lines of the same form, from now on."""
    log = logging.getLogger("elman")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, Notes) for handler in log.handlers):
        log.addHandler(Notes())
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
    if first_of_machine():
        say(f"{category.__name__}: {' '.join(str(message).split())}")


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
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
