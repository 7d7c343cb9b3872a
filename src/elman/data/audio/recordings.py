"""Recordings and what is said in them: the spoken digits of FSDD, or a person's folder with a table of transcripts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

import numpy as np

from elman.data.audio.io import SUFFIXES, sound_seconds
from elman.data.datasets.cache import fetch
from elman.data.datasets.registry import own_path
from elman.data.io.columns import known_column
from elman.data.io.delimited import Delimited, read_delimited
from elman.data.io.files import composed, is_file, is_folder, list_folder, without_stray
from elman.data.io.folders import class_files, part_named, part_paths
from elman.data.packed import PACKED
from elman.errors import UserError

log = logging.getLogger("elman")
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
FSDD = "fsdd"
_FSDD_TEST, _FSDD_VALIDATION = range(5), range(5, 10)
_FILE_NAMES, _TEXT_NAMES = ("file", "path", "filename", "wav", "audio"), ("transcript", "text", "sentence", "label")

_LONGEST_NAME = 255
"""Bytes of a name on the file systems in use."""


@dataclass(frozen=True)
class Recording:
    """One file, what is said in it, by whom, and which part it belongs to."""

    path: Path
    transcript: str
    speaker: str
    part: Part


def read_recordings(
    data: str | Path, *, speaker: str, validation_share: float, without: str = "", seed: int = 0
) -> list[Recording]:
    """The recordings of FSDD by name, or of a person's folder.

    Arguments:
        speaker: whose recordings are all of the test part; "" for the data's own parts.
        without: whose recordings are of no part at all, or "".
        validation_share: held out of a folder that names no validation part.

    Raises:
        UserError: what is there cannot be read, or files and transcripts do not fit each other.
    """
    if str(data) == FSDD:
        return _others(list(_fsdd(fetch(FSDD) / "recordings", speaker)), without)
    recordings = read_folder(own_path(data, "recordings", [FSDD]))
    if speaker:
        _check_speaker(speaker, {recording.speaker for recording in recordings})
    recordings = _others(recordings, without)
    if speaker:
        recordings = [replace(one, part="test" if one.speaker == speaker else "train") for one in recordings]
    return _with_validation(recordings, validation_share, seed)


def _fsdd(folder: Path, speaker: str) -> Iterator[Recording]:
    """DIGIT_SPEAKER_INDEX.wav: 0 to 4 are the official test; 5 to 9 choose the weights, but for a held-out speaker."""
    named = [(path, path.stem.split("_")) for path in without_stray(folder.glob("*.wav"))]
    if speaker:
        _check_speaker(speaker, {words[1] for _, words in named})
    for path, (digit, who, index) in named:
        part: Part = "train"
        if speaker:
            part = "test" if who == speaker else "validation" if int(index) in _FSDD_TEST else "train"
        elif int(index) in _FSDD_TEST:
            part = "test"
        elif int(index) in _FSDD_VALIDATION:
            part = "validation"
        yield Recording(path, digit, who, part)


def _others(recordings: list[Recording], without: str) -> list[Recording]:
    """The recordings but for those of one speaker."""
    if not without:
        return recordings
    _check_speaker(without, {one.speaker for one in recordings})
    return [one for one in recordings if one.speaker != without]


def _check_speaker(speaker: str, speakers: set[str]) -> None:
    if speaker not in speakers:
        known = ", ".join(sorted(filter(None, speakers))) or "none: the table has no column speaker"
        raise UserError(f"there is no speaker {speaker!r}; known are {known}")


def read_folder(folder: Path) -> list[Recording]:
    """The recordings of a folder, by its one .csv or .tsv file of transcripts, or by folders named as what is said.

    The table has a column of files and one of transcripts; columns `speaker` and `part` (train, validation, test)
    count where they are there. Without a table, each folder holds the recordings of one word, and the folders may lie
    in folders of parts.

    Raises:
        UserError: there is not one table; a file without a transcript, or a transcript without its file.
    """
    if not is_folder(folder):
        raise UserError(f"{folder} is no folder; give one that holds sound files and a .csv file of transcripts")
    tables = list_folder(folder, [suffix + end for suffix in (".csv", ".tsv") for end in ("", *PACKED)])
    if not tables and any(map(is_folder, list_folder(folder))) and not list_folder(folder, SUFFIXES):
        return list(_class_folders(folder))
    if len(tables) != 1:
        found = ", ".join(path.name for path in tables) or "none"
        raise UserError(
            f"{folder} must hold one .csv or .tsv file of transcripts, or a folder for each word, and holds {found}"
        )
    recordings = list(_table_rows(folder, _table(tables[0])))
    known = {recording.path.resolve() for recording in recordings}
    for path in without_stray(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        if path.resolve() not in known:
            raise UserError(f"{path} has no transcript in {tables[0]}; add a row for it, or take the file out")
    return recordings


def _class_folders(folder: Path) -> Iterator[Recording]:
    parts = part_paths(folder, ()) or {"train": folder}
    for part, inner in parts.items():
        for word, path in class_files(inner, *SUFFIXES):
            yield Recording(path, word, "", cast(Part, part))


def _table(path: Path) -> Delimited:
    table = read_delimited(path, fill=True, spill=_TEXT_NAMES)
    if table.header[:1] and table.header[0].lower().endswith(SUFFIXES) and len(table.header) > 1:
        log.info("%s has no line of names; its first line is taken for a file and its transcript", path)
        table = read_delimited(path, spill=_TEXT_NAMES, names=(_FILE_NAMES[0], _TEXT_NAMES[0]))
    if not table.records:
        raise UserError(f"{path} has no rows under its line of names; give a file with some")
    return table


def _table_rows(folder: Path, table: Delimited) -> Iterator[Recording]:
    file_column, text_column = _column(table, _FILE_NAMES, "file"), _column(table, _TEXT_NAMES, "transcript")
    speaker_column, part_column = table.find(("speaker", "speaker_id")), table.find(("part", "split"))
    used = (file_column, text_column, speaker_column, part_column)
    if unused := [name for name in table.header if name not in used]:
        log.info("%s: these columns are not used: %s", table.path, ", ".join(unused))
    columns = (table.column(name) if name else [""] * len(table.records) for name in used)
    files = _FilesByName(folder)
    for (line, _), file, text, speaker, said in zip(table.records, *columns, strict=True):
        place = f"{table.path} line {line}"
        path = files.find(file)
        if path is None:
            raise UserError(
                f"{place}: there is no file {str(folder / file)[:300]}; take the row out, or put the file there"
            )
        if not text.strip():
            raise UserError(f"{place}: {file} has an empty transcript; write it, or take the row and the file out")
        part = cast(Part, part_named(said, place) or "train")
        yield Recording(path, " ".join(text.split()), speaker, part)


class _FilesByName:
    """The files below a folder, found by names whose accents may be written in another form than on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _composed(self) -> dict[str, Path]:
        return {composed(str(path.relative_to(self.folder))): path for path in self.folder.rglob("*")}

    def find(self, name: str) -> Path | None:
        """The regular file of that name, None where there is none."""
        path = self.folder / name
        if "\0" in name or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
            return None
        if not is_file(path) and not name.isascii():
            path = self._composed.get(composed(name), path)
        return path if is_file(path) else None


