"""Texts with labels, for classification: a public dataset by its name, or a person's own files.

A person's data is a table (.csv, .tsv, .jsonl), a folder with one folder of .txt files for each class, or a
folder that holds either of these as parts named train, validation (or valid, val, dev) and test. Large tables are not
read into memory, see `labelled.rows`.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data.datasets.cache import fetch
from elman.data.datasets.download import Progress
from elman.data.datasets.registry import own_path
from elman.data.io.columns import Columns
from elman.data.io.files import is_file, matching_files
from elman.data.io.folders import known_part
from elman.data.io.labelled import read_parts, read_rows
from elman.data.io.rows import Parts, Row, by_part, without_empty
from elman.data.splits import class_names, numbered, stratified
from elman.data.text import public_sets as sentences
from elman.data.text.labelled.parts import large_tables, stored_classes, stored_part
from elman.data.text.labelled.texts import LabelledTexts, TextClasses

_READERS = {
    "sst2": (sentences.read_sst2, sentences.SENTIMENT),
    "sst5": (sentences.read_sst5, sentences.SENTIMENT_IN_FIVE),
    "trec": (sentences.read_trec, sentences.QUESTIONS),
    "imdb": (sentences.read_imdb, sentences.SENTIMENT),
    "yelp": (sentences.read_yelp, sentences.SENTIMENT),
}
NAMES = tuple(_READERS)
"""The datasets that are known by name."""


def read_labelled_text(
    data: str | Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    validation_share: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
) -> TextClasses:
    """The texts of a dataset by name (sst2, sst5, trec, imdb, yelp), else of the file or folder at a path.

    Arguments:
        text_column, label_column: the columns of a table; found by their usual names where not given.
        validation_share: held out of every class of the training part, where no validation part is given.
        seed: of what is held out.
        progress: told of the bytes of a download.

    Raises:
        UserError: what is there cannot be read, or not be learnt from; the message names file and line.
    """
    name = str(data)
    notes: tuple[str, ...] = ()
    if name in _READERS:
        read, classes = _READERS[name]
        parts = read(fetch(name, progress=progress))
    else:
        classes = ()
        columns = Columns(text_column, label_column)
        files = matching_files([name]) if glob.has_magic(name) else []
        if large := large_tables(data, [str(file) for file in files]):
            return stored_classes(large, columns, name, validation_share, seed)
        if len(files) > 1:
            parts, notes = by_part([row for file in files for row in read_rows(file, columns)])
        else:
            parts, notes = read_parts(own_path(files[0] if files else data, "labelled text", _READERS), columns)
    kept: Parts = {}
    for part, rows in parts.items():
        kept[part], said = without_empty(rows)
        notes += said
    return _assembled(kept, classes or _class_names(kept["train"], name), notes, validation_share, seed)


def read_labelled_part(
    path: Path, classes: Sequence[str], *, text_column: str | None = None, label_column: str | None = None
) -> tuple[LabelledTexts, tuple[str, ...]]:
    """A table or folder to evaluate a trained classifier on, and the notes on it.

    Raises:
        UserError: it cannot be read, or has a label that is not among `classes`.
    """
    own, columns = own_path(path, "labelled text", _READERS), Columns(text_column, label_column)
    if is_file(own) and (large := large_tables(own, ())):
        part, notes, column = stored_part(large, columns, classes)
        return part, notes + ((_all_measured(own, len(part), column),) if column else ())
    rows, notes = without_empty(read_rows(own, columns))
    if any(known_part(row.part[1]) for row in rows):
        notes += (_all_measured(rows[0].path, len(rows), rows[0].part[0]),)
    return _numbered(rows, classes), notes


def _all_measured(path: Path, count: int, column: str) -> str:
    return f"{path}: all {count:,} texts are measured, whatever part column {column!r} says"


def _class_names(rows: Sequence[Row], source: str) -> tuple[str, ...]:
    return class_names([row.label for row in rows], source, lambda i: rows[i].place)


def _assembled(
    parts: Parts, classes: tuple[str, ...], notes: tuple[str, ...], validation_share: float, seed: int
) -> TextClasses:
    train = _numbered(parts["train"], classes)
    if "validation" in parts:
        validation = _numbered(parts["validation"], classes)
    else:
        stay, held = stratified(train.labels, validation_share, seed)
        train, validation = _chosen(train, stay), _chosen(train, held)
    return TextClasses(
        classes, train, validation, _numbered(parts.get("test", []), classes), notes, "validation" not in parts
    )


def _numbered(rows: Sequence[Row], classes: Sequence[str]) -> LabelledTexts:
    labels = numbered([row.label for row in rows], classes, lambda i: rows[i].place)
    return LabelledTexts(tuple(row.text for row in rows), labels)


def _chosen(part: LabelledTexts, indices: NDArray[np.int64]) -> LabelledTexts:
    return LabelledTexts(tuple(part.texts[i] for i in indices), part.labels[indices])
