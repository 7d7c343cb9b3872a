"""The public sets of labelled sentences and reviews: SST-2, SST-5, TREC, IMDB, Yelp."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from pathlib import Path

import numpy as np

from elman.data.io.files import read_bytes
from elman.data.io.rows import Parts, Row
from elman.data.io.text import decode_utf8
from elman.errors import UserError

SENTIMENT = ("negative", "positive")
SENTIMENT_IN_FIVE = ("very negative", "negative", "neutral", "positive", "very positive")
QUESTIONS = ("description", "entity", "abbreviation", "human", "location", "number")
_REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos)/(\d+)_\d+\.txt")
_LINE_BREAKS = re.compile(r"(?:\s*<br\s*/?>\s*)+")
_HELD_OUT = 0.1


def read_sst2(folder: Path) -> Parts:
    """Stanford Sentiment Treebank in two classes: 6,920 / 872 / 1,821 sentences."""
    files = {"train": "stsa.binary.train", "validation": "stsa.binary.dev", "test": "stsa.binary.test"}
    return {part: _labelled_lines(folder / file, SENTIMENT) for part, file in files.items()}


def read_sst5(folder: Path) -> Parts:
    """Stanford Sentiment Treebank in five classes: 8,544 / 1,101 / 2,210 sentences."""
    files = {"train": "stsa.fine.train", "validation": "stsa.fine.dev", "test": "stsa.fine.test"}
    return {part: _labelled_lines(folder / file, SENTIMENT_IN_FIVE) for part, file in files.items()}


def read_trec(folder: Path) -> Parts:
    """TREC questions in six classes: 5,452 for training, 500 for the test."""
    files = {"train": "TREC.train.all", "test": "TREC.test.all"}
    return {part: _labelled_lines(folder / file, QUESTIONS, latin_1=True) for part, file in files.items()}


def read_yelp(folder: Path) -> Parts:
    """Restaurant-review sentences, each distinct one once; a tenth of them, always the same, is the test.

    The two that were found under both labels are left out.
    """
    labels: dict[str, set[int]] = {}
    places: dict[str, tuple[Path, int]] = {}
    for number in range(len(SENTIMENT)):
        path = folder / f"sentiment.dev.{number}"
        for line, text in enumerate(_lines(path), 1):
            labels.setdefault(text, set()).add(number)
            places.setdefault(text, (path, line))
    rows = [Row(text, SENTIMENT[min(found)], *places[text]) for text, found in labels.items() if len(found) == 1]
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    cut = round(_HELD_OUT * len(rows))
    return {"train": [rows[i] for i in sorted(order[cut:])], "test": [rows[i] for i in sorted(order[:cut])]}


def read_imdb(folder: Path) -> Parts:
    """Film reviews in two classes, 25,000 / 25,000, straight out of the archive; line breaks become spaces.

    The order is by part, label and number, whatever the archive's own.

    Raises:
        UserError: the archive is damaged, or has no reviews in it.
    """
    archives = [folder / "aclImdb_v1.tar.gz", folder / "aclImdb_labelled.tar.gz"]
    path = next((archive for archive in archives if archive.is_file()), archives[0])
    found: list[tuple[str, str, int, Row]] = []
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if name := _REVIEW.fullmatch(member.name):
                    part, label, number = name.groups()
                    content = archive.extractfile(member)
                    text = decode_utf8(content.read() if content else b"", path / member.name)
                    row = Row(_LINE_BREAKS.sub(" ", text), SENTIMENT[label == "pos"], path / member.name)
                    found.append((part, label, int(number), row))
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}; check the path") from error
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is a damaged archive ({error}); delete it and it will be downloaded again") from error
    if not found:
        raise UserError(f"{path} has no reviews in it; delete it and it will be downloaded again")
    parts: Parts = {"train": [], "test": []}
    for part, _, _, row in sorted(found, key=lambda review: review[:3]):
        parts[part].append(row)
    return parts


def _labelled_lines(path: Path, classes: tuple[str, ...], latin_1: bool = False) -> list[Row]:
    """Lines of the form "label text", the label being the number of a class."""
    rows = []
    for line, content in enumerate(_lines(path, latin_1), 1):
        number, _, text = content.partition(" ")
        if not number.isdecimal() or int(number) >= len(classes):
            raise UserError(f"{path} line {line} begins with {number[:20]!r}, which is no class; fetch it again")
        rows.append(Row(text, classes[int(number)], path, line))
    return rows


def _lines(path: Path, latin_1: bool = False) -> list[str]:
    """The lines as the corpora count them: parted by a newline and nothing else."""
    raw = read_bytes(path)
    text = raw.decode("iso-8859-1") if latin_1 else decode_utf8(raw, path)
    return text.removesuffix("\n").split("\n")
