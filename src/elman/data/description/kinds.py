"""Of which kind the data at a path are, by their ending, their columns and what lies beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from elman.data.audio.io import SUFFIXES as SOUNDS
from elman.data.audio.recordings import FSDD
from elman.data.datasets.registry import CATALOGUE
from elman.data.description.facts import Column, listed
from elman.data.description.formats import HEAD, columns_of
from elman.data.image.dataset import FLICKR8K
from elman.data.image.io import SUFFIXES as PICTURES
from elman.data.io.columns import LABEL_NAMES, TEXT_NAMES, Columns
from elman.data.io.delimited import Delimited, read_delimited
from elman.data.io.files import exists, file_kind, is_file, is_folder, list_folder, read_content, reading_samples
from elman.data.io.folders import part_paths
from elman.data.io.large.plain_columns import MISSING
from elman.data.io.text import decode_utf8, is_number
from elman.data.packed import PACKED
from elman.data.text.classification import NAMES as LABELLED
from elman.data.text.corpora import names_a_corpus
from elman.data.text.parallel import MULTI30K, names_languages
from elman.data.timeseries.classification import NAMES as SEQUENCES
from elman.data.timeseries.forecasting import NAMES as SERIES
from elman.data.timeseries.roles import PARTS, part_of
from elman.errors import UserError
from elman.runtime.text.decimal_marks import no_number

Kind = Literal["text", "labelled text", "parallel text", "captions", "audio", "table", "sequences", "recording"]
"""What data may be; the words of the catalogue of datasets."""
_NAMED: dict[Kind, Sequence[str]] = {
    "labelled text": LABELLED,
    "sequences": SEQUENCES,
    "table": tuple(SERIES),
    "parallel text": tuple(MULTI30K),
    "audio": (FSDD,),
    "captions": (FLICKR8K,),
}
_BY_ENDING: dict[str, Kind] = {
    **dict.fromkeys((".ts", ".npz"), "sequences"),
    **dict.fromkeys((".parquet",), "table"),
    ".jsonl": "labelled text",
    ".json": "captions",
    **dict.fromkeys(SOUNDS, "recording"),
}
_TABLES = tuple(suffix + end for suffix in (".csv", ".tsv") for end in ("", *PACKED))
_TOKENS = re.compile(r"[^\t\n]+#\d+\t")
_WORDY = 2.0
"""Words in a cell, on average, from which on a column holds texts rather than names."""
_FEW = 0.5
"""A column of labels has at most so many different cells, as a share of all."""


@dataclass(frozen=True)
class Guess:
    """What data are.

    Attributes:
        kind: the likeliest.
        data: what training is to be given as its data.
        why: what it was told by.
        others: kinds that they could be as well.
        settings: what training must be told beside the data.
    """

    kind: Kind
    data: tuple[str, ...]
    why: str
    others: tuple[Kind, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def guess_kind(given: Sequence[str]) -> Guess:
    """Of which kind the data are: a file, a folder, a dataset's name, or several files.

    Raises:
        UserError: nothing is there, or nothing tells.
    """
    names = tuple(given)
    if len(names) > 1:
        return _several(names)
    for kind, known in _NAMED.items():
        if names[0] in known:
            return Guess(kind, names, "a dataset that is known by its name")
    path = Path(names[0]).expanduser()
    if not exists(path) and names_a_corpus(names):
        return Guess("text", names, "a dataset that is known by its name")
    if not exists(path) and (set("*?[") & set(names[0])):
        return Guess("text", names, "a pattern of files")
    if not exists(path):
        known = listed(list(CATALOGUE), 30)
        raise UserError(f"there is no file or folder {path}; check the path (datasets are {known})")
    return _folder(path, names) if is_folder(path) else _file(path, names)


def _several(names: tuple[str, ...]) -> Guess:
    paths = [Path(name).expanduser() for name in names]
    kinds = [
        path.suffix.lower() if path.suffix.lower() in PICTURES else _file(path, (str(path),)).kind
        for path in paths
        if not is_folder(path)
    ]
    folder = next((path for path in paths if is_folder(path)), None)
    if len(paths) == 2 and kinds.count("captions") == 1 and folder is not None:
        other = next(path for path in paths if path != folder)
        return Guess("captions", (str(folder),), "a folder and a file of captions", settings={"captions": str(other)})
    if folder is not None or set(kinds) != {"text"}:
        raise UserError(f"{listed(names)} are of different kinds; describe them one by one")
    lines = [read_content(path).count(b"\n") for path in paths]
    if len(paths) == 2 and lines[0] == lines[1] > 1:
        return Guess("parallel text", names, f"two files of {lines[0]:,} lines each", ("text",))
    return Guess("text", names, "files of text")


def _file(path: Path, names: tuple[str, ...]) -> Guess:
    ending = file_kind(path)
    if ending in _BY_ENDING:
        return Guess(_BY_ENDING[ending], names, f"a {ending} file")
    if ending in PICTURES:
        raise UserError(f"{path} is a picture; name the file of captions, or the folder of pictures with it")
    if ending == ".xlsx":
        return _table(read_delimited(path, fill=True), names)
    with reading_samples(HEAD, 1):
        text = decode_utf8(read_content(path), path)
        if _TOKENS.match(text):
            return Guess("captions", names, "lines of picture#number, tab, caption")
        if ending not in (".csv", ".tsv"):
            return Guess("text", names, "a file of text")
        return _table(read_delimited(path, fill=True, spill=("caption", "text", "transcript")), names)


def _table(table: Delimited, names: tuple[str, ...]) -> Guess:
    """What a table is for, by the columns in its beginning."""
    path = table.path
    cells = [*table.header, *(table.records[0][1] if table.records else ())]
    if any(cell.lower().endswith(PICTURES) for cell in cells):
        return Guess("captions", names, "a column of pictures' names")
    if any(cell.lower().endswith(SOUNDS) for cell in cells):
        return Guess("audio", (str(path.parent),), f"a column of sound files, which lie in {path.parent}")
    columns = columns_of(table)
    found = _uses(table, columns)
    if not found:
        shown = listed([f"{column.name!r} ({column.type})" for column in columns])
        raise UserError(
            f"{path}: nothing tells what it is for; its columns are {shown}{_nearly_numbers(table, columns)};"
            " say with `task` what is to be trained on it, and which column is which: with `text_column` and"
            " `label_column`, or `time` and `target`"
        )
    (kind, why), *rest = found
    others = tuple(dict.fromkeys(other for other, _ in rest if other != kind))
    return Guess(kind, names, why, others)


def _uses(table: Delimited, columns: Sequence[Column]) -> list[tuple[Kind, str]]:
    """What the columns may be for and why, the likeliest first."""
    found: list[tuple[Kind, str]] = []
    small = [name.lower() for name in table.header]
    if any(name in TEXT_NAMES for name in small) and any(name in LABEL_NAMES for name in small):
        text = next(column for column in columns if column.name.lower() in TEXT_NAMES)
        if text.type == "texts":
            found.append(("labelled text", f"columns called {text.name!r} and as labels are called"))
    dated = next((column.name for column in columns if column.type == "dates" or _is_packed(column)), None)
    called = repr(dated) if dated else "the column without a name"
    numbers = [column for column in columns if "numbers" in column.type]
    if (dated is not None or {"year", "month"} <= set(map(part_of, table.header))) and [
        one for one in numbers if one.name != dated
    ]:
        found.append(
            (
                "table",
                f"dates in {called}, and numbers" if dated is not None else "columns of years and months, and numbers",
            )
        )
    if len(table.header) == 2 and names_languages(table.header):
        found.append(("parallel text", "two columns that are called as languages"))
    wordy = _wordy(table, columns)
    labels = next((column for column in columns if column.name.lower() in LABEL_NAMES), None)
    if labels and not found and len(wordy) == 1 and _are_labels(labels, wordy[0], len(table.records)):
        found.append(("labelled text", f"the texts of {wordy[0].name!r}, and a column that is called as labels are"))
    if len(wordy) == len(columns) == 1:
        found.append(("text", "a single column of texts"))
    if Columns().unnamed(table.header, table.records) or (
        len(columns) == 2 and wordy and _labels(columns, wordy[0], len(table.records))
    ):
        found.append(("labelled text", "a column of texts and a column of labels"))
    if len(wordy) == len(columns) == 2:
        found.append(("parallel text", "two columns of texts"))
    if numbers and columns and columns[0] in numbers and _rises(table, 0) and len(numbers) > 1:
        found.append(("table", f"rising or falling numbers in {columns[0].name!r}, and numbers beside them"))
    return found


def _nearly_numbers(table: Delimited, columns: Sequence[Column]) -> str:
    """What keeps a column of numbers from being one: the first cell that is none; "" where there is no such column."""
    for column in columns:
        cells = [cell for cell in table.column(column.name) if cell not in MISSING]
        wrong = [cell for cell in cells if not is_number(cell)]
        if column.type == "texts" and wrong and 2 * len(wrong) < len(cells):
            return f"; of column {column.name!r}, {no_number(wrong[0])}"
    return ""


def only_texts(path: Path) -> str:
    """The only column of long texts in a table that calls none as texts are called; "" where there is none such."""
    if not is_file(path) or file_kind(path) not in (".csv", ".tsv", ".xlsx"):
        return ""
    with reading_samples(HEAD, 1):
        table = read_delimited(path, fill=True)
    small = {name.lower() for name in table.header}
    if small & set(TEXT_NAMES) or len(small) < 2 or (len(small) == 2 and small & set(LABEL_NAMES)):
        return ""
    if Columns().unnamed(table.header, table.records):
        return ""
    wordy = _wordy(table, columns_of(table))
    return wordy[0].name if len(wordy) == 1 else ""


def _wordy(table: Delimited, columns: Sequence[Column]) -> list[Column]:
    """Columns that hold texts rather than names."""
    return [column for column in columns if column.type == "texts" and _words(table, column) >= _WORDY]


def _is_packed(column: Column) -> bool:
    """Whether whole numbers are dates such as 20210131, or times in seconds since 1970, by the name of the column."""
    return column.type == "whole numbers" and column.name.lower() in (
        "date",
        "day",
        "time",
        "timestamp",
        "datetime",
        *PARTS[:1],
    )


def _words(table: Delimited, column: Column) -> float:
    cells = table.column(column.name)
    return sum(len(cell.split()) for cell in cells) / max(1, len(cells))


def _labels(columns: Sequence[Column], text: Column, rows: int) -> bool:
    return _are_labels(next(column for column in columns if column is not text), text, rows)


def _are_labels(label: Column, text: Column, rows: int) -> bool:
    return 1 < label.distinct <= max(2, _FEW * rows) and label.distinct < text.distinct


def _rises(table: Delimited, place: int) -> bool:
    numbers = [float(fields[place]) for _, fields in table.records if fields[place]]
    falls = all(one > other for one, other in pairwise(numbers)) and all(map(float.is_integer, numbers))
    return falls or all(one < other for one, other in pairwise(numbers))


def _folder(path: Path, names: tuple[str, ...]) -> Guess:
    if list_folder(path, ["_train.ts"]):
        return Guess("sequences", names, "a pair of .ts files")
    inside = [one for one in list_folder(path) if not is_folder(one)]
    folders = [one for one in list_folder(path) if is_folder(one)]
    endings = {file_kind(one) for one in inside}
    tables = [one for one in inside if one.name.lower().endswith(_TABLES)]
    if endings & set(PICTURES):
        return Guess("captions", names, "pictures", settings=_captions(path, inside))
    if tables and _has(path, SOUNDS):
        return Guess("audio", names, "sound files and a table of transcripts")
    if part_paths(path, (*_TABLES, ".jsonl")) and (tables or ".jsonl" in endings):
        return Guess("labelled text", names, "tables of parts")
    for kind, wanted in (("audio", SOUNDS), ("labelled text", (".txt",)), ("sequences", (".csv",))):
        if folders and _has(path, wanted):
            return Guess(kind, names, f"folders of {wanted[0]} files")  # type: ignore[arg-type]
    if ".txt" in endings:
        return Guess("text", (f"{names[0].rstrip('/')}/*.txt",), "files of text")
    raise UserError(
        f"{path}: nothing tells what it is for; it holds {listed(sorted(one.name for one in [*folders, *inside]), 5)};"
        " name one file, or say with `task` what is to be trained on it"
    )


def _has(path: Path, endings: Sequence[str]) -> bool:
    return any(one.suffix.lower() in endings for one in path.rglob("*"))


def _captions(path: Path, inside: Sequence[Path]) -> dict[str, Any]:
    """The file of captions among or beside pictures."""
    beside = [one for one in list_folder(path.parent) if not is_folder(one)] if path.parent != path else []
    for one in (*inside, *beside):
        if file_kind(one) not in (".csv", ".tsv", ".txt", ".json"):
            continue
        try:
            if _file(one, (str(one),)).kind == "captions":
                return {"captions": str(one)}
        except UserError:
            continue
    return {}
