"""Word vectors from a text file: GloVe's form (word and numbers), or word2vec's (the same after a line of sizes)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data.io.files import check_file
from elman.data.io.text import parse_number
from elman.errors import UserError


def read_word_vectors(path: Path, words: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """The vectors of those `words` that the file has.

    Raises:
        UserError: the file cannot be read, a line is damaged or has another size, or none of the words is there.
    """
    wanted, found = set(words), {}
    size: int | None = None
    check_file(path)
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for line, content in enumerate(file, 1):
                cells = content.rstrip().split(" ")
                if line == 1 and len(cells) == 2 and all(_is_size(cell) for cell in cells):
                    size = int(cells[1])
                    continue
                size = len(cells) - 1 if size is None else size
                word = " ".join(cells[:-size])  # some of GloVe's words have a space in them
                if size < 1 or len(cells) <= size:
                    wanted_size = f"not {size}" if size > 0 else "and takes at least one"
                    raise UserError(f"{path} line {line} has {len(cells) - 1} numbers, {wanted_size}; mend the line")
                if word in wanted:
                    found[word] = _numbers(cells[-size:], path, line)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error}); give word vectors in text form") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; check the path") from error
    if not found:
        raise UserError(f"{path} has none of the {len(wanted)} words of the training text; is it word vectors?")
    return found


def _is_size(cell: str) -> bool:
    return cell.isascii() and cell.isdecimal() and len(cell) < 10


def _numbers(cells: list[str], path: Path, line: int) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # infinite then
            numbers = np.array([parse_number(cell) for cell in cells]).astype(np.float32)
    except ValueError:
        numbers = np.full(1, np.nan, np.float32)
    if not np.isfinite(numbers).all():
        raise UserError(f"{path} line {line}: {cells[0][:40]!r} ... are not all finite numbers; mend the line")
    return numbers
