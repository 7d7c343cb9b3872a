"""Forecasting: learned from a file, beside its baselines, continued into a table and a picture."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import elman
from elman.cli.main import main
from elman.errors import UserError
from elman.run import Run, load
from elman.tasks.forecasting.settings import Options, Settings
from elman.training.run_folder import RunFolder
from elman.training_run import train

SMALL = {"steps": 80, "eval_every": 40, "hidden_size": 8, "threads": 1, "lr": 1e-2, "warmup": 10}


def shops(days: int = 200) -> pd.DataFrame:
    """Two shops of different size with a weekly cycle; on holidays, which are known, they sell twice as much."""
    generator = np.random.default_rng(0)
    parts = []
    for name, size in (("north", 10.0), ("south", 1000.0)):
        when = pd.date_range("2021-03-01", periods=days, freq="D")
        holiday = (np.arange(days) % 11 == 0).astype(int)
        sales = size * (3 + np.sin(2 * np.pi * np.arange(days) / 7) + holiday * 4 + 0.05 * generator.normal(size=days))
        parts.append(pd.DataFrame({"shop": name, "day": when, "holiday": holiday, "sales": sales}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forecasting")
    shops().to_csv(folder / "shops.csv", index=False)
    settings = Settings(
        data=str(folder / "shops.csv"),
        series_id="shop",
        known=("holiday",),
        window=14,
        horizon=7,
        segment=2,
        **SMALL | {"steps": 300, "batch_size": 64},
    )
    train("forecasting", settings, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def run(trained: Path) -> Run:
    return load(trained)


def with_future(table: pd.DataFrame, days: int) -> pd.DataFrame:
    """The table with `days` more rows of each shop, all of them holidays, whose sales nobody knows."""
    parts = []
    for name, part in table.groupby("shop"):
        when = pd.date_range(pd.to_datetime(part["day"]).iloc[-1], periods=days + 1, freq="D")[1:]
        future = pd.DataFrame({"shop": name, "day": when, "holiday": 1})
        parts += [part.assign(day=pd.to_datetime(part["day"])), future]
    return pd.concat(parts, ignore_index=True)


def test_beats_every_baseline_by_what_it_knows_of_the_future(trained: Path, run: Run) -> None:
    report = run.examine()
    metrics = report.metrics
    assert metrics["test_mae"] < 0.75 * metrics["test_best_baseline_mae"]
    assert 0.5 < metrics["test_coverage"] <= 1
    table, steps, forecasts = report.tables
    assert [row[1] for row in table.rows if not row[1].startswith("its anchor")] == [
        "this network",
        "last value",
        "season before (7 steps)",
        "theta",
        "linear on 14 lags",
    ]
    assert table.rows[0][2] == pytest.approx(metrics["test_mae"])
    assert len(steps.rows) == 7
    assert forecasts.only_file
    assert len(forecasts.rows) == 2 * 14  # two shops, the last 20 days: two whole forecasts of 7
    own = [abs(row[4] - row[5]) for row in forecasts.rows]
    assert np.mean(own) == pytest.approx(metrics["test_mae"], rel=0.5)
    assert all(low <= point <= high for *_, point, low, high in forecasts.rows)
    names = {path.name for path in trained.iterdir()}
    assert names >= {"series.json", "forecast.png", "loss.svg", "model.safetensors", "settings.toml", "metrics.csv"}


def test_continues_a_file(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "now.csv"
    with_future(shops(60), 7).to_csv(path, index=False)
    main(["predict", str(trained), str(path), "--out", str(tmp_path / "next"), "--json"])
    north, south = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (north["series"], south["series"]) == ("north", "south")
    assert north["times"][0] == "2021-04-30"
    sales = north["targets"]["sales"]
    assert min(sales["forecast"]) > 35  # a holiday every day
    assert all(low <= high for low, high in zip(sales["lower"], sales["upper"], strict=True))
    written = pd.read_csv(tmp_path / "next.csv")
    assert list(written.columns) == ["shop", "day", "sales", "sales_lower", "sales_upper"]
    assert written["sales"].to_list() == pytest.approx(sales["forecast"] + south["targets"]["sales"]["forecast"])
    assert (tmp_path / "next.png").stat().st_size > 1000


def test_by_way_of_the_package_nothing_is_written(run: Run) -> None:
    before = sorted(run.folder.path.iterdir())
    predictions = elman.load(run.folder.path).predict([with_future(shops(60), 7)])
    assert [p.series for p in predictions] == ["north", "south"]
    assert "north" in run.task.show(predictions)
    assert sorted(run.folder.path.iterdir()) == before
    with pytest.raises(UserError, match="a direct run forecasts 7 steps"):
        run.predict([with_future(shops(60), 9)], Options(horizon=9))


def test_measured_on_another_file(trained: Path, run: Run, tmp_path: Path) -> None:
    shops(40).to_parquet(tmp_path / "other.parquet")
    report = run.examine(tmp_path / "other.parquet")
    assert report.metrics["data_mae"] < report.metrics["data_best_baseline_mae"]


def widths(run: Run, table: pd.DataFrame) -> list[float]:
    """How wide each series' intervals are on average."""
    targets = [prediction.targets["sales"] for prediction in run.predict([table])]
    return [float(np.mean(np.subtract(target["upper"], target["lower"]))) for target in targets]


