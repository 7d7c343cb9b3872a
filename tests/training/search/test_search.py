"""Settings found by short trainings: steps and sizes for the minutes allowed, and the best of some candidates."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator

from elman.errors import UserError
from elman.run import load
from elman.tasks import task_module
from elman.tasks.series import Settings, Task
from elman.training.search import budget, halving
from elman.training.search.budget import check_time, fit_to_time
from elman.training.search.halving import Outcome, tune
from elman.training.search.time_limit import TimeLimit
from elman.training.search.trial import Times, Trial
from elman.training_run import train


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


def fitted(
    asked: Settings, seconds_a_step: float, monkeypatch: pytest.MonkeyPatch, accelerator: Accelerator
) -> tuple[Settings, dict[str, str]]:
    """The settings for one minute where a step of one network of 32 units takes so long."""

    def measured(task: Task, accelerator: Accelerator, seconds: float) -> Times:
        assert seconds <= 2
        s = task.settings
        return Times(seconds_a_step * s.members * s.hidden_size / 32, 0.0)

    monkeypatch.setattr(budget, "measure", measured)
    limit = TimeLimit(asked.minutes, time.perf_counter())
    task = fit_to_time(Task.new(asked), asked, accelerator, limit, 60.0)
    return task.settings, {one.setting: one.reason for one in task.choices}


def test_a_short_time_makes_the_network_smaller(
    data: str, monkeypatch: pytest.MonkeyPatch, accelerator: Accelerator
) -> None:
    asked = Settings(data=data, minutes=1)
    plain = Task.new(asked).settings
    settings, why = fitted(asked, 0.2, monkeypatch, accelerator)
    assert 2 <= settings.members < plain.members  # two at least, since each leaves another fold out
    assert settings.steps * 0.2 * settings.members * settings.hidden_size / 32 <= 60
    assert "1 minutes are allowed" in why["steps"]
    tiny, _ = fitted(asked, 2.0, monkeypatch, accelerator)
    assert (tiny.members, tiny.hidden_size) == (2, 16)
    assert 1 <= tiny.steps <= 54
    assert tiny.warmup <= tiny.steps // 5 + 1


def test_a_long_time_makes_more_networks_and_more_steps_up_to_twice(
    data: str, monkeypatch: pytest.MonkeyPatch, accelerator: Accelerator
) -> None:
    asked = Settings(data=data, minutes=1)
    plain = Task.new(asked).settings
    settings, _ = fitted(asked, 1e-6, monkeypatch, accelerator)
    assert (settings.members, settings.steps) == (2 * plain.members, 2 * plain.steps)
    kept, _ = fitted(replace(asked, members=3), 1e-6, monkeypatch, accelerator)
    assert kept.members == 3  # what was asked for stays


def test_steps_and_minutes_exclude_each_other(data: str) -> None:
    with pytest.raises(UserError, match="`steps` and `minutes`"):
        check_time(Settings(data=data, minutes=1, steps=10))
    check_time(Settings(data=data, minutes=1))
    parity = task_module("parity").Settings
    check_time(parity(minutes=1))
    with pytest.raises(UserError, match="leave one"):
        check_time(parity(minutes=1, steps=17))


def test_a_trial_is_the_training_itself(data: str, tmp_path: Path, accelerator: Accelerator) -> None:
    settings = Settings(data=data, members=1, folds=0, steps=6, eval_every=6, batch_size=8, hidden_size=8)
    result = train("series", settings, tmp_path / "run")
    task = Task.new(settings)
    trial = Trial(task, task.settings, accelerator)
    trial.train(6)
    assert trial.evaluate()["loss"] == pytest.approx(result.metrics["loss"], rel=1e-5)


REACHED = {"lr=0.01": 0.9, "seed=3": 0.8, "hidden_size=4": 0.6, "lr=0.01 seed=3": 0.95, "as the data ask": 0.5}


def test_the_best_two_changes_are_tried_together_and_the_best_of_all_is_taken(
    data: str, monkeypatch: pytest.MonkeyPatch, accelerator: Accelerator
) -> None:
    def offered(self: Task) -> Sequence[Mapping[str, Any]]:
        return [{"hidden_size": 4}, {"seed": 3}, {"lr": 1e-2}]

    def tried(task: Task, change: Mapping[str, Any], steps: int, accelerator: Accelerator) -> Outcome:
        return Outcome(change, steps, {"accuracy": REACHED[Outcome(change, steps, {}).name], "loss": 1.0})

    monkeypatch.setattr(Task, "candidates", offered)
    monkeypatch.setattr(halving, "_tried", tried)
    asked = Settings(data=data, tune=True)
    plain = Task.new(asked)
    task, outcomes = tune(plain, asked, accelerator)
    assert (task.settings.lr, task.settings.seed, task.settings.hidden_size) == (1e-2, 3, plain.settings.hidden_size)
    assert {one.steps for one in outcomes} == {plain.settings.steps // 4, plain.settings.steps // 2}
    why = {one.setting: one.reason for one in task.choices}
    assert "0.9500 against 0.5000" in why["lr"]
    monkeypatch.setitem(REACHED, "as the data ask", 0.99)
    task, _ = tune(Task.new(asked), asked, accelerator)
    assert task.settings == Task.new(asked).settings
    assert "none did better" in {one.setting: one.reason for one in task.choices}["tune"]


def test_a_tuned_run_says_what_was_tried(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(self: Task) -> Sequence[Mapping[str, Any]]:
        return [{"lr": 1e-2}, {"dropout": 0.9}]

    monkeypatch.setattr(Task, "candidates", offered)
    settings = Settings(data=data, members=2, steps=20, batch_size=16, hidden_size=8, tune=True)
    train("series", settings, tmp_path / "run")
    assert not load(tmp_path / "run").task.settings.tune
    rows = list(csv.DictReader((tmp_path / "run" / halving.TABLE).read_text().splitlines()))
    assert {row["steps"] for row in rows} == {"5", "10"}
    assert [row["settings"] for row in rows[:3]] == ["as the data ask", "lr=0.01", "dropout=0.9"]
    assert all(0 <= float(row["validation_accuracy"]) <= 1 for row in rows)
    why = {one["setting"]: one["reason"] for one in json.loads((tmp_path / "run" / "choices.json").read_text())}
    assert any("short trainings" in reason for reason in why.values())


def test_what_was_asked_for_is_not_searched(data: str, accelerator: Accelerator) -> None:
    given = {"hidden_size": 8, "lr": 1e-3, "dropout": 0.1, "readout": "max", "augment": 1.0, "stride": 1, "scales": 1}
    asked = Settings(data=data, tune=True, **given)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="nothing to search"):
        tune(Task.new(asked), asked, accelerator)


@pytest.mark.parametrize("name", ["series", "sentiment", "forecasting"])
def test_every_candidate_is_a_setting_that_differs(name: str) -> None:
    module = task_module(name)
    sized = {"hidden_size": 32, "steps": 100, "batch_size": 8, "eval_every": 10, "lr": 1e-3, "dropout": 0.3}
    extra = {
        "series": {"stride": 2, "scales": 2, "augment": 1.0, "members": 2, "folds": 0},
        "sentiment": {"embedding_size": 16, "word_dropout": 0.1, "members": 2, "folds": 0, "tokens": "words"},
        "forecasting": {"window": 24, "horizon": 12, "segment": 1, "anchor": "last", "combine": "none"},
    }
    settings = module.Settings(**sized, **extra[name])
    changes = module.Task(settings).candidates()
    assert sum(replace(settings, **change) != settings for change in changes) >= 6


def test_a_resumed_run_keeps_the_settings_that_were_found(data: str, tmp_path: Path) -> None:
    asked = Settings(data=data, minutes=0.1, batch_size=8, hidden_size=8, members=2)
    train("series", asked, tmp_path / "run")
    steps = load(tmp_path / "run").task.settings.steps
    assert steps >= 1
    again = train("series", asked, tmp_path / "run", resume=True)
    assert again.steps == steps
