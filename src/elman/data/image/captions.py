"""Captions from files: a Flickr token file, a table, or the JSON of COCO or of Karpathy's splits."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.data.io.delimited import Delimited, read_delimited
from elman.data.io.files import read_bytes
from elman.data.io.folders import part_named
from elman.data.io.text import decode_utf8
from elman.errors import UserError

_PICTURE_COLUMNS = ("image", "picture", "file", "filename", "file_name", "image_name", "path")
_CAPTION_COLUMNS = ("caption", "text", "comment", "sentence", "description")
_RESTVAL = "restval"  # Karpathy's name for validation pictures that are trained on
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
        lines = _table(path)
    texts: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    empty = 0
    for name, caption, part in lines:
        words = plain_words(caption)
        empty += not words
        if words:
            texts.setdefault(name, []).append(words)
            parts |= {name: part} if part else {}
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


def _table(path: Path) -> Iterator[Line]:
    table = read_delimited(path)
    picture, caption = (_column(table, names) for names in (_PICTURE_COLUMNS, _CAPTION_COLUMNS))
    part = table.find(("split", "part"))
    parts = table.column(part) if part else [""] * len(table.records)
    rows = zip(table.records, table.column(picture), table.column(caption), parts, strict=True)
    for (line, _), name, text, said in rows:
        yield name, text, _part(said, f"{path} line {line}")


def _column(table: Delimited, names: tuple[str, ...]) -> str:
    found = table.find(names)
    if found is None:
        header = ", ".join(map(repr, table.header[:10]))
        raise UserError(f"{table.path} has no column {names[0]}; its first line names {header}")
    return found


def _part(said: str, place: str) -> str:
    return part_named(said, place) if said.strip().lower() != _RESTVAL else "train"


def _json(text: str, path: Path) -> Iterator[Line]:
    try:
        content: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path} line {error.lineno} is not JSON ({error.msg}); mend it") from error
    except (RecursionError, ValueError) as error:  # nested without end; a number of thousands of digits
        raise UserError(f"{path} is not JSON that can be read ({str(error)[:80]}); mend it") from error
    try:
        if "annotations" in content:  # COCO
            names = {picture["id"]: picture["file_name"] for picture in content["images"]}
            yield from ((names[one["image_id"]], one["caption"], "") for one in content["annotations"])
        else:  # Karpathy and Fei-Fei 2015
            for picture in content["images"]:
                name, part = picture["filename"], _part(str(picture.get("split", "")), str(path))
                yield from ((name, sentence["raw"], part) for sentence in picture["sentences"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is JSON but neither COCO's captions nor Karpathy's ({error} is missing); see docs/captioning.md"
        ) from error


def counts(captions: Captions, pictures: Mapping[str, int]) -> list[str]:
    """What the user should know: captions without a picture, pictures without captions, empty captions."""
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
