"""A large table, read by blocks into a cache, is the table that reading all its cells at once gives."""

from __future__ import annotations

import gzip
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from elman.data import entries
from elman.data.io.files import reading_samples
from elman.data.io.large import plain_text, stored_tables
from elman.data.io.tables import read_table
from elman.data.timeseries.dates import parse_times
from elman.data.timeseries.roles import roles_of
from elman.errors import UserError

HOURS = [f"2020-01-{1 + hour // 24:02} {hour % 24:02}:00" for hour in range(200)]


def table(*columns: list[str], names: str = "t,a,b,c", delimiter: str = ",") -> str:
    rows = zip(*columns, strict=True)
    first = names.split(",")[: len(columns)]
    return "\n".join(delimiter.join(row) for row in [first, *rows]) + "\n"


def decimals(count: int = 200, form: str = "{:.2f}") -> list[str]:
    return [form.format(number / 7 - 9) for number in range(count)]


WHOLE = [str(number - 50) for number in range(200)]
THREE_DECIMALS = [f"{n + 1}.125" for n in range(200)]
STORED = {
    "numbers": table(HOURS, decimals(), WHOLE),
    "T between": table([hour.replace(" ", "T") + ":00" for hour in HOURS], decimals()),
    "days among hours": table([hour.removesuffix(" 00:00") for hour in HOURS], decimals(), WHOLE),
    "days": table([f"{1900 + n}-02-03" for n in range(200)], decimals()),
    "times that are numbers": table(WHOLE, decimals()),
    "missing": table(HOURS, [*decimals(100), "", "NA", "nan", "?", *decimals(96)], [*WHOLE[:199], ""]),
    "an empty column": table(HOURS, decimals(), [""] * 200),
    "empty first, then texts": table(HOURS, decimals(), [""] * 100 + ["x"] * 100),
    "empty first, then times": table(HOURS, decimals(), [""] * 100 + ["2020-01-01"] * 100),
    "whole first, then not": table(HOURS, decimals(), [*WHOLE[:150], *decimals(50)]),
    "numbers first, then a text": table(HOURS, decimals(), [*decimals(150), "x", *decimals(49)]),
    "thousands among texts": table(HOURS, decimals(), ["1.234", *["x"] * 199]),
    "dates with dots and whole numbers": table([f"{1 + n % 28:02}.{1 + n // 28:02}.2021" for n in range(200)], WHOLE),
    "four digits before three": table(HOURS, [f"{1000 + n}.250" for n in range(200)], WHOLE),
    "times first, then a text": table([*HOURS[:150], *["soon"] * 50], decimals()),
    "names": table(HOURS, decimals(), [f"série {n % 3}" for n in range(200)]),
    "quoted": table([f'"{hour}"' for hour in HOURS], decimals(), ['"Köln, Dom"', '""', *['"x"'] * 198]),
    "a doubled quote": table(HOURS, decimals(), ['"an ""a"""', '""""', '""""""', *["x"] * 197]),
    "delimiters and quotes side by side": table(HOURS, decimals(), ['","', '"a,"', '",a"', '""","""', *["x"] * 196]),
    "dates with dots": table([f"{1 + n % 28:02}.{1 + n // 28:02}.2021" for n in range(200)], decimals()),
    "decimal commas": table(HOURS, [cell.replace(".", ",") for cell in decimals()], WHOLE, delimiter=";"),
    "decimal commas, one column of three": table(
        HOURS,
        [cell.replace(".", ",") for cell in decimals()],
        [f"{n + 1},125" for n in range(200)],
        names="t,a,c",
        delimiter=";",
    ),
    "exponents and signs": table(HOURS, [f"{cell}e-3" for cell in decimals()], ["+.5", "5.", *decimals(198)]),
    "spaces": table([f" {hour} " for hour in HOURS], [f"  {cell}\t" for cell in decimals()]),
    "windows": table(HOURS, decimals()).replace("\n", "\r\n"),
    "a mark first": "\ufeff" + table(HOURS, decimals()),
    "empty lines": table(HOURS, decimals()).replace("\n2020-01-02", "\n\n2020-01-02"),
    "infinite": table(HOURS, [*decimals(198), "inf", "1e400"]),
    "no end of line": table(HOURS, decimals())[:-1],
    "17 digits": table(HOURS, decimals(form="{:.17g}")),
    "three decimals": table(HOURS, THREE_DECIMALS, WHOLE),
    "three decimals, 0 and missing ones": table(HOURS, ["0", "", "NA", "-0", *THREE_DECIMALS[4:]], WHOLE),
    "three decimals that are 0": table(HOURS, [f"{n + 1}.000" for n in range(200)], WHOLE),
}
WEIGHED = {
    "three decimals beside whole numbers": table(HOURS, [*THREE_DECIMALS[:-1], "800"]),
    "three decimals beside whole numbers, then 0": table(HOURS, ["800", "0", *THREE_DECIMALS[2:]]),
    "points that can only be between thousands": table(HOURS, [*THREE_DECIMALS[:-1], "1.250.000"]),
    "three decimals between semicolons": table(HOURS, THREE_DECIMALS, WHOLE, delimiter=";"),
    "three decimals among texts": table(HOURS, ["x", *THREE_DECIMALS[1:]]),
    "commas between thousands": table(HOURS, [f'"{n + 1},250.5"' for n in range(200)]),
    "commas that show nothing": table(HOURS, [f"{n + 1},250" for n in range(200)], delimiter=";"),
    "commas, then points": table(
        HOURS, [*decimals(form="{:.1f}")[:100], *[f"{n},25" for n in range(100)]], delimiter=";"
    ),
    "commas and points": table(HOURS, [f"{n}.250,5" for n in range(1, 201)], delimiter=";"),
    "a missing number that only Arrow knows": table(HOURS, [*decimals(199), "NAN"]),
    "a plus": table(HOURS, decimals(), ["+5", *WHOLE[1:]]),
    "beyond 64 bits": table(HOURS, decimals(), ["99999999999999999999", *WHOLE[1:]]),
    "a line of delimiters": table(HOURS, decimals()).replace("\n2020-01-02 00", "\n,\n2020-01-02 00"),
    "a number with a comma among texts": table(HOURS, decimals(), ["1,5", *["x"] * 199], delimiter=";"),
    "thousands among texts beside commas": table(
        HOURS, [cell.replace(".", ",") for cell in decimals()], ["1.234", *["x"] * 199], delimiter=";"
    ),
    "sep=": "sep=;\n" + table(HOURS, decimals(), delimiter=";"),
    "an empty line first": "\n" + table(HOURS, decimals()),
    "one column": table(decimals(), names="a"),
    "ends of line in quotes": table(HOURS, decimals(), ['"a\nb"', *["x"] * 199]),
    "a quote inside": table(HOURS, decimals(), ['a "b" c', *["x"] * 199]),
    "old ends of line": table(HOURS, decimals()).replace("\n", "\r"),
    "one old end of line": table(HOURS, decimals(), ["x"] * 200).replace("x\n", "x\r", 1),
}
FEW = {
    "T": ([f"2020-01-{1 + n // 4:02}T00:00" for n in range(200)], False),
    "midnights": ([f"2020-01-0{1 + n // 100} 00:00:00" for n in range(200)], False),
    "one more": ([f"2020-{1 + n % 3:02}-{1 + n % 17:02}T00:00" for n in range(200)], True),
}
"""Times of which up to 50 differ, and more: whether they are stored as times."""
WRONG = {
    "a row too short": table(HOURS, decimals(), WHOLE) + "2020-02-01,5\n",
    "a row too long": table(HOURS, decimals(), WHOLE) + "2020-02-01,5,5,5\n",
    "an open quote": table(HOURS, decimals()) + '2020-02-01,"5\n',
    "text after a quote": table(HOURS, decimals()) + '2020-02-01,"5"x\n',
    "a quote after a quote": table(HOURS, decimals()) + '2020-02-01,"5,"6\n',
    "a NUL": table(HOURS, decimals()) + "2020-02-01,\0\n",
    "two of a name": table(HOURS, decimals(), WHOLE, names="t,a,a"),
    "no rows": "t,a\n",
    "a cell too long": table(HOURS, decimals(), ["x" * 2000, *["x"] * 199]),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, and files that are large from the first byte, read in small blocks."""
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stored_tables, "LARGE_BYTES", 0)
    monkeypatch.setattr(plain_text, "BLOCK", 1000)


def written(tmp_path: Path, content: str, name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def in_memory(path: Path, monkeypatch: pytest.MonkeyPatch, **how: Any) -> pd.DataFrame:
    with monkeypatch.context() as patch:
        patch.setattr(stored_tables, "LARGE_BYTES", 1 << 60)
        return read_table(path, **how)


def check_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    dated = [name for name in found if pd.api.types.is_datetime64_any_dtype(found[name])]
    for name in dated:
        times = pd.to_datetime(expected[name], format="mixed")
        assert times.dtype == found[name].dtype
        assert times.tolist() == found[name].tolist()
    pd.testing.assert_frame_equal(found.drop(columns=dated), expected.drop(columns=dated), check_exact=True)
    assert found.attrs.get("thousands", []) == expected.attrs["thousands"]


@pytest.mark.parametrize("texts", [(), ("b",)], ids=["", "b as texts"])
@pytest.mark.parametrize("case", STORED)
def test_a_plain_table_is_stored(
    case: str, texts: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, STORED[case])
    notes, expected_notes = list[str](), list[str]()
    expected = in_memory(path, monkeypatch, texts=texts, notes=expected_notes)
    for _ in range(2):
        assert stored_tables.stored_table(path, texts) is not None
        check_same(read_table(path, texts=texts, notes=notes), expected)
    assert notes == expected_notes


@pytest.mark.parametrize("case", ["three decimals", "numbers"])
def test_points_that_training_had_between_thousands_are_weighed(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, STORED[case])
    read_table(path)  # stored as decimals
    read = read_table(path, thousands=("a",))
    check_same(read, in_memory(path, monkeypatch, thousands=("a",)))
    assert read.attrs.get("thousands", []) == (["a"] if case == "three decimals" else [])


@pytest.mark.parametrize("more", ["", "T12:30:15", " 12:30:15.125"])
def test_days_among_hours_are_the_time_by_both_ways(more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [hour.removesuffix(" 00:00") for hour in HOURS] + ([f"2020-02-01{more}"] if more else [])
    path = written(tmp_path, table(decimals(len(times)), times, names="a,t"))
    found = []
    for read in (read_table(path), in_memory(path, monkeypatch)):
        roles = roles_of(read, "t", time=(), targets=(), past=(), known=(), series_id="")
        found.append((roles, parse_times(read[roles.time], "t")[0]))
    assert found[0][0] == found[1][0]
    pd.testing.assert_index_equal(found[0][1], found[1][1], exact=True)


@pytest.mark.parametrize("case", FEW)
def test_a_few_times_stay_the_texts_that_categories_are_called_by(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, are_times = FEW[case]
    path = written(tmp_path, table(HOURS, decimals(), cells))
    check_same(read_table(path), in_memory(path, monkeypatch))
    found = read_table(path)["b"]
    assert (found.dtype.kind == "M") == are_times
    assert are_times or found.tolist() == cells


@pytest.mark.parametrize("case", WEIGHED)
def test_what_has_to_be_weighed_is_read_as_before(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, WEIGHED[case])
    notes, expected_notes = list[str](), list[str]()
    expected = in_memory(path, monkeypatch, notes=expected_notes)
    for _ in range(2):
        assert stored_tables.stored_table(path, ()) is None
        check_same(read_table(path, notes=notes), expected)
    assert notes == 2 * expected_notes
    assert not list(entries.folder().glob("*.column"))


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_as_before(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, WRONG[case])
    with pytest.raises(UserError) as expected:
        in_memory(path, monkeypatch)
    with pytest.raises(UserError) as found:
        read_table(path)
    assert str(found.value) == str(expected.value)
    assert not list(entries.folder().glob(".*"))


def test_a_packed_table_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = STORED["numbers"]
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(content.encode()))
    assert stored_tables.stored_table(path, ()) is not None
    check_same(read_table(path), in_memory(written(tmp_path, content), monkeypatch))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="damaged"):
        read_table(path)


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    path = written(tmp_path, STORED["names"])
    before = read_table(path).copy()
    for column in entries.folder().glob("*.column"):
        kept = column.read_bytes()
        column.write_bytes(kept[:-1])
        pd.testing.assert_frame_equal(read_table(path), before)
        assert column.read_bytes() == kept
    texts = max(entries.folder().glob("*.column"))  # of the last column
    kept = texts.read_bytes()
    for place in range(0, len(kept), 97):  # some of them made Arrow read behind the end, which ends the process
        texts.write_bytes(kept[:place] + bytes([kept[place] ^ 0xFF]) + kept[place + 1 :])
        pd.testing.assert_frame_equal(read_table(path), before)
        assert texts.read_bytes() == kept
    for note in entries.folder().glob("*.json"):
        note.write_text("{")
    pd.testing.assert_frame_equal(read_table(path), before)


def test_another_content_is_another_table(tmp_path: Path) -> None:
    path = written(tmp_path, STORED["numbers"])
    os.utime(path, (time.time() - 3600,) * 2)
    assert read_table(path)["b"].iloc[0] == -50
    path.write_text(STORED["numbers"].replace(",-50\n", ",-51\n"))
    assert read_table(path)["b"].iloc[0] == -51


def test_only_so_much_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_CACHE_GB", "0")
    for case in ("numbers", "days"):
        read_table(written(tmp_path, STORED[case]))
    assert len({file.name.split(".")[0] for file in entries.folder().glob("*.column")}) == 1  # the newest


def test_another_process_makes_room_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_table(written(tmp_path, STORED["numbers"]))
    found = Path.glob

    def vanishing(folder: Path, pattern: str) -> Any:
        files = list(found(folder, pattern))
        for file in files if pattern.endswith(".*") else []:
            file.unlink()
        return iter(files)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "glob", vanishing)
        entries.describe("0", stored_tables.Facts(False, 0, [], []), [])
    assert not list(entries.folder().glob("*.column"))


def test_a_look_stores_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, STORED["numbers"])
    with reading_samples(2000, 1):
        assert len(read_table(path)) < len(HOURS)
    assert not entries.folder().exists()


def test_columns_are_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    frame = read_table(written(tmp_path, STORED["numbers"]))
    cells = frame["a"].to_numpy()
    assert not cells.flags.writeable
    base: Any = cells
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert base is not None


SIGNS = ("", "", "", "", "+", "-")
FORMS = (
    lambda r: str(r.randrange(-300, 3000)),
    lambda r: f"{r.uniform(-5, 5):.{r.randrange(1, 6)}f}",
    lambda r: f"{r.randrange(1, 300)}.{r.randrange(1000):03}",
    lambda r: f"{r.randrange(1, 300)},{r.randrange(1000):03}",
    lambda r: f"{r.uniform(-50, 50):.{r.randrange(1, 5)}f}".replace(".", ","),
    lambda r: f"{r.randrange(1, 9)}.{r.randrange(1000):03},{r.randrange(9)}",
    lambda r: f"{r.choice(SIGNS)}{r.random():.3e}",
    lambda r: r.choice(["", "NA", "?", "nan", "inf", "-", "0x10", "1_0", "TRUE", "1e400", "٣"]),
    lambda r: r.choice(["a", "b c", "é", "x,y", "x;y", "1.2.3", "12:30", " a ", "\u00a05"]),
    lambda r: f"20{r.randrange(10, 30)}-0{r.randrange(1, 9)}-{r.randrange(10, 29)}",
    lambda r: (
        f"2020-01-01{r.choice(' T')}{r.randrange(10, 24)}:{r.randrange(10, 60)}{r.choice(['', ':01', ':01.5', 'Z'])}"
    ),
    lambda r: f"{r.randrange(1, 29):02}.{r.randrange(1, 13):02}.2020",
)


@pytest.mark.parametrize("seed", [*range(150), 3082])
def test_random_tables(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is stored or not, what is read, or what is said, is the same."""
    r = random.Random(seed)
    delimiter, kind = r.choice([(",", "csv"), (";", "csv"), ("\t", "tsv"), ("\t", "csv")])
    columns = []
    for _ in range(r.randrange(2, 5)):
        usual, odd = r.choice(FORMS), r.choice(FORMS)
        share = r.choice([0, 0, 0, 0.01, 0.3])
        columns.append([(odd if r.random() < share else usual)(r) for _ in range(r.randrange(1, 4) * 40)])
    count = min(map(len, columns))

    def quoted(cell: str) -> str:
        always = delimiter in cell or r.random() < 0.02
        return f'"{cell}"' if always and r.random() < 0.98 else cell

    rows = [delimiter.join(quoted(column[row]) for column in columns) for row in range(count)]
    if r.random() < 0.1:
        rows.insert(r.randrange(count), r.choice(["", " ", delimiter, delimiter * (len(columns) - 1), "a" + delimiter]))
    content = delimiter.join("abcd"[: len(columns)]) + "\n" + "\n".join(rows) + r.choice(["", "\n", "\n\n"])
    path = written(tmp_path, content.replace("\n", r.choice(["\n", "\n", "\r\n"])), f"table.{kind}")
    texts = ("b",) if r.random() < 0.2 else ()
    notes, expected_notes = list[str](), list[str]()
    expected, why = None, ""
    try:
        expected = in_memory(path, monkeypatch, texts=texts, notes=expected_notes)
    except UserError as error:
        why = str(error)
    if expected is None:
        with pytest.raises(UserError) as found:
            read_table(path, texts=texts)
        assert str(found.value) == why
        return
    check_same(read_table(path, texts=texts, notes=notes), expected)
    assert notes == expected_notes
