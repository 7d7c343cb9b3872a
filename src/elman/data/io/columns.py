"""Which column of a table is which: the one that was named, else one with a usual name, else a question."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.data.io.delimited import Record
from elman.data.io.files import file_kind
from elman.errors import UserError

TEXT_NAMES = (
    *("text", "sentence", "review", "comment", "content", "question", "message", "tweet", "body", "document"),
)
LABEL_NAMES = ("label", "class", "category", "sentiment", "target", "rating", "stars", "polarity", "y")


class UnnamedColumnError(UserError):
    """None of a table's columns has a usual name, and none was named.

    Attributes:
        likely: the columns that it probably is, as settings: {"text_column": "body", "label_column": "queue"}.
    """

    def __init__(self, what: str, header: Sequence[str], path: Path, likely: Mapping[str, str] | None = None) -> None:
        self.what, self.header, self.path, self.likely = what, header, path, dict(likely or {})
        if file_kind(path) == ".jsonl":
            said = f"{path}: no field is called {what}; its first line has {_listed(header)}; say which it is with"
            told = " and ".join(f"`{name}={column}`" for name, column in self.likely.items())
            super().__init__(f"{said} `{what}_column`" + (f"; likely {told}" if told else ""))
        else:
            super().__init__(
                f"{path}: no column is called {what}; its first line names {_listed(header)};"
                f" say which it is with `{what}_column`, by its number where the first line is an example already"
            )


@dataclass(frozen=True)
class Columns:
    """The columns of text and label by name; None where the usual names are to be looked for."""

    text: str | None = None
    label: str | None = None

    def among(self, header: Sequence[str], path: Path) -> tuple[str, str]:
        """The text column and the label column of a table with this header.

        Raises:
            UserError: a column that was named is not there, or one that was not cannot be told.
        """
        if len(header) == 1:
            raise UserError(
                f"{path}: its only column is {header[0]!r}, and texts with labels take two; texts alone are for a"
                " language model (elman train language)"
            )
        text = known_column(self.text, header, path) if self.text else _usual(header, TEXT_NAMES)
        label = known_column(self.label, header, path) if self.label else _usual(header, LABEL_NAMES)
        if len(header) == 2:  # the one leaves the other
            text = text or next((name for name in header if label and name != label), None)
            label = label or next((name for name in header if text and name != text), None)
        for what, found in (("text", text), ("label", label)):
            if found is None:
                raise UnnamedColumnError(what, header, path)
        if text == label:
            raise UserError(f"{path}: column {text!r} cannot be both text and label; name another")
        return str(text), str(label)

    def unnamed(self, header: Sequence[str], records: Iterable[Record]) -> tuple[int, int] | None:
        """The places of text and label in a table whose first line is an example already; None where it names columns.

        The records after the first line are looked at only where nothing else decides.

        They are told by the numbers that the user gave, from 1; of two columns one number tells both. Else, of two
        columns without a usual name, the label's has its first cell again further down; where the text's has as well,
        the label's is the one with far fewer different cells.
        """
        given = self.text, self.label
        places = [
            int(name) - 1 if name and name.isdecimal() and name not in header and 0 < int(name) <= len(header) else None
            for name in given
        ]
        if len(header) == 2 and None in given and places != [None, None]:
            places = [1 - places[1 - at] if place is None else place for at, place in enumerate(places)]  # type: ignore[operator]
        if places[0] is not None and places[1] is not None:
            return places[0], places[1]
        usual = {name.lower() for name in header} & {*TEXT_NAMES, *LABEL_NAMES}
        if any(given) or usual or len(header) != 2:
            return None
        again, cells = [False, False], (set[int](), set[int]())  # hashes: the texts themselves may fill the memory
        for _, fields in records:
            for place in (0, 1):
                again[place] |= fields[place] == header[place]
                cells[place].add(hash(fields[place]))
        if again == [True, True]:
            again = [2 * len(cells[0]) <= len(cells[1]), 2 * len(cells[1]) <= len(cells[0])]
        return {(False, True): (0, 1), (True, False): (1, 0)}.get((again[0], again[1]))


def likely_columns(records: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, str]:
    """The settings that name the text and the label of some records; empty where several columns may be either.

    A text has several words and is rarely twice the same. A label is: a column of names, else one of whole numbers.
    """
    cells: dict[str, list[Any]] = {name: [record.get(name) for record in records] for name in records[0]}
    named = {columns.text, columns.label}
    words = {name: column for name, column in cells.items() if all(isinstance(one, str) for one in column)}
    texts = [name for name, column in words.items() if sum(len(one.split()) for one in column) >= 2 * len(column)]
    repeated = [
        name
        for name, column in cells.items()
        if name not in {*texts, *named}
        and 1 < len(set(map(str, column))) <= len(column) / 2
        and all(isinstance(one, str | int) for one in column)
    ]
    labels = [name for name in repeated if name in words] or repeated
    text = columns.text or _usual(list(cells), TEXT_NAMES) or (texts[0] if len(texts) == 1 else None)
    label = columns.label or _usual(list(cells), LABEL_NAMES) or (labels[0] if len(labels) == 1 else None)
    return {"text_column": text, "label_column": label} if text and label else {}


def known_column(name: str, header: Sequence[str], path: Path) -> str:
    """`name`, which the table has.

    Raises:
        UserError: it has not; the message suggests the nearest.
    """
    if name in header:
        return name
    near = difflib.get_close_matches(name, header, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"it has {_listed(header)}"
    raise UserError(f"{path} has no column {name!r}; {advice}")


def _usual(header: Sequence[str], names: Sequence[str]) -> str | None:
    small = {column.lower(): column for column in reversed(header)}
    return next((small[name] for name in names if name in small), None)


def _listed(header: Sequence[str]) -> str:
    return ", ".join(map(repr, header[:10])) + (" ..." if len(header) > 10 else "")
