"""The `.ts` files of sktime and the UCR and UEA archives: a header of @ lines, then one sequence a line.

A line has its channels parted by colons, its values by commas, the class after the last colon.
A missing value is a question mark. https://www.sktime.net/en/stable/api_reference/file_specifications/ts.html
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data.io.files import read_content
from elman.data.io.records import Record
from elman.data.io.text import decode_utf8, is_number, parse_number
from elman.errors import UserError

Header = dict[str, list[str]]


def read_ts(path: Path) -> list[Record]:
    """The labelled sequences of a file.

    Raises:
        UserError: it is missing, or no `.ts` file, or has no class labels; a damaged line is named.
    """
    lines = decode_utf8(read_content(path), path).split("\n")
    header, first = _header(path, lines)
    records = [
        _record(path, number, line.strip(), header)
        for number, line in enumerate(lines[first:], first + 1)
        if line.strip() and not line.startswith("#")
    ]
    if not records:
        raise UserError(f"{path} has no sequences after @data; is it cut off?")
    return records


def _header(path: Path, lines: list[str]) -> tuple[Header, int]:
    """The words after each @ name, in small letters, and the number of lines up to @data and with it."""
    header: Header = {}
    for number, line in enumerate(lines, 1):
        name, *words = line.split() or [""]
        if name.lower() == "@data":
            break
        if name.startswith("@"):
            header[name[1:].lower()] = words
        elif name and not name.startswith("#"):
            raise UserError(f"{path} line {number} stands before @data but is no @ line; is it a .ts file?")
    else:
        raise UserError(f"{path} has no @data line; is it a .ts file, and whole?")
    if _says(header, "timestamps"):
        raise UserError(f"{path} has time stamps, which are not read; write its values at equal steps")
    if "classlabel" in header and not _says(header, "classlabel"):
        raise UserError(f"{path} says @classLabel false; give a file with a class for every sequence")
    return header, number


def _says(header: Header, name: str) -> bool:
    return header.get(name, ["false"])[:1] in (["true"], ["True"], ["TRUE"])


def _record(path: Path, number: int, line: str, header: Header) -> Record:
    *parts, label = line.split(":")
    label = label.strip()
    if not parts or not label:
        raise UserError(f"{path} line {number} has no class after a colon; is the line cut off?")
    declared = header.get("classlabel", [])[1:]
    if declared and label not in declared:
        raise UserError(f"{path} line {number} ends in class {label[:40]!r}, which @classLabel has not; is it cut off?")
    channels = [_channel(path, number, index, part) for index, part in enumerate(parts, 1)]
    lengths = {len(channel) for channel in channels}
    if len(lengths) > 1:
        shown = " and ".join(map(str, sorted(lengths)))
        raise UserError(f"{path} line {number} has channels of {shown} steps; all channels must have the same")
    length = header.get("serieslength", [])
    if _says(header, "equallength") and length and {str(steps) for steps in lengths} != {length[0].lstrip("0")}:
        said = length[0][:40]
        raise UserError(f"{path} line {number} has {lengths.pop()} steps where @seriesLength says {said}")
    return Record(np.stack(channels, axis=1), label, path, number)


def _channel(path: Path, number: int, index: int, part: str) -> NDArray[np.float32]:
    words = part.split(",")
    try:
        numbers = [float("nan") if word.strip() == "?" else parse_number(word) for word in words]
    except ValueError:
        wrong = next(word for word in words if word.strip() != "?" and not is_number(word))
        raise UserError(f"{path} line {number}, channel {index}: {wrong[:40]!r} is no number; mend the line") from None
    with np.errstate(over="ignore"):  # infinite then, and refused as such
        return np.array(numbers).astype(np.float32)
