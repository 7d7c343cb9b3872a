"""Captions from files: a Flickr token file, a table, or the JSON of COCO or of Karpathy's splits."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from elman.data.io.delimited import Delimited, read_delimited
from elman.data.io.files import composed, file_kind, read_content
from elman.data.io.folders import part_named
from elman.data.io.json_files import read_json
from elman.data.io.text import decode_utf8
from elman.errors import UserError

log = logging.getLogger("elman")
_PICTURE_COLUMNS = ("image", "picture", "file", "filename", "file_name", "image_name", "path")
_CAPTION_COLUMNS = ("caption", "text", "comment", "sentence", "description")
_RESTVAL = "restval"  # Karpathy's name for validation pictures that are trained on
_NAMELESS = re.compile(r'\s*"?[^\n,;|\t"]+\.(?:jpe?g|png|webp|bmp|gif|tiff?)"?\s*([,;|\t])', re.IGNORECASE)
"""The beginning of a table without names: a picture, and what parts it from its caption."""
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
    if file_kind(path) == ".json":
        return _collected(_json(path), path)
    text = decode_utf8(read_content(path), path)
    tokens = re.match(r"[^\t\n]+#\d+\t", text)
    return _collected(_tokens(text, path) if tokens else _table(path, _NAMELESS.match(text)), path)


def _collected(lines: Iterable[Line], path: Path) -> Captions:
    texts: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    empty = 0
    for written, caption, part in lines:
        name = composed(written)
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


def _table(path: Path, nameless: re.Match[str] | None) -> Iterator[Line]:
    if nameless:
        log.info("%s has no line of names; its first line is taken for a picture and its caption", path)
        columns = (_PICTURE_COLUMNS[0], _CAPTION_COLUMNS[0])
        table = read_delimited(path, names=columns, delimiter=nameless[1], spill=_CAPTION_COLUMNS)
    else:
        table = read_delimited(path, spill=_CAPTION_COLUMNS)
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
        raise UserError(
            f"{table.path} has no column {names[0]}; its first line names {header} (a file without a line of names"
            " begins with a picture's file, such as a.jpg)"
        )
    return found


def _part(said: str, place: str) -> str:
    return part_named(said, place) if said.strip().lower() != _RESTVAL else "train"


@dataclass
class _Sentence:
    raw: str


@dataclass
class _Picture:
    """A picture of either form."""

    id: int | str = ""  # COCO
    file_name: str = ""
    filename: str = ""  # Karpathy and Fei-Fei 2015
    split: str = ""
    sentences: list[_Sentence] = field(default_factory=list)


@dataclass
class _Annotation:
    image_id: int | str
    caption: str


@dataclass
class _Captioned:
    images: list[_Picture]
    annotations: list[_Annotation] | None = None


def _json(path: Path) -> Iterator[Line]:
    content = read_json(path, _Captioned, "captions of COCO's form or of Karpathy's")
    if content.annotations is None:
        for picture in content.images:
            if not picture.filename:
                raise UserError(f"{path} has a picture without `filename`; see docs/captioning.md")
            part = _part(picture.split, str(path))
            yield from ((picture.filename, sentence.raw, part) for sentence in picture.sentences)
        return
    names = {picture.id: picture.file_name for picture in content.images}
    for number, one in enumerate(content.annotations, 1):
        if not names.get(one.image_id):
            raise UserError(f"{path}: annotation {number} is of picture {str(one.image_id)[:40]!r}, which is not there")
        yield names[one.image_id], one.caption, ""


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
