"""What follows from the data, cross-validation by several networks, and simple methods beside them."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from elman import insight
from elman.data.batching import IGNORE_INDEX
from elman.data.splits import folds
from elman.data.timeseries.augmentation import vary
from elman.errors import UserError
from elman.run import load
from elman.tasks.series.auto import SeriesFacts, choose
from elman.tasks.series.settings import Settings
from elman.tasks.series.task import Task
from elman.training_run import train

FEW = SeriesFacts(examples=36, length=251, channels=1, classes=3, smallest=12, own_validation=False, spread=1.0)


def chosen(facts: SeriesFacts, settings: Settings) -> dict[str, object]:
    return {one.setting: one.value for one in choose(facts, settings)}


def test_few_series_are_judged_by_cross_validation_and_many_by_a_part() -> None:
    few = chosen(FEW, Settings())
    assert (few["members"], few["folds"], few["eval_every"]) == (5, 10, few["steps"])
    given = chosen(replace(FEW, own_validation=True), Settings())
    assert (given["members"], given["folds"]) == (5, 0)
    many = chosen(replace(FEW, examples=50_000), Settings())
    assert (many["members"], many["folds"], many["hidden_size"]) == (1, 0, 128)


def test_patches_follow_from_the_length() -> None:
    assert chosen(FEW, Settings())["stride"] == 4
    assert chosen(replace(FEW, length=12), Settings())["stride"] == 1
    short = chosen(replace(FEW, length=4), Settings())
    assert (short["stride"], short["scales"]) == (1, 1)
    wide = chosen(replace(FEW, length=5_000, channels=300), Settings())
    assert (wide["stride"], wide["scales"]) == (78, 1)
    assert chosen(replace(FEW, length=1_460), Settings())["stride"] == 24  # three steps averaged, eight to a stride


def test_series_of_sizes_far_apart_are_each_divided_by_their_own() -> None:
    assert chosen(replace(FEW, spread=99.9), Settings())["scale"] == "channels"
    assert chosen(replace(FEW, spread=100.0), Settings())["scale"] == "series"
    assert "scale" not in chosen(replace(FEW, spread=1e5), Settings(scale="channels"))
    (why,) = [one.reason for one in choose(replace(FEW, spread=97_739.2), Settings()) if one.setting == "scale"]
    assert why.startswith("the series' root mean squares differ 97,700-fold")
    wide = replace(FEW, length=5_000, channels=150)
    twice = chosen(replace(wide, channels=300), Settings())  # their sizes are channels, too
    assert chosen(wide, Settings(scale="series"))["scales"] == twice["scales"] != chosen(wide, Settings())["scales"]


def test_what_is_set_is_kept_and_the_rest_follows_from_it() -> None:
    asked = Settings(hidden_size=7, members=2, stride=3, steps=50, augment=0)
    found = chosen(FEW, asked)
    assert not {"hidden_size", "members", "stride", "steps", "augment"} & found.keys()
    assert found["eval_every"] == 50
    assert chosen(FEW, Settings(folds=4))["members"] == 5
    assert chosen(replace(FEW, examples=50_000), Settings(folds=4))["members"] == 2
    still = chosen(FEW, Settings(small_init=True))
    assert (still["stride"], still["scales"]) == (1, 1)


def test_every_choice_has_its_reason() -> None:
    assert all(len(one.reason) > 5 for one in choose(FEW, Settings()))
    assert {one.setting for one in choose(FEW, Settings())} == set(Settings.by_data)


def test_settings_that_cannot_be() -> None:
    for wrong, message in (
        ({"folds": 1}, "`folds` is 1"),
        ({"folds": 3, "members": 1}, "`members` is 1"),
        ({"small_init": True, "stride": 4}, "`small_init`"),
        ({"augment": -2}, "`augment`"),
        ({"dropout": -1}, "`dropout`"),
    ):
        with pytest.raises(UserError, match=message):
            Settings(**wrong)  # type: ignore[arg-type]


def test_folds_hold_the_same_share_of_every_class() -> None:
    labels = np.array([0] * 20 + [1] * 10 + [2] * 3)
    held = folds(labels, 5, 0)
    assert [np.bincount(held[labels == label], minlength=5).tolist() for label in (0, 1)] == [[4] * 5, [2] * 5]
    assert np.ptp(np.bincount(held)) <= 1
    assert np.array_equal(held, folds(labels, 5, 0))


def test_a_varied_series_is_like_the_one_that_was_recorded() -> None:
    series = np.sin(np.linspace(0, 9, 80, dtype=np.float32))[:, None]
    one, other = (vary(series, 1.0, np.random.default_rng(seed)) for seed in (0, 1))
    assert one.shape == series.shape
    assert one.dtype == np.float32
    assert not np.allclose(one, other)
    assert np.corrcoef(one[:, 0], series[:, 0])[0, 1] > 0.8
    still = vary(series, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(still, series, atol=1e-6)
    assert vary(series[:1], 1.0, np.random.default_rng(0)).shape == (1, 1)


def bumps(folder: Path, count: int = 24) -> Path:
    """Series of two kinds: a bump, and a hollow, anywhere in noise."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    x = generator.normal(0, 0.2, (count, 40, 1))
    for row, place in enumerate(generator.integers(0, 32, count)):
        x[row, place : place + 8, 0] += np.hanning(8) * (3 if labels[row] else -3)
    path = folder / "bumps.npz"
    np.savez(path, x=x.astype(np.float32), y=np.where(labels, "bump", "hollow"))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("auto")
    settings = Settings(data=str(bumps(folder)), members=3, folds=6, steps=40, hidden_size=8, threads=1)
    train("series", settings, folder / "run")
    return folder / "run"


