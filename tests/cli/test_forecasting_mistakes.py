"""Bad series: each one line on standard error, exit code 2, nothing written or lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.cli.test_mistakes import check_mistake

from elman.cli.main import main

TINY = "--steps 2 --hidden-size 4 --batch-size 4 --window 8".split()
Table = pd.DataFrame


def table(rows: int = 80) -> Table:
    days = pd.date_range("2021-01-01", periods=rows, freq="D").strftime("%Y-%m-%d")
    wave = 5 + np.sin(np.arange(rows) / 2)
    return Table({"day": days, "price": np.arange(rows) % 3, "sales": wave.astype(object)})


def put(column: str, row: int, value: object) -> Callable[[Table], Table]:
    def change(frame: Table) -> Table:
        frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return change


def constant(frame: Table) -> Table:
    return frame.assign(sales=7)


def shuffled(frame: Table) -> Table:
    return pd.concat([frame.iloc[:10], frame.iloc[11:12], frame.iloc[10:11], frame.iloc[12:]])


def doubled(frame: Table) -> Table:
    return pd.concat([frame.iloc[:11], frame.iloc[10:]])


Case = tuple[Callable[[Table], Table], list[str], list[str]]
TABLES: dict[str, Case] = {
    "target is text": (put("sales", 4, "many"), [], ["row 5", "'sales'", "'many'"]),
    "target is infinite": (put("sales", 4, "inf"), [], ["row 5", "'sales'"]),
    "no such column": (lambda t: t, ["--target", "slaes"], ["'slaes'", "did you mean 'sales'"]),
    "no such time column": (lambda t: t, ["--time", "date"], ["'date'"]),
    "no such covariate": (lambda t: t, ["--past", "prise"], ["'prise'", "did you mean 'price'"]),
    "no such id": (lambda t: t, ["--series-id", "shop"], ["'shop'"]),
    "two roles": (lambda t: t, ["--past", "sales", "--target", "sales"], ["'sales' has two roles"]),
    "unsorted": (shuffled, [], ["row 12", "2021-01-11", "2021-01-12", "sort"]),
    "twice": (doubled, [], ["2021-01-11", "rows 11 and 12", "--series-id"]),
    "gap": (lambda t: t.drop(20), [], ["1 of 80", "2021-01-21", "row 20", "--missing"]),
    "no date": (put("day", 3, "soon"), [], ["row 4", "'day'", "'soon'"]),
    "no step": (lambda t: t.assign(day=(np.arange(80) ** 3).astype("datetime64[h]")), [], ["no regular step"]),
    "empty cell": (put("sales", 7, None), [], ["'sales'", "2021-01-08", "--missing"]),
    "NaN": (put("price", 7, "NaN"), ["--past", "price"], ["'price'", "2021-01-08"]),
    "empty column": (lambda t: t.assign(price=None), ["--past", "price"], ["'price'", "0 different"]),
    "too few rows": (lambda t: t.head(18), ["--validation", "5"], ["too few rows", "--window 8", "--horizon 4"]),
    "two rows": (lambda t: t.head(2), [], ["2 rows"]),
    "validation too short": (lambda t: t, ["--validation", "3"], ["validation", "3 rows", "--horizon 4"]),
    "horizon longer than the data": (lambda t: t, ["--horizon", "200"], ["--horizon 200", "80 rows"]),
    "constant": (constant, [], ["'sales'", "constant", "7"]),
    "log of nothing": (put("sales", 2, 0), ["--transform", "log"], ["'sales' is 0 at 2021-01-03", "--transform log"]),
    "nothing to train on": (lambda t: t, ["--test", "70", "--validation", "10"], ["--test 70", "--validation 10"]),
    "no validation": (lambda t: t, ["--validation", "0"], ["--validation is 0"]),
    "season longer than the window": (
        lambda t: t,
        ["--anchor", "season", "--season", "30"],
        ["--anchor season", "30", "not 8"],
    ),
    "segment": (lambda t: t, ["--segment", "3"], ["--segment 3", "--window 8"]),
    "level": (lambda t: t, ["--level", "80"], ["--level is 80"]),
    "recursive with past covariates": (lambda t: t, ["--mode", "recursive", "--past", "price"], ["--past price"]),
    "recursive quantiles": (lambda t: t, ["--mode", "recursive", "--intervals", "quantile"], ["gaussian"]),
    "recursive segments": (lambda t: t, ["--mode", "recursive", "--segment", "2"], ["--segment"]),
    "calibrated by nothing known": (lambda t: t, ["--calibrate", "test"], ["--calibrate", "recent"]),
    "calendar of numbers": (lambda t: t.assign(day=range(80)), ["--calendar", "hour"], ["--calendar hour", "numbers"]),
    "calendar auto and more": (lambda t: t, ["--calendar", "auto", "hour"], ["--calendar: auto"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_training(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, options, expected = TABLES[name]
    path = tmp_path / "sales.csv"
    spoil(table()).to_csv(path, index=False)
    out = tmp_path / "run"
    check_mistake(
        [
            "train",
            "forecasting",
            "--data",
            str(path),
            "--out",
            str(out),
            *TINY,
            *(options if "--horizon" in options else ["--horizon", "4", *options]),
        ],
        capsys,
        *expected,
    )
    assert not out.exists()


FILES: dict[str, tuple[str, bytes, list[str]]] = {
    "empty": ("t.csv", b"", ["t.csv is empty"]),
    "names only": ("t.csv", b"day,sales\n", ["no rows"]),
    "binary": ("t.csv", b"day,sales\n\0\1", ["NUL"]),
    "another format": ("t.ods", b"PK", ["t.ods", ".parquet"]),
    "no Parquet": ("t.parquet", b"PAR1 or not", ["t.parquet cannot be read"]),
    "ragged": ("t.csv", b"day,sales\n2021-01-01,1\n2021-01-02,1,2,3\n", ["t.csv line 3 has"]),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, content, expected = FILES[name]
    (tmp_path / file).write_bytes(content)
    out = tmp_path / "run"
    check_mistake(["train", "forecasting", "--data", str(tmp_path / file), "--out", str(out)], capsys, *expected)
    assert not out.exists()


def test_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for data, expected in (("etth", "etth1"), ("mnist", "mnist"), ("nowhere.csv", "nowhere.csv")):
        check_mistake(["train", "forecasting", "--data", data, "--out", str(tmp_path / "run")], capsys, expected)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forecasting")
    table().to_csv(folder / "sales.csv", index=False)
    main(
        [
            *("train", "forecasting", "--data", str(folder / "sales.csv"), "--known", "price"),
            *("--out", str(folder / "run"), "--horizon", "4", "--calibrate", "none", *TINY),
        ]
    )
    return folder / "run"


def future(frame: Table) -> Table:
    frame = frame.copy()
    frame.loc[frame.index[-4:], "sales"] = None
    return frame


INPUTS: dict[str, Case] = {
    "the known future is missing": (lambda t: t, [], ["0 rows after", "'price'", "4 steps"]),
    "a part of it is": (lambda t: future(t).iloc[:-2], [], ["2 rows after", "'price'"]),
    "a hole in it": (lambda t: put("price", 78, None)(future(t)), [], ["'price'", "2021-03-20"]),
    "shorter than the window": (lambda t: future(t).tail(9), [], ["5 rows", "8"]),
    "another column": (lambda t: t.rename(columns={"sales": "sale"}), [], ["'sales'", "'sale'"]),
    "another step": (lambda t: future(t).assign(day=pd.date_range("2021-01-01", periods=80, freq="h")), [], ["'D'"]),
    "a direct horizon": (future, ["--horizon", "9"], ["--horizon 9"]),
    "over the input": (future, ["--out", "HERE"], ["write over"]),
}


@pytest.mark.parametrize("name", INPUTS)
def test_prediction(name: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, options, expected = INPUTS[name]
    path = tmp_path / "now.csv"
    spoil(table()).to_csv(path, index=False)
    before = {file: file.read_bytes() for file in (path, *trained.iterdir())}
    options = [str(path.with_suffix("")) if word == "HERE" else word for word in options]
    check_mistake(["predict", str(trained), str(path), *options], capsys, *expected)
    assert {file: file.read_bytes() for file in (path, *trained.iterdir())} == before


def test_a_series_never_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = pd.concat([table().assign(shop="a"), table().assign(shop="b")])
    two.to_csv(tmp_path / "two.csv", index=False)
    run = str(tmp_path / "run")
    main(
        [
            "train",
            "forecasting",
            "--data",
            str(tmp_path / "two.csv"),
            "--series-id",
            "shop",
            "--target",
            "sales",
            "--out",
            run,
            "--horizon",
            "4",
            *TINY,
        ]
    )
    capsys.readouterr()
    table().assign(shop="c").to_csv(tmp_path / "c.csv", index=False)
    check_mistake(["predict", run, str(tmp_path / "c.csv")], capsys, "series 'c'", "'a', 'b'")
