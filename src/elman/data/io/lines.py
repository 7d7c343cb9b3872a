"""Lines as they come, from a file or from standard input: what is there is taken together, none is waited for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from queue import Queue
from typing import IO

from elman.data.io.text import converting
from elman.errors import UserError

STANDARD_INPUT = "-"

_Arrived = str | UserError | None  # a line, or what is wrong with it, or None after the last


def arriving_lines(name: str, most: int) -> Iterator[list[str]]:
    """The lines of a UTF-8 file, in order, without their ends: at least one at a time, at most `most`.

    A person who types has an answer to each line, and a large file is never held whole.

    Arguments:
        name: its path, or "-" for standard input.

    Raises:
        UserError: no such file, one that is empty, or a line that is not UTF-8, after the lines before it.
    """
    arrived: Queue[_Arrived] = Queue(maxsize=4 * most)
    unwanted = threading.Event()
    with _opened(name) as file:
        threading.Thread(target=_read, args=(file, name, arrived, unwanted), daemon=True).start()
        try:
            yield from _grouped(arrived, most)
        finally:
            unwanted.set()
            while not arrived.empty():  # makes room for a line that waits to be put
                arrived.get()


def _grouped(arrived: Queue[_Arrived], most: int) -> Iterator[list[str]]:
    lines: list[str] = []
    while True:
        if lines and (arrived.empty() or len(lines) == most):
            yield lines
            lines = []
        line = arrived.get()
        if isinstance(line, str):
            lines.append(line)
            continue
        if lines:
            yield lines
        if line is not None:
            raise line
        return


def _opened(name: str) -> AbstractContextManager[IO[bytes]]:
    if name == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read {name}: {reason}; give a text file with a text in each line") from error


def _read(file: IO[bytes], name: str, arrived: Queue[_Arrived], unwanted: threading.Event) -> None:
    """Read to the end, or until nobody wants more, in a thread of its own."""
    where = "standard input" if name == STANDARD_INPUT else name
    number, end = 0, None
    try:
        for number, line in enumerate(file, 1):
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            arrived.put(text.removesuffix("\n").removesuffix("\r"))
            if unwanted.is_set():
                return
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        how = "iconv -f ISO-8859-1 -t UTF-8" if name == STANDARD_INPUT else converting(Path(name))
        end = UserError(f"{where} line {number} is not UTF-8 (byte 0x{byte:02x}); convert it, for instance with: {how}")
    except (OSError, ValueError) as error:  # ValueError: the file was closed, because nobody reads on
        end = UserError(f"cannot read {where} after line {number}: {error}")
    else:
        if number == 0 and name != STANDARD_INPUT:
            end = UserError(f"{where} is empty; give a text file with a text in each line")
    arrived.put(end)
