"""Classes and their balance, parts, and texts with labels, as they were understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from elman.data.description.facts import Description, Fact, listed, spread
from elman.data.description.formats import HEAD, table_facts
from elman.data.io.columns import Columns
from elman.data.io.delimited import read_delimited
from elman.data.io.files import exists, file_kind, is_folder, reading_samples
from elman.data.io.labelled import chosen_columns
from elman.data.text.classification import NAMES
from elman.data.text.labelled.texts import LOOKED_AT, LabelledTexts, TextClasses

UNBALANCED = 3.0
"""How many times more examples the commonest class has than the rarest, from which on it is worth a note."""


def class_facts(
    classes: Sequence[str], labels: Mapping[str, Sequence[int]], what: str, *, held_out: bool
) -> list[Fact]:
    """How many examples each part has, and each class of all parts.

    Arguments:
        labels: the numbers of the classes, by part.
        what: examples are: "texts".
        held_out: whether the validation part is taken from the training part.
    """
    numbers = np.concatenate([np.asarray(part, np.int64) for part in labels.values()])
    counts = np.bincount(numbers, minlength=len(classes))
    by_class = dict(zip(classes, counts.tolist(), strict=True))
    total = sum(by_class.values())
    sizes = {part: len(numbers) for part, numbers in labels.items() if len(numbers)}
    if held_out:
        sizes["train"] += sizes.pop("validation")
    commonest = sorted(by_class.items(), key=lambda one: -one[1])
    shown = listed([f"{name} {count:,}" for name, count in commonest])
    parts = ", ".join(f"{part} {count:,}" for part, count in sizes.items())
    return [
        Fact(what, sizes, f"{total:,}" + (f": {parts}" if len(sizes) > 1 else ""), f"{total:,} {what}"),
        Fact("classes", by_class, f"{len(classes)}: {shown}", f"{len(classes)} classes ({shown})"),
    ]


def balance_notes(classes: Sequence[str], labels: Mapping[str, Sequence[int]]) -> list[str]:
    """What a figure of accuracy must be compared with where classes are of very different sizes."""
    counts = Counter(number for part in labels.values() for number in part)
    (most, many), few = counts.most_common(1)[0], min(counts.values())
    if many < UNBALANCED * few:
        return []
    share = many / sum(counts.values())
    return [f"the classes are not balanced: always answering {classes[most]!r} is right in {share:.1%}"]


def describe_texts(data: TextClasses, source: str, columns: Columns, *, whole: bool = False) -> Description:
    """Texts with labels.

    Arguments:
        source: the file, folder or name that they were read from.
        columns: those that were asked for.
        whole: also look at the columns of a table, and for texts that come twice.

    Raises:
        UserError: the table's columns cannot be told.
    """
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    labels = {name: part.labels.tolist() for name, part in parts.items()}
    path = Path(source).expanduser()
    facts: list[Fact] = []
    found: tuple[str, str] | None = None
    if source not in NAMES and exists(path) and not is_folder(path) and file_kind(path) != ".jsonl":
        facts += table_facts(path)
        with reading_samples(HEAD, 1):
            table, *found_columns = chosen_columns(read_delimited(path), columns)
        found = found_columns[0], found_columns[1]
        named = "" if table.line else ", and no line of names"
        said = f"text {found[0]!r}, label {found[1]!r}{named}"
        facts.append(Fact("read columns", {"text": found[0], "label": found[1]}, said, said))
    facts += class_facts(data.classes, labels, "texts", held_out=data.held_out)
    words = [len(text.split()) for part in parts.values() if len(part) for text in part.some(LOOKED_AT)]
    seen = "" if len(words) == sum(map(len, parts.values())) else f" (of {len(words):,} texts, evenly spread)"
    middle = sorted(words)[len(words) // 2]
    facts.append(
        Fact(
            "words in a text",
            {"median": middle, "most": max(words)},
            spread(words) + seen,
            f"{middle:,} words in a usual text",
        )
    )
    notes = list(data.notes)
    if whole:
        notes += balance_notes(data.classes, labels) + _repeated(parts)
    return Description(source, "texts with labels", tuple(facts), notes=tuple(notes))


def _repeated(parts: Mapping[str, LabelledTexts]) -> list[str]:
    """Texts that come several times, with different labels, or in training and test."""
    seen: dict[str, set[tuple[str, int]]] = {}
    count = 0
    for name, part in parts.items():
        for text, label in zip(part.texts, part.labels.tolist(), strict=True):
            count += text in seen
            seen.setdefault(text, set()).add((name, label))
    notes = []
    if count:
        notes.append(f"{count:,} texts repeat another")
    if torn := [text for text, found in seen.items() if len({label for _, label in found}) > 1]:
        notes.append(f"{len(torn):,} texts come with different labels, such as {torn[0][:40]!r}")
    leaked = [text for text, found in seen.items() if {"train", "test"} <= {name for name, _ in found}]
    if leaked:
        notes.append(f"{len(leaked):,} texts of the test part are in the training part too")
    return notes
