"""Plain text and parallel text, as they were understood."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from elman.data.description.facts import Description, Fact, listed, size_of, spread
from elman.data.description.formats import file_facts
from elman.data.io.files import is_file, matching_files
from elman.data.text.corpora import names_a_corpus
from elman.data.text.parallel import MULTI30K, ParallelText

_COMMON = 40
"""Characters of an alphabet that are shown."""


def describe_corpus(data: Sequence[str], training: str, validation: str, *, whole: bool = False) -> Description:
    """A text to model.

    Arguments:
        data: the names that it was read from.
        training, validation: its two parts.
        whole: also look at how its first file is written, and at its lines.

    Raises:
        UserError: a file is gone.
    """
    text = training + validation
    facts: list[Fact] = []
    if not names_a_corpus(data):
        files = matching_files(data)
        size = sum(path.stat().st_size for path in files if is_file(path))
        facts.append(Fact("files", [str(path) for path in files], f"{len(files):,}, of {size_of(size)} in all"))
        facts += [fact for fact in file_facts(files[0]) if fact.name != "size"]
    alphabet = sorted(set(text))
    shown = "".join(character for character in alphabet if character.isprintable())[:_COMMON]
    facts.append(Fact("characters", len(text), f"{len(text):,}", f"{len(text):,} characters"))
    facts.append(
        Fact("different characters", len(alphabet), f"{len(alphabet):,}: {shown}", f"{len(alphabet):,} different")
    )
    notes = []
    if whole:
        lines = text.count("\n") + (not text.endswith("\n"))
        facts += [Fact("words", len(text.split()), f"{len(text.split()):,}"), Fact("lines", lines, f"{lines:,}")]
        if "\n" not in text:
            notes.append("the text is one line: a model of it will never end a line")
    facts.append(Fact("validation", len(validation), f"the last {len(validation):,} characters"))
    return Description(" ".join(data), "text to model", tuple(facts), notes=tuple(notes))


def describe_pairs(data: Sequence[str], read: ParallelText, *, whole: bool = False) -> Description:
    """Pairs of texts.

    Arguments:
        data: the names that they were read from.
        whole: also look at how the first file is written.
    """
    facts: list[Fact] = file_facts(Path(data[0]).expanduser()) if whole and data[0] not in MULTI30K else []
    sizes = {"train": len(read.train), "validation": len(read.validation), "test": len(read.test)}
    total = sum(sizes.values())
    facts.append(
        Fact(
            "pairs", sizes, listed([f"{name} {count:,}" for name, count in sizes.items() if count]), f"{total:,} pairs"
        )
    )
    known = [language or "?" for language in read.languages]
    named = f"from {known[0]} to {known[1]}" if any(read.languages) else "not named"
    facts.append(Fact("languages", list(read.languages), named, f"languages {named}"))
    for side, texts in (("source", read.train.source), ("target", read.train.target)):
        words = [len(text.split()) for text in texts]
        facts.append(Fact(f"words in a {side}", {"most": max(words)}, spread(words)))
    first = f"{read.train.source[0][:40]!r} and {read.train.target[0][:40]!r}"
    facts.append(Fact("first pair", [read.train.source[0], read.train.target[0]], first, f"such as {first}"))
    return Description(" ".join(data), "pairs of texts", tuple(facts), notes=read.notes)