def test_the_run_says_what_was_chosen_and_why(trained: Path) -> None:
    choices = json.loads((trained / "choices.json").read_text())
    assert {"scale", "stride", "scales", "augment", "batch_size", "eval_every"} == {one["setting"] for one in choices}
    assert all(set(one) == {"setting", "value", "reason"} for one in choices)
    assert load(trained).task.settings.eval_every == 40


def test_no_network_sees_its_fold_and_each_example_is_judged_by_those_that_never_saw_it(trained: Path) -> None:
    run = load(trained)
    task = run.task
    assert isinstance(task, Task)
    assert len(task.examples("train")) == 24  # nothing is held out for good
    batch = task.batch(0, 0, 1)
    ignored = batch.labels == IGNORE_INDEX
    assert ignored.shape == (3, 24)
    assert ignored.sum(1).tolist() == [4, 4, 4]
    assert ignored.sum(0).max() == 1
    judged = task.judged("validation")
    assert len(judged) == 12  # three of six folds
    held = folds(task.examples("train").labels, 6, 0)
    first = int(np.flatnonzero(held < 3)[0])
    x = torch.from_numpy(task.examples("train").sequences[first]).unsqueeze(1)
    with torch.no_grad():
        own = run.model(x, torch.tensor([40]), each=True)[held[first], 0].softmax(-1)
        answers = task.answers(run.model, "validation")
    torch.testing.assert_close(answers.scores[0].softmax(-1), own)
    assert run.evaluate()["validation_accuracy"] >= 0.75
    apart = task.held_out()
    assert apart.shape == (12, 24)
    assert apart.sum(1).tolist() == [4] * 12


def test_the_same_bits_again_and_after_a_stop(trained: Path, tmp_path: Path) -> None:
    settings = load(trained).task.settings
    again = tmp_path / "again"
    train("series", settings, again)
    assert (again / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    (again / "model.safetensors").unlink()
    (again / "last.safetensors").unlink()
    open_again = Settings(data=settings.data, members=3, folds=6, steps=40, hidden_size=8, threads=1)
    train("series", open_again, again, resume=True)
    assert (again / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_simple_methods_stand_beside_the_network(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data=str(bumps(tmp_path)), members=2, folds=4, steps=1, hidden_size=2, lr=1e-6, threads=1)
    with caplog.at_level(logging.INFO, logger="elman"):
        train("series", settings, tmp_path / "run")
    said = caplog.text
    assert "validation accuracy, 12 examples: network" in said
    assert "nearest neighbour" in said
    assert "with warping" in said
    assert "the network is behind: " in said  # one step of nothing is no match for warping
    assert "try more `members`" in said


def test_one_network_of_several_is_looked_into(trained: Path) -> None:
    run = load(trained)
    example = run.inspection_example(str(trained.parent / "bumps.npz"))
    assert len(example.tokens) == 40  # its stride is 1
    found = insight.unroll(run.inspected, example.inputs, example.targets, tokens=example.tokens, layer=example.layer)
    assert len(found.x) == 40
    flow = insight.gradient_flow(run.inspected, run.batch(), run.cost)
    assert flow is not None
