"""Forecasting on what strangers bring, from the file to the forecast: perfect baselines, gaps, many series, levels."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from elman.cli.main import main
from elman.errors import UserError
from elman.metrics.forecasting import Forecasts
from elman.run import Run, load
from elman.tasks.forecasting.evaluation import NETWORK, Judged
from elman.tasks.forecasting.prediction import digits_of
from elman.tasks.forecasting.settings import Settings
from elman.tasks.forecasting.telling import verdict
from elman.training_run import train

QUICK: dict[str, Any] = {"steps": 4, "eval_every": 2, "hidden_size": 4, "batch_size": 8, "threads": 1}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are tested elsewhere, and take longer than these trainings."""
    monkeypatch.setattr("elman.training.monitoring.loss_curve.draw_loss_curve", lambda *_, **__: None)
    monkeypatch.setattr("elman.plotting.forecast.draw_forecasts", lambda *_: ())


def trained(table: pd.DataFrame, folder: Path, **settings: Any) -> Run:
    table.to_csv(folder / "t.csv", index=False)
    train("forecasting", Settings(data=str(folder / "t.csv"), **QUICK | settings), folder / "run")
    return load(folder / "run")


def numbered(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"t": np.arange(len(values)), "y": values})


@pytest.mark.parametrize("values", [np.arange(400) % 7, np.arange(400) * 2.0, np.resize([5, 5, 5, 9], 400)])
def test_a_perfect_baseline_is_no_crash(values: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "elman"):
        run = trained(numbered(values), tmp_path)
    assert "validation MASE" in caplog.text
    metrics = run.examine().metrics
    assert metrics["test_best_baseline_mae"] == pytest.approx(0, abs=1e-9)
    assert np.isfinite(list(metrics.values())).all()


def test_what_was_filled_in_is_not_measured(tmp_path: Path) -> None:
    values = np.sin(np.arange(300) / 3)
    holed = values.copy()
    holed[[280, 281, 290]] = np.nan
    run = trained(numbered(holed), tmp_path, missing="interpolate", window=12, horizon=4)
    rows = {row[1]: row for row in run.examine().tables[2].rows}
    assert rows["280"][4] is None
    assert rows["282"][4] == pytest.approx(values[282])
    truth = run.task.data.test.truth()
    assert np.isnan(truth).any()
    assert np.isfinite(run.examine().metrics["test_mase"])


def test_every_row_of_the_test_part_is_in_forecasts_csv(tmp_path: Path) -> None:
    trained(numbered(np.sin(np.arange(300) / 3)), tmp_path, window=12, horizon=5)
    main(["evaluate", str(tmp_path / "run"), "--json"])
    table = pd.read_csv(tmp_path / "run" / "forecasts.csv")
    assert table["time"].tolist() == list(range(270, 300))
    assert table["step"].tolist() == [1, 2, 3, 4, 5] * 6
    assert (table["lower"] <= table["forecast"]).all()
    assert (table["forecast"] <= table["upper"]).all()
    assert {path.name for path in (tmp_path / "run").glob("*.csv")} >= {"baselines.csv", "steps.csv", "forecasts.csv"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    parts = [numbered(10 + k + np.sin(np.arange(90 + k) / 3)).assign(id=f"{k:03d}") for k in range(40)]
    trained(pd.concat(parts), folder, series_id="id", window=8, horizon=6, test=6.0, validation=6.0, target=("y",))
    return folder


def test_many_series_are_shown_in_part(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, data = str(many / "run"), str(many / "t.csv")
    main(["predict", run, data])
    out = capsys.readouterr().out
    assert out.count("\n") < 100
    assert "and 30 more series; ask for a table (out) or for JSON to have all" in out
    main(["predict", run, data, "--json", "--out", str(many / "next")])
    assert len(capsys.readouterr().out.splitlines()) == 40
    assert len(pd.read_csv(many / "next.csv")) == 40 * 6


def test_series_that_end_at_different_times_are_all_measured(many: Path) -> None:
    run = load(many / "run")
    assert run.task.settings.split == "series"
    assert len(set(run.task.data.test.places[:, 0].tolist())) == 40


@pytest.mark.parametrize(("level", "size"), [(1e9, 0.01), (0.0, 1e-7), (1e129, 1e128)])
def test_levels_and_sizes_of_every_kind(level: float, size: float, tmp_path: Path) -> None:
    plain = np.sin(np.arange(300) / 3)
    run = trained(numbered(level + size * plain), tmp_path, window=12, horizon=4)
    assert run.examine().metrics["test_mase"] < 0.05
    (prediction,) = run.predict(str(tmp_path / "t.csv"))
    texts = [line.split("  ")[1:] for line in prediction.show().splitlines()[2:]]
    assert len({line[-2] for line in texts}) == 4  # four different values are seen to be different
    json.dumps(prediction.to_json(), allow_nan=False)


def test_digits_show_how_wide_an_interval_is() -> None:
    near = {"forecast": [1e9, 1e9 + 1], "lower": [1e9 - 0.5, 1e9], "upper": [1e9 + 0.5, 1e9 + 2]}
    assert digits_of(near) == 12
    assert digits_of({"forecast": [1.0, 2.0]}) == 6
    assert digits_of({"forecast": [0.0, 0.0]}) == 6


def test_predictions_from_python_take_a_name_a_table_and_a_series(tmp_path: Path) -> None:
    table = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=200, freq="D"), "y": np.arange(200.0) % 9})
    run = trained(table, tmp_path, window=14, horizon=3)
    series = table.set_index("day")["y"]
    found = [run.predict(given)[0] for given in (str(tmp_path / "t.csv"), tmp_path / "t.csv", table, [series])]
    assert all(one.times == ["2020-07-19", "2020-07-20", "2020-07-21"] for one in found)
    assert all(one.targets == found[0].targets for one in found)
    with pytest.raises(UserError, match="of type dict; a forecasting run takes tables"):
        run.predict([{"y": [1.0]}])