def _column(table: Delimited, names: Sequence[str], what: str) -> str:
    found = table.find(tuple(names))
    return found if found is not None else known_column(what, table.header, table.path)


def _with_validation(recordings: list[Recording], share: float, seed: int) -> list[Recording]:
    """The recordings with some of the training part held out, where there is no validation part."""
    if any(one.part == "validation" for one in recordings):
        return recordings
    train = [number for number, one in enumerate(recordings) if one.part == "train"]
    count = max(1, round(share * len(train)))
    if len(train) <= count:
        raise UserError(f"{len(train)} recordings to train on are too few to hold {count} of them out; give more")
    held = set(np.random.default_rng(seed).permutation(train)[:count].tolist())
    return [replace(one, part="validation") if number in held else one for number, one in enumerate(recordings)]


def without_long(recordings: Sequence[Recording], seconds: float) -> tuple[list[Recording], str]:
    """The recordings that are not longer than `seconds`, and a line that says how many are ("" for none).

    Raises:
        UserError: one cannot be read, or none is left to train on.
    """
    long = [one for one in recordings if sound_seconds(one.path) > seconds]
    if not long:
        return list(recordings), ""
    gone = set(long)
    kept = [one for one in recordings if one not in gone]
    if not any(one.part == "train" for one in kept):
        raise UserError(f"every recording is longer than `max_seconds={seconds:g}`; raise it, or cut them")
    return kept, (
        f"{len(long)} of {len(recordings)} recordings are longer than `max_seconds={seconds:g}` and are skipped;"
        f" the first is {long[0].path}"
    )
