"""Records that Arrow reads in blocks are those of the reader that goes record by record, with the same lines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from elman.data.io.delimited import Record, read_records
from elman.data.io.large import plain_text
from elman.data.io.large.plain_text import NotPlainError, plain_records
from elman.errors import UserError

CELLS = (
    *("a", "", "two words", "é猫", '"quoted"', '"a,b"', '"a;b"', '"say ""it"""', '""""', '"x\ny"', '"\n"', '"\n\n"'),
    *('","', '",\n"', "5", '"a\n,""\n"', " spaces ", '"  in  "'),
)
ODD = ('a"b', '"a"b', 'a""b', '""a', '"a" ', ' "a"', '"open', "x\ry", '"x\ry"', '"', '"a"",', "\0", "x" * 3000)


def both(path: Path) -> tuple[list[Record] | None, list[Record] | None]:
    """What either reader gives after the first line; None where it gives up."""
    found: list[list[Record] | None] = []
    for read in (read_records, plain_records):
        try:
            records = list(read(path))
            found.append(records[1:] if read is read_records else records)
        except (UserError, NotPlainError):
            found.append(None)
    return found[0], found[1]


def write(path: Path, rows: Sequence[Sequence[str]], delimiter: str, end: str, last: str) -> Path:
    path.write_bytes((end.join(delimiter.join(row) for row in rows) + last).encode())
    return path


@pytest.mark.parametrize("block", [200, 333, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_lines_and_fields_of_quoted_texts(
    block: int, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK", block)
    rows = [["text", "label"], *[[CELLS[(3 * n) % len(CELLS)], "x"] for n in range(300)]]
    path = write(tmp_path / "t.csv", rows, ",", end, end)
    slow, fast = both(path)
    assert fast is not None
    assert fast == slow
    assert len(fast) == 300


@pytest.mark.parametrize("seed", range(300))
def test_random_files(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    r = random.Random(seed)
    monkeypatch.setattr(plain_text, "BLOCK", r.choice([150, 400, 1 << 20]))
    width, delimiter, kind = r.choice(
        [(2, ",", "csv"), (3, ",", "csv"), (2, ";", "csv"), (3, "\t", "tsv"), (2, "\t", "csv")]
    )
    share = r.choice([0, 0, 0.02])
    cells = [cell for cell in CELLS if kind == "csv" or '"' not in cell]
    rows = [["text", "label", "more"][:width]]
    rows += [
        [r.choice(ODD) if r.random() < share else r.choice(cells) for _ in range(width)] for _ in range(r.randrange(60))
    ]
    rows = [row if any(cell.strip('" \n') for cell in row) else ["a"] * width for row in rows]
    if r.random() < 0.3:
        rows.insert(r.randrange(1, len(rows) + 1), [""])
    end = r.choice(["\n", "\n", "\r\n"])
    slow, fast = both(write(tmp_path / f"t.{kind}", rows, delimiter, end, r.choice(["", end, end + end])))
    if fast is not None:
        assert fast == slow
    if share == 0 and kind == "csv" and plain_text.BLOCK > 10_000 and len(rows) > 1:
        assert fast is not None
