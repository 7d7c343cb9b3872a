"""Parallel text, for translation: sentences in two languages, line by line.

Multi30k by its name and a pair of languages, a .tsv or .csv file with the two sentences of a pair in its first two
columns, or two files with as many lines each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from elman.data.datasets.cache import fetch
from elman.data.datasets.download import Progress
from elman.data.datasets.registry import own_path
from elman.data.io.delimited import read_records
from elman.data.io.files import file_kind, is_folder, read_content
from elman.data.io.text import decode_utf8
from elman.data.packed import unpacked_name
from elman.errors import UserError

MULTI30K = {f"multi30k-{one}-{other}": (one, other) for one, other in permutations(("en", "de", "fr"), 2)}
"""The names of the public data, and their languages."""

_MULTI30K_FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z]{2,4})?", re.IGNORECASE)
_HEADERS = frozenset({"source", "src", "target", "tgt", "trg"})
_NO_LANGUAGES = _HEADERS | {"txt", "tok", "bpe", "tsv", "csv", "raw", "ref", "hyp", "out", "dat"}

_ISO_639_1 = frozenset(
    (
        "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de "
        "dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id "
        "ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu "
        "lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu "
        "rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr "
        "ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    ).split()
)

_NAMES = {
    "afrikaans": "af", "arabic": "ar", "basque": "eu", "bulgarian": "bg", "catalan": "ca", "chinese": "zh",
    "croatian": "hr", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "esperanto": "eo",
    "estonian": "et", "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi",
    "hungarian": "hu", "icelandic": "is", "indonesian": "id", "irish": "ga", "italian": "it", "japanese": "ja",
    "korean": "ko", "latin": "la", "latvian": "lv", "lithuanian": "lt", "norwegian": "no", "persian": "fa",
    "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "serbian": "sr", "slovak": "sk",
    "slovenian": "sl", "spanish": "es", "swahili": "sw", "swedish": "sv", "thai": "th", "turkish": "tr",
    "ukrainian": "uk", "urdu": "ur", "vietnamese": "vi", "welsh": "cy",
}  # fmt: skip
"""Codes of languages by their English names."""

Languages = tuple[str, str]
"""What the two sides are called; empty where nothing says so."""


@dataclass(frozen=True)
class Pairs:
    """N sentences and their translations."""

    source: tuple[str, ...]
    target: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.source)

    def chosen(self, numbers: Sequence[int]) -> Pairs:
        """The pairs with these numbers."""
        return Pairs(tuple(self.source[i] for i in numbers), tuple(self.target[i] for i in numbers))


@dataclass(frozen=True)
class ParallelText:
    """Pairs in three parts; `test` may be empty. The user should be told the `notes`."""

    train: Pairs
    validation: Pairs
    test: Pairs
    languages: Languages
    notes: tuple[str, ...] = ()


def read_parallel(
    data: Sequence[str], *, validation_share: float = 0.05, seed: int = 0, progress: Progress | None = None
) -> ParallelText:
    """The pairs of a public dataset, of a .tsv or .csv file, or of two parallel files.

    Arguments:
        data: one name or path, or two paths.
        validation_share: of the user's own pairs, held out.
        seed: of what is held out.
        progress: told of the bytes of a download.

    Raises:
        UserError: files that cannot be read, do not match line by line, or hold too little to learn from.
    """
    if len(data) == 1 and data[0] in MULTI30K:
        return _multi30k(data[0], progress)
    pairs, languages, notes = read_pairs(data)
    held = round(validation_share * len(pairs))
    if not 0 < held < len(pairs):
        what = f"a validation share of {validation_share:g} of {len(pairs)} pairs"
        raise UserError(f"{what} leaves one of the two parts empty; give more pairs or another `validation_share`")
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    train, validation = pairs.chosen(sorted(order[held:])), pairs.chosen(sorted(order[:held]))
    return ParallelText(train, validation, Pairs((), ()), languages, notes)


def read_pairs(data: Sequence[str], progress: Progress | None = None) -> tuple[Pairs, Languages, tuple[str, ...]]:
    """All pairs of a .tsv or .csv file or of two parallel files, or the test part of a public dataset.

    Returns:
        the pairs that have something on both sides, what the languages are called, and what the user should know.

    Raises:
        UserError: as `read_parallel`.
    """
    if len(data) == 1 and data[0] in MULTI30K:
        found = _multi30k(data[0], progress)
        return found.test, found.languages, found.notes
    if not 1 <= len(data) <= 2:
        raise UserError(
            f"`data` names {len(data)} things; give {', '.join(MULTI30K)}, one .tsv or .csv file, or two text files"
        )
    paths = [own_path(name, "parallel text", MULTI30K) for name in data]
    if len(paths) == 1:
        pairs, languages = _read_table(paths[0])
    else:
        pairs, languages = _read_two(paths[0], paths[1]), (_language(paths[0]), _language(paths[1]))
    kept, notes = _without_empty(pairs, " and ".join(map(str, paths)))
    return kept, languages, notes


def _multi30k(name: str, progress: Progress | None) -> ParallelText:
    languages = MULTI30K[name]
    folder = fetch("multi30k", progress=progress)
    parts = {}
    notes: tuple[str, ...] = ()
    for part, file in _MULTI30K_FILES.items():
        pairs = _read_two(*(folder / f"{file}.{language}.gz" for language in languages))
        parts[part], said = _without_empty(pairs, f"the {part} part of {name}")
        notes += said
    return ParallelText(**parts, languages=languages, notes=notes)


def _read_two(source: Path, target: Path) -> Pairs:
    one, other = _lines(source), _lines(target)
    if len(one) != len(other):
        raise UserError(
            f"{source} has {len(one):,} lines and {target} has {len(other):,}; line by line they must belong together:"
            " find the line that lacks its other half"
        )
    return Pairs(tuple(one), tuple(other))


def _read_table(path: Path) -> tuple[Pairs, Languages]:
    if is_folder(path) or file_kind(path) not in (".tsv", ".csv"):
        raise UserError(
            f"{path} is no .tsv or .csv file; give one (sentence and translation), or two text files, line by line"
        )
    rows = _comma_rows(path) if file_kind(path) == ".csv" else _tab_rows(path)
    languages = ("", "")
    if rows and names_languages(rows[0]):
        first = rows.pop(0)
        languages = (_code(first[0]), _code(first[1]))
    return Pairs(tuple(row[0] for row in rows), tuple(row[1] for row in rows)), languages


def _tab_rows(path: Path) -> list[Languages]:
    rows = []
    for line, content in enumerate(_lines(path), 1):
        cells = content.split("\t")
        if content.strip() and len(cells) < 2:
            raise UserError(f"{path} line {line} has no tab; a line is the sentence, a tab, and its translation")
        rows.append((cells[0].strip(), cells[1].strip() if len(cells) > 1 else ""))
    return rows


def _comma_rows(path: Path) -> list[Languages]:
    rows = []
    for line, cells in read_records(path):
        if len(cells) != 2:
            raise UserError(
                f"{path} line {line} has {len(cells)} columns; a row is the sentence and its translation, and a text"
                " with the separator in it must stand in quotes"
            )
        rows.append((" ".join(cells[0].split()), " ".join(cells[1].split())))
    return rows


def names_languages(cells: Sequence[str]) -> bool:
    """Whether the cells of a first line are names of languages, and no pair of texts.

    Each is "source" or another word for a side; a code of ISO 639-1 in small letters or capitals; or, where it begins
    with a capital letter and not all sides are one language, a language's English name.
    """
    named = all(_names_a_language(cell) for cell in cells)
    return named and (cells[0].lower() in _HEADERS or len({_code(cell) for cell in cells}) > 1)


def _names_a_language(cell: str) -> bool:
    small = cell.lower()
    return (
        small in _HEADERS
        or (cell in (small, cell.upper()) and re.split("[-_]", small)[0] in _ISO_639_1)
        or (cell != small and small in _NAMES)
    )


def _code(cell: str) -> str:
    """The code of a language that a header names; empty for "source" and the like."""
    small = cell.lower()
    return "" if small in _HEADERS else _NAMES.get(small, small)


def _lines(path: Path) -> list[str]:
    """The lines of a text file, packed or not, without the white space around them.

    They are parted by a newline and nothing else, so that a stray form feed on one side shifts no line of it.
    """
    raw = read_content(path)
    return [line.strip() for line in decode_utf8(raw, path).removesuffix("\n").split("\n")]


def _language(path: Path) -> str:
    """The language that a file's name ends in, as in train.en or train.en.gz."""
    ending = Path(unpacked_name(path.name)).suffix.removeprefix(".").lower()
    return ending if _LANGUAGE.fullmatch(ending) and ending not in _NO_LANGUAGES else ""


def differ(some: Languages, others: Languages) -> bool:
    """Whether a side of the one pair is known to be of another language than that side of the other; en-us is en."""
    sides = ([re.split("[-_]", language.lower())[0] for language in side] for side in zip(some, others, strict=True))
    return any(one and other and one != other for one, other in sides)


def _without_empty(pairs: Pairs, where: str) -> tuple[Pairs, tuple[str, ...]]:
    kept = [i for i in range(len(pairs)) if pairs.source[i] and pairs.target[i]]
    lost = len(pairs) - len(kept)
    if not kept:
        raise UserError(f"{where}: none of {len(pairs):,} lines has text on both sides; check the files")
    if not lost:
        return pairs, ()
    first = next(number for number, index in enumerate([*kept, -1]) if number != index) + 1
    note = f"{where}: {lost:,} of {len(pairs):,} lines have an empty side and are skipped; the first is line {first}"
    return pairs.chosen(kept), (note,)