def test_the_order_of_dates_is_kept_for_files_to_come(tmp_path: Path) -> None:
    days = pd.date_range("2020-01-20", periods=200, freq="D")
    table = pd.DataFrame({"day": days.strftime("%d/%m/%Y"), "y": np.arange(200.0) % 9})
    run = trained(table, tmp_path, window=6, horizon=3)
    later = pd.date_range("2021-03-01", periods=8, freq="D")  # which by itself might be the third of any month
    (prediction,) = run.predict(pd.DataFrame({"day": later.strftime("%d/%m/%Y"), "y": np.arange(8.0)}))
    assert prediction.times[0] == "2021-03-09"


@pytest.mark.parametrize(
    ("frequency", "dated", "words"),
    [("foo", True, "foo"), ("0D", True, "0D"), ("1", True, "dates"), ("0", False, "not above 0"), ("D", False, "numb")],
)
def test_a_step_that_is_none(frequency: str, dated: bool, words: str, tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=100, freq="D") if dated else range(100)
    with pytest.raises(UserError, match=words):
        trained(pd.DataFrame({"t": times, "y": np.arange(100.0) % 5}), tmp_path, frequency=frequency)


def test_intervals_that_were_never_calibrated_are_called_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = "the 80% intervals are not calibrated and may cover far less: validation"
    short = numbered(np.sin(np.arange(60) / 3) + np.arange(60) % 5)
    run = trained(short, tmp_path, window=6, horizon=4, validation=8.0, test=8.0)
    assert caplog.text.count(said) == 1
    run.examine()
    assert caplog.text.count(said) == 2
    run.predict(str(tmp_path / "t.csv"))
    assert caplog.text.count(said) == 3
    assert "or give 99 rows more" in caplog.text
    caplog.clear()
    long = numbered(np.sin(np.arange(130) / 3) + np.arange(130) % 5)
    run.predict(long)  # its own past is long enough
    assert said not in caplog.text
    (tmp_path / "none").mkdir()
    trained(short, tmp_path / "none", window=6, horizon=4, validation=8.0, test=8.0, calibrate="none")
    assert said not in caplog.text


def test_what_was_left_to_the_data_is_not_advised() -> None:
    truth = np.ones((3, 2, 1))
    by = {NETWORK: Forecasts(truth + 1), "last value": Forecasts(truth + 0.1)}
    judged = Judged(truth, np.ones((3, 1)), by)
    (_, warned) = verdict(judged, 1, 1.0, "last")
    assert "or `anchor` and `combine` left to the data" in warned[-1]
    (_, warned) = verdict(judged, 1, 1.0, "last", {"anchor", "combine"})
    assert warned[-1].endswith("try more `steps`, a larger `hidden_size` or a longer `window`")
    (_, warned) = verdict(judged, 1, 0.0, "last", {"anchor", "combine"})
    assert warned[-1].endswith("try a longer `window`")
