"""Many texts to be judged: the lines of a file or of standard input, or the files of a folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from elman.data.io.files import file_kind, is_folder, list_folder, read_bytes
from elman.data.io.lines import STANDARD_INPUT, arriving_lines
from elman.data.io.text import decode_utf8
from elman.errors import UserError

log = logging.getLogger("elman")


def texts_of(name: str, most: int) -> Iterator[list[str]]:
    """Texts in order, at most `most` at a time; empty ones are left out, and said.

    Arguments:
        name: a file with a text a line, a folder of .txt files with a text each, or "-" for standard input.

    Raises:
        UserError: there is no such file, it cannot be read, or it is a table.
    """
    path = Path(name).expanduser()
    if name != STANDARD_INPUT and is_folder(path):
        files = list_folder(path, (".txt",))
        if not files:
            raise UserError(f"{path} has no .txt files; give a folder with a text in each, or a file with one a line")
        groups: Iterator[list[str]] = (
            [" ".join(decode_utf8(read_bytes(file), file).split()) for file in files[start : start + most]]
            for start in range(0, len(files), most)
        )
    else:
        if file_kind(path) in (".csv", ".tsv", ".jsonl", ".xlsx"):
            raise UserError(f"{name} is a table; give a file with a text in each line (a table is for evaluation)")
        groups = arriving_lines(name, most)
    empty = 0
    for texts in groups:
        full = [text for text in texts if text.strip()]
        empty += len(texts) - len(full)
        if full:
            yield full
    if empty:
        log.info("empty texts are left out: %d", empty)
