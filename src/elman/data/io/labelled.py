"""A user's own texts with labels: a table, a folder with a folder for each class, or a folder of parts."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from elman.data.io.columns import Columns, UnnamedColumnError, likely_columns
from elman.data.io.delimited import Delimited, Record, fitting_records, read_delimited, records_of
from elman.data.io.files import exists, file_kind, is_folder, read_bytes, read_content
from elman.data.io.folders import class_files, part_paths
from elman.data.io.large.plain_text import plain_records
from elman.data.io.rows import Parts, Row, by_part
from elman.data.io.text import decode_utf8, newline_parted
from elman.data.packed import PACKED
from elman.errors import UserError

log = logging.getLogger("elman")
_PART_NAMES = ("split", "part", "subset", "partition", "set")
"""What a column is called that says to which part a text belongs."""
_TABLES = (".csv", ".tsv", ".jsonl", ".xlsx")
_LOOKED_AT = 500
"""Lines of JSON after the first that are looked at, to say which fields are probably meant."""
_SURROGATE = re.compile("[\ud800-\udfff]")
PACKED_TABLES = tuple(suffix + end for suffix in _TABLES for end in ("", *PACKED))
"""Endings of tables that are read, packed ones among them."""


def read_parts(path: Path, columns: Columns) -> tuple[Parts, tuple[str, ...]]:
    """The rows of a table or folder, by part, and what is to be said of parts that a column of a table names.

    Raises:
        UserError: nothing is there, or it is in none of the forms, or it cannot be read (with file and line).
    """
    if not is_folder(path):
        return by_part(read_table(path, columns))
    parts = part_paths(path, PACKED_TABLES) or {"train": path}
    return {part: read_rows(where, columns) for part, where in parts.items()}, ()


def read_rows(path: Path, columns: Columns) -> list[Row]:
    """The rows of one table or of one folder of class folders; raises as `read_parts`."""
    if not is_folder(path):
        return read_table(path, columns)
    return [Row(decode_utf8(read_bytes(file), file), label, file) for label, file in class_files(path, ".txt")]


def read_table(path: Path, columns: Columns) -> list[Row]:
    """The rows of one table.

    Raises:
        UserError: no such file, a format that is not read, a damaged or wrongly encoded line, no such column.
    """
    kind = file_kind(path)
    if kind not in _TABLES:
        what = "there is no file" if not exists(path) else "cannot tell the format of"
        raise UserError(f"{what} {path}; give a {', '.join(_TABLES)} file or a folder with one folder for each class")
    if kind == ".jsonl":
        return list(_json_rows(path, [decode_utf8(read_content(path), path)], columns))
    table = read_delimited(path)
    return list(_table_rows(path, (table.line, table.header), lambda: table.records, columns))


def streamed_rows(
    path: Path, columns: Columns, pieces: Callable[[], Iterable[str]], *, plain: bool = False
) -> Iterator[Row]:
    """The rows of a .csv, .tsv or .jsonl file of any size, one by one; raises as `read_table`.

    Arguments:
        pieces: begins to read the file's text.
        plain: read tables by Arrow, which raises a `NotPlainError` on its way where a file is not for it.
    """
    if file_kind(path) == ".jsonl":
        return _json_rows(path, pieces(), columns)
    line, header = next(records_of(path, pieces()), (0, []))

    def records() -> Iterator[Record]:
        after = plain_records(path) if plain else islice(records_of(path, pieces()), 1, None)
        return fitting_records(path, header, after)

    return _table_rows(path, (line, header), records, columns)


def chosen_columns(table: Delimited, columns: Columns) -> tuple[Delimited, str, str]:
    """A table with names for its columns, and which of them are the text and the label.

    Raises:
        UserError: there is no such column, or it cannot be told.
    """
    names, text, label = _named(table.path, table.header, table.records, columns)
    return table if names == table.header else table.without_names(names), text, label


def _named(
    path: Path, header: Sequence[str], records: Iterable[Record], columns: Columns
) -> tuple[tuple[str, ...], str, str]:
    """The names of a table's columns, which its first line may lack, and which of them are the text and the label."""
    places = columns.unnamed(header, records)
    if places is None:
        return tuple(header), *columns.among(header, path)
    names = tuple(f"column {number}" for number in range(1, len(header) + 1))
    return names, names[places[0]], names[places[1]]


