"""The parts of stored rows: the same texts, labels, notes and complaints as of the same tables read into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from elman.data import entries
from elman.data.io.columns import Columns
from elman.data.io.files import file_kind, is_file, is_folder, is_sampling
from elman.data.io.folders import part_paths
from elman.data.io.labelled import PACKED_TABLES
from elman.data.io.rows import empty_note, part_note
from elman.data.packed import packed_by
from elman.data.splits import names_of, never_seen, stratified
from elman.data.text.labelled.rows import PARTS, Source, StoredRows, open_rows
from elman.data.text.labelled.texts import LabelledTexts, TextClasses

LARGE_BYTES = 64_000_000
"""Tables that have more bytes than this together, once they are unpacked, are not read into memory."""
PACKED_RATIO = 4
"""How many times its own size a packed file is taken to hold."""

Numbers = NDArray[np.int64]


class StoredTexts(Sequence[str]):
    """Texts of stored rows, by the numbers (N,) of these."""

    def __init__(self, stored: StoredRows, rows: Numbers) -> None:
        self.stored, self.rows = stored, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        """All of them; in the order of their rows they are read many at a time."""
        ascending = bool((np.diff(self.rows) > 0).all())
        return self.stored.texts_of(self.rows) if ascending else (self.stored.text(row) for row in self.rows.tolist())

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> StoredTexts: ...
    def __getitem__(self, place: int | slice) -> str | StoredTexts:
        """One text, or some."""
        if isinstance(place, slice):
            return StoredTexts(self.stored, self.rows[place])
        return self.stored.text(int(self.rows[place]))


@dataclass(frozen=True)
class StoredPart(LabelledTexts):
    """A part whose texts are not in memory."""

    texts: StoredTexts

    def joined(self, other: LabelledTexts) -> StoredPart:
        """These texts and those of another part of the same rows."""
        assert isinstance(other, StoredPart)
        rows = np.concatenate([self.texts.rows, other.texts.rows])
        return StoredPart(StoredTexts(self.texts.stored, rows), np.concatenate([self.labels, other.labels]))

    def taken(self, chosen: Numbers) -> StoredPart:
        """The texts of these numbers."""
        return _part(self.texts.stored, self.texts.rows[chosen], self.labels[chosen])

    @cached_property
    def key(self) -> str:
        """The name of what follows from these texts and labels."""
        chosen = hashlib.sha256(self.texts.rows.tobytes() + self.labels.tobytes()).hexdigest()
        return entries.key_of("examples", self.texts.stored.key, chosen)

    def some(self, characters: int) -> Sequence[str]:
        """Every text, every second, every third ..., until they have at most about so many characters together."""
        return self.texts[:: max(1, -(-self.count_characters() // characters))]

    def count_characters(self) -> int:
        """Of all texts together."""
        return int(self.texts.stored.columns["characters"][self.texts.rows].sum(dtype=np.int64))

    def examples(self) -> Iterable[Any]:
        """What a training learns from, and by what name its digest is remembered."""
        return _Examples(self)


class _Examples(Iterable[Any]):
    def __init__(self, part: StoredPart) -> None:
        self._part = part
        self.memo = entries.folder() / f"{part.key}.digest.json"

    def __iter__(self) -> Iterator[Any]:
        return zip(self._part.texts, self._part.labels.tolist(), strict=True)


def large_tables(data: str | Path, files: Sequence[str]) -> list[Source]:
    """The tables that labelled text is to be read from, where they are large; none where they are not, or no tables.

    Arguments:
        data: a file, or a folder with a table for each part.
        files: several files that belong together, in the place of `data`.
    """
    path = Path(data).expanduser()
    if len(files) > 1:
        sources = [Source(Path(file)) for file in files]
    elif is_folder(path):
        sources = [Source(table, part) for part, table in part_paths(path, PACKED_TABLES).items()]
    else:
        sources = [Source(path)]
    streamed = all(is_file(one.path) and file_kind(one.path) in (".csv", ".tsv", ".jsonl") for one in sources)
    if not sources or not streamed or is_sampling():
        return []
    size = sum(one.path.stat().st_size * (PACKED_RATIO if packed_by(one.path) else 1) for one in sources)
    return sources if size > LARGE_BYTES else []


def stored_classes(
    sources: Sequence[Source], columns: Columns, name: str, validation_share: float, seed: int
) -> TextClasses:
    """What `read_labelled_text` gives, of tables that are not read into memory; raises as that."""
    stored = open_rows(sources, columns)
    parts, notes = _by_part(stored)
    for part, rows in parts.items():
        parts[part], said = _without_empty(stored, rows)
        notes += said
    codes = stored.columns["label"][parts["train"]]
    numbers, first, counts = np.unique(codes, return_index=True, return_counts=True)
    order = np.argsort(first)
    names = [stored.facts.labels[numbers[i]] for i in order]
    places = dict(zip(names, parts["train"][first[order]].tolist(), strict=True))
    counted = dict(zip(names, counts[order].tolist(), strict=True))
    classes = names_of(counted, name, lambda label: stored.place(places[label]))
    train = numbered_part(stored, parts["train"], classes)
    if "validation" in parts:
        validation = numbered_part(stored, parts["validation"], classes)
    else:
        stay, held = stratified(train.labels, validation_share, seed)
        rows = parts["train"]
        train, validation = _part(stored, rows[stay], train.labels[stay]), _part(stored, rows[held], train.labels[held])
    test = numbered_part(stored, parts.get("test", np.empty(0, np.int64)), classes)
    return TextClasses(classes, train, validation, test, notes, "validation" not in parts)


def stored_part(
    sources: Sequence[Source], columns: Columns, classes: Sequence[str]
) -> tuple[StoredPart, tuple[str, ...], str]:
    """All rows of tables as one part, what is to be said of it, and the column that names other parts."""
    stored = open_rows(sources, columns)
    rows, notes = _without_empty(stored, np.arange(len(stored)))
    named = bool((stored.columns["part"] >= 0).any()) and not sources[0].part
    return numbered_part(stored, rows, classes), notes, stored.facts.column if named else ""


def numbered_part(stored: StoredRows, rows: Numbers, classes: Sequence[str]) -> StoredPart:
    """Rows with the numbers of their classes; raises a UserError for a label that is none of them."""
    numbers = {label: number for number, label in enumerate(classes)}
    table = np.array([numbers.get(label, -1) for label in stored.facts.labels], np.int64)
    labels = table[stored.columns["label"][rows]]
    if (labels < 0).any():
        row = int(rows[int((labels < 0).argmax())])
        raise never_seen(stored.label(row), classes, stored.place(row))
    return _part(stored, rows, labels)


def _part(stored: StoredRows, rows: Numbers, labels: Numbers) -> StoredPart:
    return StoredPart(StoredTexts(stored, rows), labels)


def _by_part(stored: StoredRows) -> tuple[dict[str, Numbers], tuple[str, ...]]:
    """The rows of each part, by the tables they stand in or by a column; see `elman.data.io.rows.by_part`."""
    facts, parts = stored.facts, np.array(stored.columns["part"])
    rows = np.arange(len(stored))
    if not stored.sources[0].part and not facts.column:
        return {"train": rows}, ()
    there, first = np.unique(parts[parts >= 0], return_index=True)
    found = {PARTS[there[i]]: rows[parts == there[i]] for i in np.argsort(first)}
    if stored.sources[0].part:
        return found, ()
    sizes = {part: len(inside) for part, inside in found.items()}
    usable, note = part_note(stored.sources[0].path, facts.column, facts.stranger, sizes)
    return found if usable else {"train": rows}, (note,)


def _without_empty(stored: StoredRows, rows: Numbers) -> tuple[Numbers, tuple[str, ...]]:
    empty = stored.columns["empty"][rows]
    if not empty.any():
        return rows, ()
    path = stored.sources[int(stored.columns["source"][rows[0]])].path
    note = empty_note(int(empty.sum()), len(rows), path, stored.place(int(rows[int(empty.argmax())])))
    return rows[~empty], note
