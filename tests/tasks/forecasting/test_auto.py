"""Settings that follow from the data: each rule with its reason, recorded in the run, repeated when it is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from elman.data.timeseries.facts import SeriesFacts
from elman.errors import UserError
from elman.run import load
from elman.tasks.forecasting.anchors import AnchorTrial
from elman.tasks.forecasting.auto import choose, choose_anchor
from elman.tasks.forecasting.settings import Settings
from elman.tasks.forecasting.task import Task
from elman.training_run import train

QUICK: dict[str, Any] = {"steps": 4, "eval_every": 2, "hidden_size": 4, "batch_size": 8, "threads": 1}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are tested elsewhere, and take longer than these trainings."""
    monkeypatch.setattr("elman.training.monitoring.loss_curve.draw_loss_curve", lambda *_, **__: None)
    monkeypatch.setattr("elman.plotting.forecast.draw_forecasts", lambda *_: ())


def facts(**changes: Any) -> SeriesFacts:
    """Three years of hourly rows."""
    plain: dict[str, Any] = {
        "frequency": "h",
        "usual_season": 24,
        "found_season": 24,
        "lengths": (26_304,),
        "behind": (0,),
        "total": 26_304,
        "dated": True,
        "years": 3.0,
        "proportional": False,
    }
    return SeriesFacts(**plain | changes)


def chosen(found: SeriesFacts, **settings: Any) -> dict[str, Any]:
    choices = choose(found, Settings(data="some.csv", **settings))
    assert all(choice.reason for choice in choices)
    return {choice.setting: choice.value for choice in choices}


def monthly(years: int, **changes: Any) -> SeriesFacts:
    rows = 12 * years
    season = {"frequency": "MS", "usual_season": 12, "found_season": 12}
    return facts(**season, lengths=(rows,), total=rows, years=float(years), **changes)


@pytest.mark.parametrize(("season", "window"), [(1440, 1440), (720, 1440), (288, 2016), (24, 168)])
def test_a_window_of_several_seasons_is_bounded(season: int, window: int) -> None:
    rows = {"usual_season": season, "found_season": season, "lengths": (500_000,), "total": 500_000}
    assert chosen(facts(**rows, years=1.0))["window"] == window


def test_hourly_rows() -> None:
    found = chosen(facts())
    assert found["calendar"] == ("hour", "weekday", "month")
    names = ("season", "horizon", "window", "segment", "transform", "split")
    assert [found[name] for name in names] == [24, 24, 168, 7, "none", "times"]
    assert (found["validation"], found["test"]) == (0.1, 0.1)


def test_monthly_rows() -> None:
    found = chosen(monthly(17, proportional=True))
    assert [found[name] for name in ("season", "horizon", "window", "transform")] == [12, 12, 48, "log"]
    assert found["calendar"] == ("month",)
    assert chosen(monthly(6))["window"] == 12
    assert chosen(monthly(6))["test"] == 12.0  # a tenth would be less than the horizon


def test_what_was_asked_for_is_left_alone_and_followed() -> None:
    found = chosen(facts(), horizon=48, window=96, season=12)
    assert not {"horizon", "window", "season"} & found.keys()
    assert found["segment"] == 4
    assert chosen(facts(), segment=5)["window"] % 5 == 0
    assert chosen(facts(), mode="recursive")["segment"] == 1
    assert chosen(facts(), mode="recursive")["combine"] == "none"
    assert chosen(facts(), anchor="season")["combine"] == "none"


def test_numbers_have_the_season_that_is_seen() -> None:
    number = facts(frequency="1", usual_season=1, dated=False, years=0.0)
    assert chosen(number)["season"] == 24
    assert chosen(number)["calendar"] == ("none",)
    assert chosen(facts(frequency="1", usual_season=1, found_season=1))["season"] == 1


def test_series_that_end_early_are_cut_each_at_its_end() -> None:
    several = facts(lengths=(1000, 700), behind=(0, 300), total=1000)
    assert chosen(several)["split"] == "series"
    assert chosen(facts(lengths=(1000, 990), behind=(0, 10), total=1000))["split"] == "times"


@pytest.mark.parametrize(("rows", "hidden"), [(300, 16), (1_200, 32), (26_304, 64)])
def test_size_and_steps_by_windows(rows: int, hidden: int) -> None:
    found = chosen(facts(lengths=(rows,), total=rows, years=rows / 8766))
    assert found["hidden_size"] == hidden
    assert found["eval_every"] == found["steps"] // 20
    assert found["window"] + found["horizon"] < rows / 2


