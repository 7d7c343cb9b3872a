"""Commands in every surrounding: a terminal of any width, a pipe, ASCII, a full disk."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout

from elman.cli.main import main

STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
"""What rich may send of itself: colours, weights, and where the cursor goes."""


class Terminal(io.StringIO):
    """Text that says that it goes to a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It does."""
        return True


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        """Refuse, as the operating system does."""
        raise OSError(28, "No space left on device")


def called(words: list[str], out: io.TextIOBase | None = None, stdin: bytes = b"") -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command, which runs in this process."""
    out, err, before = out or io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):  # type: ignore[type-var]
            main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdin = before
    if isinstance(out, io.TextIOWrapper):
        out.flush()
        return code, out.buffer.getvalue().decode(out.encoding), err.getvalue()  # type: ignore[attr-defined]
    return code, "" if isinstance(out, Full) else out.getvalue(), err.getvalue()  # type: ignore[attr-defined]
