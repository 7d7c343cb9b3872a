"""Captions from files: a Flickr token file, a table, or the JSON of COCO or of Karpathy's splits."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.data.io.text import decode_utf8, read_bytes
from elman.errors import UserError

_PICTURE_COLUMNS = ("image", "picture", "file", "filename", "file_name", "image_name", "path")
_CAPTION_COLUMNS = ("caption", "text", "comment", "sentence", "description")
_PARTS = {"train": "train", "restval": "train", "val": "validation", "validation": "validation", "test": "test"}
_WORD = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*")

Line = tuple[str, str, str]
"""Picture, caption, part ("" where the file names none)."""


@dataclass(frozen=True)
class Captions:
    """The captions of each picture, as words and spaces; and the part of those pictures for which the file says it."""

    texts: Mapping[str, tuple[str, ...]]
    parts: Mapping[str, str]
    empty: int = 0


def plain_words(text: str) -> str:
    """A caption as it is learned and compared: small letters, words and figures, one space between, no punctuation."""
    return " ".join(_WORD.findall(text.lower()))


def read_captions(path: Path) -> Captions:
    """Captions of a file, told by its ending and its first line.

    Raises:
        UserError: no file, no captions in it, or a line that is none (it says which).
    """
    text = decode_utf8(read_bytes(path), path)
    if path.suffix == ".json":
        lines = _json(text, path)
    elif re.match(r"[^\t\n]+#\d+\t", text):
        lines = _tokens(text, path)
    else:
        lines = _table(text, path)
    texts: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    empty = 0
    for name, caption, part in lines:
        words = plain_words(caption)
        empty += not words
        if words:
            texts.setdefault(name, []).append(words)
            parts |= {name: _PARTS[part]} if part in _PARTS else {}
    if not texts:
        raise UserError(f"{path} has no captions; a line is a picture's name and what is to be seen on it")
    return Captions({name: tuple(lines) for name, lines in texts.items()}, parts, empty)


def _tokens(text: str, path: Path) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            head, tab, caption = line.partition("\t")
            if not tab:
                raise UserError(f"{path} line {number} has no tab between the picture's name and the caption; mend it")
            yield re.sub(r"#\d+$", "", head), caption, ""


def _table(text: str, path: Path) -> Iterator[Line]:
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=max(",;|\t", key=first.count), skipinitialspace=True
    )
    header = [name or "" for name in reader.fieldnames or ()]
    picture, caption = (_column(header, names, path) for names in (_PICTURE_COLUMNS, _CAPTION_COLUMNS))
    part = next((name for name in header if name.lower() in ("split", "part")), "")
    for record in reader:
        if record[picture] is None or record[caption] is None:
            raise UserError(f"{path} line {reader.line_num} has fewer columns than the first line; mend it")
        yield record[picture].strip(), record[caption], (record[part] or "").strip().lower() if part else ""


def _column(header: list[str], names: tuple[str, ...], path: Path) -> str:
    found = next((column for name in names for column in header if column.lower() == name), None)
    if found is None:
        raise UserError(f"{path} has no column {names[0]}; its first line names {', '.join(map(repr, header[:10]))}")
    return found


def _json(text: str, path: Path) -> Iterator[Line]:
    try:
        content: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path} line {error.lineno} is not JSON ({error.msg}); mend it") from error
    try:
        if "annotations" in content:  # COCO
            names = {picture["id"]: picture["file_name"] for picture in content["images"]}
            yield from ((names[one["image_id"]], one["caption"], "") for one in content["annotations"])
        else:  # Karpathy and Fei-Fei 2015
            for picture in content["images"]:
                name, part = picture["filename"], picture.get("split", "")
                yield from ((name, sentence["raw"], part) for sentence in picture["sentences"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is JSON but neither COCO's captions nor Karpathy's ({error} is missing); see docs/captioning.md"
        ) from error


def counts(captions: Captions, pictures: Mapping[str, int]) -> list[str]:
    """What a person should know: captions without a picture, pictures without captions, empty captions."""
    lost = Counter(name in pictures for name in captions.texts)[False]
    bare = sum(name not in captions.texts for name in pictures)
    notes = []
    if lost:
        notes.append(f"{lost:,} of {len(captions.texts):,} pictures with captions have no features and are left out")
    if bare:
        notes.append(f"{bare:,} of {len(pictures):,} pictures have no caption and are left out")
    if captions.empty:
        notes.append(f"{captions.empty:,} captions are empty and are left out")
    return notes
