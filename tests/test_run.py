"""A run from Python: what `predict` and `train` take, and the one line for what they do not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import elman
from elman.errors import UserError
from elman.nn.registry import register_cell
from elman.tasks import memory
from elman.training.run_state import not_finite
from tests.cli.quick_runs import make_run, write_data

OLD_RUNS = Path(__file__).parent / "old_runs" / "runs_v0_1"
DAYS = pd.date_range("2024-01-01", periods=120, freq="D")
SALES = pd.Series(10 + np.sin(np.arange(120.0) / 3), index=DAYS)
ROWS = pd.DataFrame({"day": DAYS, "sales": SALES.to_numpy()})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_data(folder)
    ROWS.to_csv(folder / "day.csv", index=False)
    small = {"hidden_size": 4, "batch_size": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_run(folder / "sales", "forecasting", data="day.csv", window=10, horizon=3, **small)
        make_run(folder / "series", "series", data="classes", **small)
        for name in ("parity", "sentiment-words", "speech-class"):
            shutil.copytree(OLD_RUNS / name, folder / name)
        shutil.copytree(OLD_RUNS / "data" / "tones", folder / "tones")
    return folder


@pytest.fixture(autouse=True)
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def points(predictions: list[Any]) -> list[list[float]]:
    return [one.targets["sales"]["forecast"] for one in predictions]


def test_a_forecast_takes_a_name_a_table_a_series_and_lists_of_them() -> None:
    run = elman.load("sales")
    (expected,) = points(run.predict("day.csv"))
    assert len(expected) == 3
    one: list[Any] = ["day.csv", Path("day.csv"), ROWS, ROWS.set_index("day"), SALES, SALES.rename("sales")]
    for given in one:
        assert points(run.predict(given)) == [pytest.approx(expected, rel=1e-6)]
        assert points(run.predict([given, given])) == 2 * [pytest.approx(expected, rel=1e-6)]
    with pytest.raises(UserError, match=r"there is no file or folder week\.csv"):
        run.predict("week.csv")
    with pytest.raises(UserError, match="input 2 of 2 is '5', of type int; a forecasting run takes tables"):
        run.predict([ROWS, 5])


def test_a_series_run_takes_arrays_lists_and_tables() -> None:
    run = elman.load("series")
    values = np.array([[0.1, 0.2], [0.3, -0.4]])
    expected = run.predict(values)[0]
    assert run.predict([values.tolist(), pd.DataFrame(values)]) == [
        elman.load("series").predict([values, values])[0],
        elman.load("series").predict([values, values])[1],
    ]
    assert expected.probabilities.keys() == {"large", "small"}
    with pytest.raises(UserError, match="input 1 of 1 is '5', of type int; a series run takes files"):
        run.predict(5)


@pytest.mark.parametrize("name", ["speech-class", "series"])
def test_a_folder_stands_for_its_files(name: str) -> None:
    folder = Path("tones" if name == "speech-class" else "classes")
    files = sorted(
        path for path in folder.rglob("*") if path.suffix in (".wav", ".csv") and "transcript" not in path.name
    )
    run = elman.load(name)
    if name == "speech-class":
        files = [path for path in files if path.suffix == ".wav"]
    assert [one.label for one in run.predict(str(folder))] == [one.label for one in run.predict(files)]
    assert len(run.predict(folder)) == len(files) > 3
    Path("empty").mkdir(exist_ok=True)
    with pytest.raises(UserError, match=r"empty holds no files that end in .*; name another folder"):
        run.predict("empty")


@pytest.mark.parametrize("given", [5, None, {}, b"01", 0.5, ["01", 5], Path("x"), np.zeros(3), [["01"]], iter(["01"])])
@pytest.mark.parametrize("name", ["parity", "sentiment-words"])
def test_texts_are_texts(name: str, given: Any) -> None:
    run = elman.load(name)
    with pytest.raises(UserError, match=rf"input \d of \d is .*, of type \w+; a {run.task.name} run takes"):
        run.predict(given)


def test_bytes_that_were_not_decoded_are_read_as_utf_8() -> None:
    run = elman.load("sentiment-words")
    assert run.predict("sch\udcc3\udcb6n") == run.predict("schön")
    for broken in ("x\udcff", "\ud800"):
        with pytest.raises(UserError, match=r"input 1 of 1 is not UTF-8: .*; convert it"):
            run.predict(broken)
        with pytest.raises(UserError, match=r"the input is not UTF-8: .*; convert it"):
            run.inspection_example(broken)


def test_options_are_the_tasks_own() -> None:
    with pytest.raises(UserError, match=r"`options` is .*dict; give elman.tasks.memory.settings.Options, or leave"):
        elman.load("parity").predict("01", {"beam": 1})
    assert elman.load("parity").predict("01", memory.Options()) == elman.load("parity").predict("01")


@pytest.mark.parametrize("settings", [object(), None, memory.Settings, ["steps"]])
def test_settings_are_the_tasks_own(settings: Any) -> None:
    with pytest.raises(UserError, match=r"`settings` is .*; the task parity takes elman.tasks.memory.*Settings"):
        elman.train("parity", settings, "never")
    assert not Path("never").exists()


@pytest.mark.parametrize("kind", ["x", None, object])
def test_a_cell_is_a_cell_kind(kind: Any) -> None:
    with pytest.raises(UserError, match="a cell is registered as a CellKind, not as "):
        register_cell(kind)


def test_what_blew_up_is_named_by_what_was_done_before(monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.training.lr_schedule import BestTracker
    from elman.training.run_state import TrainState

    settings = memory.Settings(steps=2, lr=8.0, clip_norm=0.0, hidden_size=2, batch_size=2, max_length=3)
    for updates, expected in (
        (0, r"the loss is not finite at step 1; no weight had changed by then, so the data or the first weights"),
        (
            1,
            r"at step 2; the last gradient norm was .*; try `lr=0.005` or `clip_norm=1`; no checkpoint was saved",
        ),
    ):

        def blows_up(*_: Any, updates: int = updates, **__: Any) -> None:
            raise not_finite("loss", updates + 1, updates, TrainState(BestTracker(False)))

        monkeypatch.setattr("elman.training.loop.train", blows_up)
        with pytest.raises(UserError, match=expected):
            elman.train("parity", settings, f"blown-{updates}")


def test_settings_may_be_a_dictionary(place: Path) -> None:
    given = {"data": Path("classes"), "steps": 2, "members": 1, "folds": 0, "hidden_size": 4, "eval_every": 2}
    elman.train("series", given, "by-dictionary")
    assert elman.load("by-dictionary").task.settings.hidden_size == 4
    with pytest.raises(UserError, match="did you mean 'hidden_size'"):
        elman.train("series", given | {"hidden_sice": 4}, "never")
    with pytest.raises(UserError, match="`steps`"):
        elman.train("series", given | {"steps": -1}, "never")
    assert not (place / "never").exists()


def test_a_prediction_is_written_by_a_name_that_is_a_text() -> None:
    prediction = elman.load("sales").predict("day.csv")[0]
    assert {path.name for path in prediction.write("drawn.png")} == {"drawn.csv", "drawn.svg", "drawn.png"}