def _table_rows(
    path: Path, first: tuple[int, Sequence[str]], records: Callable[[], Iterable[Record]], columns: Columns
) -> Iterator[Row]:
    line, header = first
    names, text, label = _named(path, header, records(), columns)
    others = records()
    if names != tuple(header):
        log.info("%s has no line of names; %s is taken for the text and %s for the label", path, text, label)
        others = chain([(line, list(header))], others)
    column = _part_column(names, (text, label))
    text_place, label_place = names.index(text), names.index(label)
    part_place = names.index(column) if column else -1
    for line, fields in others:
        part = fields[part_place] if column else ""
        yield _row(fields[text_place], fields[label_place], path, line, (column, part))


def _part_column(header: Sequence[str], taken: Sequence[str]) -> str:
    small = {name.strip().lower(): name for name in reversed(header) if name not in taken}
    return next((small[name] for name in _PART_NAMES if name in small), "")


def _json_rows(path: Path, pieces: Iterable[str], columns: Columns) -> Iterator[Row]:
    chosen: tuple[str, str] | None = None
    column = ""
    lines = enumerate(newline_parted(pieces), 1)
    for line, content in lines:
        if not content.strip():
            continue
        try:
            record = json.loads(content)
        except json.JSONDecodeError as error:
            raise UserError(f"{path} line {line} is not JSON ({error.msg} at column {error.colno}); mend it") from error
        except (RecursionError, ValueError) as error:  # nested without end; a number of thousands of digits
            raise UserError(f"{path} line {line} is not JSON that can be read ({str(error)[:80]}); mend it") from error
        if not isinstance(record, dict):
            raise UserError(f'{path} line {line} is not an object such as {{"text": "...", "label": "..."}}; mend it')
        if chosen is None:
            chosen = _json_columns(path, record, lines, columns)
            column = _part_column(list(record), chosen)
        for name in chosen:
            if name not in record:
                raise UserError(f"{path} line {line} has no {name!r}, as the first line has; mend it")
        part = column, str(record.get(column, "")) if column else ""
        value, label = (record[name] for name in chosen)
        if isinstance(value, dict | list) or isinstance(label, dict | list):
            raise UserError(f"{path} line {line} has a list or an object for {chosen[0]!r} or {chosen[1]!r}; mend it")
        yield _row("" if value is None else str(value), "" if label is None else str(label), path, line, part)


def _json_columns(
    path: Path, first: dict[str, Any], lines: Iterable[tuple[int, str]], columns: Columns
) -> tuple[str, str]:
    """The fields of text and label; where the first record's names tell neither, the error looks at the next ones."""
    try:
        return columns.among(list(first), path)
    except UnnamedColumnError as error:
        records = [first]
        with contextlib.suppress(ValueError, RecursionError):
            records += [json.loads(content) for _, content in islice(lines, _LOOKED_AT) if content.strip()]
        records = [record for record in records if isinstance(record, dict)]
        raise UnnamedColumnError(error.what, error.header, path, likely_columns(records, columns)) from None


def _row(text: str, label: str, path: Path, line: int, part: tuple[str, str]) -> Row:
    if not (text.isascii() and label.isascii()) and _SURROGATE.search(text + label):
        raise UserError(f"{path} line {line} holds half of a character (a lone surrogate); mend it")
    if not label.strip() and text.strip():
        raise UserError(f"{path} line {line} has no label; give it one or take the line out")
    return Row(text, label.strip(), path, line, part)
