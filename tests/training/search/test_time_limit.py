"""The minutes of a training hold: what reading takes counts, and a speed that was measured wrongly is put right."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from elman import cli, training_run
from elman.cli import train as command
from elman.cli.main import main
from elman.errors import UserError
from elman.run import load
from elman.tasks import task_module
from elman.tasks.series import Settings, Task
from elman.tasks.speech.transcripts import TranscriptTask
from elman.training.loop import Result
from elman.training.search import budget, halving, search
from elman.training.search.halving import Outcome, tune
from elman.training.search.time_limit import TimeLimit
from elman.training.search.trial import Times
from elman.training.settings import TrainingSettings
from elman.training.task import Task as BaseTask
from elman.training_run import train


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_steps_are_planned_again_where_the_rate_does_not_depend_on_their_number(
    schedule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, kept = Clock(monkeypatch), list[TrainingSettings]()
    limit = TimeLimit(1.0, 0.0, changed=lambda planned, reason: kept.append(planned))
    settings = TrainingSettings(steps=1000, warmup=100, schedule=schedule)
    done = 0
    while done < settings.steps and not limit.over(done, settings):
        clock.now, done = clock.now + 0.1, done + 1
        settings = limit.stepped(done, settings)
        assert settings.steps == 1000 or done >= 100
    assert 60 * 0.85 < clock.now < 60
    assert kept == [settings]
    assert done == settings.steps  # planned, not cut short


def test_steps_that_batches_depend_on_are_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for task, settings, depends in (
        ("parity", {}, True),
        ("parity", {"curriculum": 0.0}, False),
        ("translation", {"teacher_forcing_schedule": "linear"}, True),
        ("translation", {"teacher_forcing_schedule": "constant"}, False),
    ):
        module = task_module(task)
        made = module.Task.__new__(module.Task)
        made.settings = module.Settings(**settings)
        assert made.depends_on_steps == depends
    clock, limit = Clock(monkeypatch), TimeLimit(1.0, 0.0, plans_again=False)
    settings = TrainingSettings(steps=1000, warmup=10)
    for step in range(1, 20):
        clock.now += 0.1
        assert limit.stepped(step, settings) is settings


def test_what_is_said_to_be_enough_is_enough() -> None:
    now = time.perf_counter()
    with pytest.raises(UserError, match=r"allow (\S+) or more") as refused:
        TimeLimit(2.1, now - 60, looks_at_end=2, drawing=1.0, evaluation=30).check()
    enough = float(str(refused.value).split("allow ")[1].split()[0])
    TimeLimit(enough, now - 60, looks_at_end=2, drawing=1.0, evaluation=30).check()


def test_a_training_that_becomes_slow_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limit, settings = TimeLimit(1.0, 0.0), TrainingSettings(steps=10_000, warmup=0)
    done = 0
    while not limit.over(done, settings):
        clock.now, done = clock.now + 1, done + 1
    assert 60 * 0.85 < clock.now < 60 * 1.15


def test_no_more_steps_than_the_data_ask_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limit, settings = TimeLimit(1.0, 0.0, most=120), TrainingSettings(steps=100, warmup=10)
    for step in range(1, 11):
        clock.now += 0.001
        settings = limit.stepped(step, settings)
    assert settings.steps == 120


def test_minutes_hold_where_steps_are_slower_than_measured(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: Task, step: int, rank: int, world: int) -> Any:
        time.sleep(0.02)
        return batch(self, step, rank, world)

    batch = Task.batch
    monkeypatch.setattr(budget, "measure", lambda *given: Times(0.001, 0.001))
    monkeypatch.setattr(training_run, "finish", lambda *given: None)
    monkeypatch.setattr(search, "seconds_of_a_plot", lambda: 0.1)
    monkeypatch.setattr(Task, "compare", lambda *given: None)
    monkeypatch.setattr(Task, "batch", slow)
    asked = Settings(data=data, minutes=0.1, batch_size=8, hidden_size=8, members=1, folds=0, warmup=20)
    start = time.perf_counter()
    result = train("series", asked, tmp_path / "run")
    assert 2 < time.perf_counter() - start < 12  # by the speed that was measured it would be two minutes
    run = load(tmp_path / "run")
    assert run.task.settings.steps >= result.steps
    if result.steps == run.task.settings.steps:  # not cut short: the settings that were written say all
        monkeypatch.setattr(Task, "batch", batch)
        train("series", run.task.settings, tmp_path / "again")
        again = load(tmp_path / "again").model.state_dict()
        assert all(torch.equal(again[name], value) for name, value in run.model.state_dict().items())


def test_minutes_that_reading_takes_are_said(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Settings(data=data, minutes=0.5)
    with pytest.raises(UserError, match=r"`minutes=0.5` leaves no time to train: .* took 40 s; allow 1.4 or more"):
        train("series", asked, tmp_path / "run", since=time.perf_counter() - 40)
    assert not (tmp_path / "run").exists()


def test_the_command_counts_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(*given: Any, since: float, **more: Any) -> Result:
        assert since == cli.started
        return Result(1, "loss", 1.0, 1, 1.0, {}, first_process=False)

    monkeypatch.setattr(training_run, "train", trained)
    command.train_and_show("series", Settings(data="any.npz"), tmp_path)
    imported = cli.started
    main(["train", "series", "--data", "any.npz", "--out", str(tmp_path / "run")])
    assert cli.started > imported  # called from Python, it begins with the call


def test_a_search_ends_with_its_time(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(task: Task, change: Any, steps: int, accelerator: Any) -> Outcome:
        return Outcome(change, steps, {"accuracy": 0.9 if change else 0.5, "loss": 1.0})

    monkeypatch.setattr(halving, "_tried", tried)
    asked = Settings(data=data, tune=True)
    _, outcomes = tune(Task.new(asked), asked, None, time.perf_counter() - 1)
    assert [one.name for one in outcomes] == ["as the data ask"]


def test_simple_methods_that_take_long_are_left_out(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "comparing_takes", lambda self: 5.0)
    task = Task.new(Settings(data=data))
    task.compare(20.0)
    assert task._kept_baselines == []
    task = Task.new(Settings(data=data))
    task.compare(30.0)
    assert task._kept_baselines


@pytest.mark.parametrize("name", ["language", "translation", "captioning", "speech"])
def test_no_time_is_kept_for_looks_that_no_plot_needs(name: str) -> None:
    found = TranscriptTask if name == "speech" else task_module(name).Task
    assert found.finish is BaseTask.finish
    assert found.looks_at_end == 0