def test_intervals_widen_with_the_errors_of_the_file(run: Run) -> None:
    calm = with_future(shops(200), 7)
    shaken = calm.copy()
    shaken["sales"] *= 1 + 0.5 * np.random.default_rng(1).normal(size=len(shaken))
    last = slice(-21, None)  # the window itself is the same, so that only what was missed before it tells
    for name in ("north", "south"):
        rows = calm.index[calm["shop"] == name][last]
        shaken.loc[rows, "sales"] = calm.loc[rows, "sales"]
    assert all(wide > 2 * narrow for wide, narrow in zip(widths(run, shaken), widths(run, calm), strict=True))
    short = [table.groupby("shop").tail(60) for table in (calm, shaken)]
    assert widths(run, short[0]) == pytest.approx(widths(run, short[1]))  # too few to tell: validation's


def test_settings_of_the_first_version_are_still_read(trained: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(trained, tmp_path / "copy")
    path = copy / "settings.toml"
    assert 'calibrate = "recent"' in path.read_text()
    path.write_text(path.read_text().replace('calibrate = "recent"', "calibrate = true"))
    assert load(copy).task.settings.calibrate == "validation"
    path.write_text(path.read_text().replace("calibrate = true", "calibrate = false"))
    assert load(copy).task.settings.calibrate == "none"


def test_a_damaged_scale(trained: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(trained, tmp_path / "copy")
    (copy / "series.json").write_text((copy / "series.json").read_text()[:100])
    with pytest.raises(UserError, match=r"series\.json is damaged"):
        load(copy)


def wave(path: Path) -> Path:
    """A wave that grows, and another that follows it by three rows, at times that are plain numbers."""
    time = np.arange(160)
    first = np.exp(0.01 * time) * (2 + np.sin(time / 2))
    table = pd.DataFrame({"step": time, "lead": first, "lag": np.roll(first, 3)}).iloc[3:]
    table.to_csv(path, index=False)
    return path


def test_recursive_forecasts_of_two_variables(tmp_path: Path) -> None:
    settings = Settings(
        data=str(wave(tmp_path / "wave.csv")),
        target=("lead", "lag"),
        mode="recursive",
        window=20,
        horizon=6,
        transform="log",
        **SMALL,
    )
    train("forecasting", settings, tmp_path / "run")
    run = load(tmp_path / "run")
    table = run.examine().tables[0]
    maes = {row[:2]: row[2] for row in table.rows}
    for target in ("lead", "lag"):
        assert maes[target, "this network"] < maes[target, "last value"]
        assert maes[target, "linear on 20 lags"] < 1e-6  # two waves and a growth are a line through the lags
    (prediction,) = run.predict([str(tmp_path / "wave.csv")], Options(horizon=10))
    assert prediction.times == [str(number) for number in range(160, 170)]
    assert prediction.targets.keys() == {"lead", "lag"}
    assert len(prediction.targets["lag"]["upper"]) == 10
    assert {path.suffix for path in prediction.write(tmp_path / "next")} == {".csv", ".svg", ".png"}
    assert not (tmp_path / "run" / "forecast-wave.csv").exists()


def test_goes_on_after_a_stop_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    data = str(wave(tmp_path / "wave.csv"))
    settings = Settings(data=data, window=10, horizon=4, dropout=0.1, **SMALL | {"checkpoint_every": 20})
    train("forecasting", settings, tmp_path / "whole")

    from elman.tasks.forecasting.task import Task
    from elman.training.signals import Interrupted

    class Stopping(Task):
        def batch(self, step: int, rank: int, world: int):  # type: ignore[no-untyped-def]
            if step == 50:
                raise Interrupted("stopped", 130)
            return super().batch(step, rank, world)

    from elman.training.loop import train as loop
    from elman.training.optim import start_accelerator

    folder = RunFolder(tmp_path / "stopped")
    task = Stopping.new(settings)
    folder.write_settings("forecasting", task.settings)
    task.save(folder.path)
    task.prepare()
    with pytest.raises(Interrupted):
        loop(task, task.settings, folder, start_accelerator(settings))
    train("forecasting", settings, folder.path, resume=True)
    for name in ("model.safetensors",):
        assert (folder.path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gated_cells_to_compare_with(cell: str, tmp_path: Path) -> None:
    settings = Settings(data=str(wave(tmp_path / "wave.csv")), window=10, horizon=4, cell=cell, **SMALL | {"steps": 4})  # type: ignore[arg-type]
    assert train("forecasting", settings, tmp_path / "run").steps == 4


@pytest.mark.data
@pytest.mark.parametrize("name", ["etth1", "airline", "sunspots"])
def test_the_datasets_by_name_have_their_standard_split(name: str, tmp_path: Path) -> None:
    import os

    if not os.environ.get("ELMAN_DATA"):
        pytest.skip("ELMAN_DATA names no cache folder")
    from elman.tasks.forecasting.task import Task

    horizon = 24 if name == "airline" else 12
    data = Task.new(Settings(data=name, horizon=horizon)).data
    counts = {"etth1": (2880, 2880), "airline": (24, 24), "sunspots": (282, 282)}[name]
    assert (len(data.validation), len(data.test)) == tuple(count - horizon + 1 for count in counts)


def test_windows_are_evaluated_some_at_a_time(trained: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run.examine()
    monkeypatch.setattr("elman.data.timeseries.windows.NUMBERS_AT_ONCE", 14 * 5)  # five windows
    again = load(trained)
    assert len(list(again.task.data.validation.pieces())) > 2
    assert again.examine().metrics == pytest.approx(whole.metrics, rel=1e-9)


def test_a_sample_of_the_validation_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shops().to_csv(tmp_path / "shops.csv", index=False)
    settings = {
        "data": str(tmp_path / "shops.csv"),
        "series_id": "shop",
        "known": ("holiday",),
        "window": 14,
        "horizon": 7,
    }
    caplog.set_level("INFO")
    figures = []
    for name, sample in (("some", 16), ("all", 0)):
        asked = Settings(**settings, validation=60.0, validation_sample=sample, **SMALL)  # type: ignore[arg-type]
        train("forecasting", asked, tmp_path / name)
        figures.append(load(tmp_path / name).evaluate())
    assert caplog.text.count("validation MASE (of 16 of its 108 windows)") == 1
    assert figures[0] == figures[1]  # `evaluate` looks at all of it
    assert (tmp_path / "some" / "forecast.svg").exists()
