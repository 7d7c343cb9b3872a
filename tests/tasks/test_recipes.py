"""Recipes are settings that their tasks take."""

from pathlib import Path

import pytest

from elman.errors import UserError
from elman.tasks import recipe, recipes, task_module, task_names

RECIPES = [(task, choice) for task in task_names() for choice in recipes(task)[1]]


@pytest.mark.parametrize(("task", "choice"), RECIPES)
def test_every_recipe_makes_settings(task: str, choice: str) -> None:
    kind = task_module(task).Settings
    by, _ = recipes(task)
    assert getattr(kind(**recipe(task, choice)), by) in (choice, (choice,))


def test_there_are_recipes() -> None:
    assert {"parity", "series", "sentiment"} <= {task for task, _ in RECIPES}


def test_no_such_recipe() -> None:
    with pytest.raises(UserError, match="has no recipe for data 'sst3'; it has sst2"):
        recipe("sentiment", "sst3")


def test_the_command_line_takes_the_recipe_and_options_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.cli.main import main

    seen = []
    monkeypatch.setattr("elman.cli.train.train_and_show", lambda name, settings, out, **more: seen.append(settings))
    main(["train", "parity", "--problem", "copy", "--out", str(tmp_path / "run"), "--lr", "0.5"])
    expected = recipe("parity", "copy")
    assert seen[0].hidden_size == expected["hidden_size"]
    assert seen[0].lr == 0.5 != expected["lr"]


@pytest.mark.parametrize(
    ("task", "given"),
    [(task, []) for task in ("language", "translation", "parity", "speech")]
    + [("series", ["--data", "mnist"]), ("captioning", ["--data", "flickr8k"])],
)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_cell_is_all_that_need_be_named(
    task: str, given: list[str], cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elman.cli.main import main

    seen = []
    monkeypatch.setattr("elman.cli.train.train_and_show", lambda name, settings, out, **more: seen.append(settings))
    main(["train", task, *given, "--cell", cell, "--out", str(tmp_path / "run")])
    expected = "orthogonal" if cell == "rnn" else "uniform"
    assert seen[0].shape(4).init == expected


def test_what_a_gated_cell_has_not_is_said_where_it_is_asked_for() -> None:
    kind = task_module("language").Settings
    with pytest.raises(UserError, match="`init=orthogonal` is for `cell=rnn`"):
        kind(cell="gru", init="orthogonal")
