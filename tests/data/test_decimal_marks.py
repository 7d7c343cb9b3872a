"""Numbers as spreadsheets write them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from elman.data.io.arrays import read_csv_values
from elman.data.io.tables import numbers, read_table
from elman.errors import UserError
from elman.runtime.text.decimal_marks import no_number, plain_numbers


@pytest.mark.parametrize(
    ("columns", "plain"),
    [
        ([["1002,51", "-0,10", ""]], [["1002.51", "-0.10", ""]]),
        ([["1.002,51", "3,5"]], [["1002.51", "3.5"]]),
        ([["1,002.51", "3.5"]], [["1002.51", "3.5"]]),
        ([["1,234,567", "12"]], [["1234567", "12"]]),
        ([["1,002", "2,500"]], [["1,002", "2,500"]]),  # either
        ([["1,5", "NA"], ["1.002", "12"]], [["1.5", "NA"], ["1002", "12"]]),
        ([["1,5", "2,5"], ["1.5", "2.5"]], [["1.5", "2.5"], ["1.5", "2.5"]]),
        ([["a,b", "1,5"]], [["a,b", "1,5"]]),
        ([["1.002", "2.5"]], [["1.002", "2.5"]]),
        ([["0,100", "1,101"]], [["0.100", "1.101"]]),
        ([["0,1", "0,2"], ["2,817", "3"]], [["0.1", "0.2"], ["2.817", "3"]]),  # another column's comma is decimal
        ([["1,002.5", "2"], ["2,817", "3"]], [["1002.5", "2"], ["2817", "3"]]),
        ([["-0,029", "1,250"]], [["-0.029", "1.250"]]),
        ([["999", "1.000", "-1.059", ""]], [["999", "1000", "-1059", ""]]),
        ([["999", "1.001", "1.002"]], [["999", "1001", "1002"]]),  # near in size
        ([["999", "1.234.567"]], [["999", "1234567"]]),
        ([["1", "2", "1.125"]], [["1", "2", "1.125"]]),
        ([["999", "1.000"], ["0.5", "1.25"]], [["999", "1.000"], ["0.5", "1.25"]]),  # another column's point is decimal
        ([["1.000", "1.119"]], [["1.000", "1.119"]]),
        ([["01.02.2022", "02.02.2022"], ["1,5", "2,5"]], [["01.02.2022", "02.02.2022"], ["1.5", "2.5"]]),
    ],
)
def test_marks_are_told_by_the_table(columns: list[list[str]], plain: list[list[str]]) -> None:
    assert plain_numbers(columns) == plain


def test_a_german_export(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_text("\ufeffDatum;Umsatz;Menge\n01.01.2022;1.002,51;7\n02.01.2022;-0,10;8\n", encoding="utf-8")
    table = read_table(path)
    assert numbers(table, ["Umsatz", "Menge"], "excel.csv").tolist() == [[1002.51, 7], [-0.1, 8]]


def test_what_is_either_is_said(tmp_path: Path) -> None:
    path = tmp_path / "either.csv"
    path.write_text('day,sales\n1,"1,002"\n2,"2,500"\n', encoding="utf-8")
    with pytest.raises(UserError, match="row 1, column 'sales': '1,002' is one number with a decimal comma"):
        numbers(read_table(path), ["sales"], str(path))


def test_thousands_with_points_are_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("date;v\n1;940\n2;999\n3;1.000\n4;1.001\n", encoding="utf-8")
    notes: list[str] = []
    assert read_table(path, notes=notes)["v"].tolist() == [940, 999, 1000, 1001]
    assert notes == [
        f"{path}, column 'v': numbers such as 1.000 are read with the point between thousands, since 940 has no"
        " decimals and 1.000 ends in a zero; write 1.500 as 1.5 if it is decimal"
    ]


@pytest.mark.parametrize(("separator", "said"), [(";", True), (",", False)])
def test_three_decimals_alone_stay_decimals(separator: str, said: bool, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("t;v\n1;1.000\n2;1.119\n".replace(";", separator), encoding="utf-8")
    notes: list[str] = []
    assert read_table(path, notes=notes)["v"].tolist() == [1.0, 1.119]
    assert bool(notes) == said


def test_thousands_in_one_of_many_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("x\n999\n1.000\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"one\.csv: the point of 1\.000 stands between thousands"):
        read_csv_values(path)


def test_series_in_class_folders(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("x;y\n0,5;1\n-0,10;2\n;3\n", encoding="utf-8")
    assert np.allclose(read_csv_values(path), [[0.5, 1], [-0.1, 2], [np.nan, 3]], equal_nan=True)
    path.write_text("x;y\n0,5;1\n1,5;1\nno;2\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 4: 'no' is no number"):
        read_csv_values(path)


@pytest.mark.parametrize("mark", ["-", "--", "–", ".", ":"])
def test_a_mark_that_may_be_0_is_asked_about(mark: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"t,v\n1,2\n2,{mark}\n3,4\n")
    table = read_table(tmp_path / "a.csv")
    assert table["v"].tolist() == ["2", mark, "4"]  # of a column of texts it is one of them
    with pytest.raises(
        UserError, match="some write it for a missing one, some for 0; leave the cell empty, or write 0"
    ):
        numbers(table, ["v"], "a.csv")


def test_what_is_no_number_may_be_left_empty(tmp_path: Path) -> None:
    for cell in ("", "NA", "N/A", "n/a"):
        (tmp_path / "a.csv").write_text(f"t,v\n1,2\n2,{cell}\n3,4\n")
        assert math.isnan(numbers(read_table(tmp_path / "a.csv"), ["v"], "a.csv")[1, 0])
    assert no_number("x").endswith("mend it, or leave the cell empty where the number is missing")