def test_the_anchor_that_does_best_and_the_simpler_one_in_doubt() -> None:
    assert choose_anchor([("last", 1.0), ("season", 0.5), ("line", 0.2)]).value == "line"
    assert choose_anchor([("last", 1.0), ("season", 0.5), ("line", 0.495)]).value == "season"
    assert "last 1.000" in choose_anchor([("last", 1.0)]).reason


def seasonal(path: Path, rows: int = 240) -> str:
    noise = np.random.default_rng(0).normal(size=rows)
    values = 10 + np.sin(2 * np.pi * np.arange(rows) / 12) * 3 + 0.1 * noise
    pd.DataFrame({"month": pd.date_range("2000-01-01", periods=rows, freq="MS"), "y": values}).to_csv(path, index=False)
    return str(path)


def test_a_run_keeps_what_was_chosen_and_goes_on_with_it(tmp_path: Path) -> None:
    data = seasonal(tmp_path / "t.csv")
    settings = Settings(data=data, **QUICK | {"checkpoint_every": 2})
    train("forecasting", settings, tmp_path / "run")
    run = load(tmp_path / "run")
    assert not run.task.settings.left_open()
    assert (run.task.settings.season, run.task.settings.window) == (12, 48)
    table = json.loads((tmp_path / "run" / "choices.json").read_text())
    assert {entry["setting"] for entry in table} >= {"anchor", "window", "horizon", "season"}
    assert all(entry["reason"] and entry["value"] == _plain(run, entry["setting"]) for entry in table)
    assert train("forecasting", settings, tmp_path / "run", resume=True).steps == 4
    with pytest.raises(UserError, match="window=48"):
        train("forecasting", Settings(data=data, window=24, **QUICK), tmp_path / "run", resume=True)


def _plain(run: Any, name: str) -> Any:
    value = getattr(run.task.settings, name)
    return list(value) if isinstance(value, tuple) else value


def test_the_forecast_is_never_worse_than_its_anchor_on_validation(tmp_path: Path) -> None:
    data = seasonal(tmp_path / "t.csv")
    result = train("forecasting", Settings(data=data, lr=0.5, warmup=0, **QUICK), tmp_path / "run")  # a wild network
    run = load(tmp_path / "run")
    with torch.no_grad():
        judged = run.task._judge(run.model, run.task.data.validation)
    alone = next(name for name in judged.by if name.startswith("its anchor alone"))
    assert judged.errors("this network")["mase"] <= judged.errors(alone)["mase"] + 1e-9
    assert result.best == pytest.approx(judged.errors("this network")["mase"])


def test_a_line_knows_holidays_and_the_calendar(tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=300, freq="D")
    holiday = (np.random.default_rng(0).random(300) < 0.2).astype(float)
    sales = 5 + 3 * holiday + (days.day_of_week == 5) * 2.0
    pd.DataFrame({"day": days, "holiday": holiday, "sales": sales}).to_csv(tmp_path / "t.csv", index=False)
    task = Task.new(Settings(data=str(tmp_path / "t.csv"), known=("holiday",), **QUICK))
    assert task.settings.anchor == "line"
    errors = dict(AnchorTrial(task.settings, task.data).errors())
    assert errors["line"] < 0.1 < errors["season"]


def test_where_there_is_little_to_learn_from_the_line_is_thetas(tmp_path: Path) -> None:
    steps = np.random.default_rng(3).normal(size=80).cumsum() + 50  # a random walk: the best forecast is the last level
    table = pd.DataFrame({"time": np.arange(80), "value": steps + np.random.default_rng(4).normal(size=80)})
    table.to_csv(tmp_path / "walk.csv", index=False)
    out = tmp_path / "run"
    train("forecasting", Settings(data=str(tmp_path / "walk.csv"), anchor="line", combine="anchor", **QUICK), out)
    task = Task.new(Settings(data=str(tmp_path / "walk.csv"), anchor="line", **QUICK))
    line = task._anchors.lines[1]
    assert "theta" in line.way
    model = load(out).model
    np.testing.assert_array_equal(model.state_dict()["line_weight"], line.weight.astype(np.float32))
