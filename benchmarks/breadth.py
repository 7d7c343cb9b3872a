"""Many small public sets that nobody tuned for, by the defaults alone, beside simple methods.

The sets come inside packages; one that is not installed is named with the command that brings it. Series stand beside
the nearest neighbour, Euclidean and with time warping, texts beside tf-idf with logistic regression. Test parts are cut
to 300 examples, evenly spread, and warping compares at most 256 steps of a series, without a band.

Series in time are cut and measured as `elman train forecasting` and `elman evaluate` do; their figure is MASE, beside
the season before, theta, a line on the lags and ETS. The ratio to a method leaves out a set on which it is exact.

Run: python benchmarks/breadth.py [--only NAME ...] [--out FOLDER]
What is measured already stays in FOLDER/results.json and is not measured again, unless --only names it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from breadth_sets import SETS, NotInstalledError, write_files
from elman.data.scaling import Scaler
from elman.data.timeseries.classification import read_sequence_part
from elman.metrics.neighbours import nearest_accuracy, resampled, straight_distances, warped_distances
from elman.run import Run, load
from elman.tasks import task_module
from elman.training_run import train
from ets import ets_mase

LONGEST_WARPED = 256
Row = dict[str, float | str]


def measure(name: str, folder: Path, threads: int) -> Row:
    """Train by the defaults, and measure on the test part; the simple methods beside it."""
    kind = SETS[name].kind
    train_path, test_path = write_files(name, folder / "data")
    out = folder / "runs" / name
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    train(kind, task_module(kind).Settings(data=str(train_path), threads=threads), out)
    seconds = time.perf_counter() - start
    run = load(out)
    if kind == "forecasting":
        return forecast_row(run, seconds)
    row: Row = {
        "kind": kind,
        "examples": len(run.task.examples("train")),
        "validation": run.evaluate()["validation_accuracy"],
        "network": run.evaluate(test_path)["accuracy"],
        "seconds": seconds,
    }
    known = run.task.data.train.joined(run.task.data.validation)
    if kind == "series":
        scaler = Scaler.fit(known.values, "channels")
        test = read_sequence_part(test_path, run.task.classes, run.task.channels)
        own, others = ([scaler(values) for values in part.values] for part in (known, test))
        steps = int(np.median([len(one) for one in own]))
        short = min(steps, LONGEST_WARPED)
        straight = straight_distances(resampled(others, steps), resampled(own, steps))
        warped = warped_distances(resampled(others, short), resampled(own, short), band=1.0)
        row["euclid"] = nearest_accuracy(straight, test.labels, known.labels)
        row["warping"] = nearest_accuracy(warped, test.labels, known.labels)
    else:
        from elman.metrics.bag_of_words import tfidf_predictions

        test = run.task.other_examples(test_path)
        characters = run.task.settings.tokens == "characters"
        given = tfidf_predictions(known.texts, known.labels, test.names, characters=characters)
        row["tfidf"] = float((given == test.labels).mean())
    return row


def forecast_row(run: Run, seconds: float) -> Row:
    """MASE on the test part, of the network with its anchor and of the simple methods."""
    report = run.examine()
    by = {str(row[1]): float(row[4]) for row in report.tables[0].rows}
    season = next(value for name, value in by.items() if name.startswith("season before"))
    line = next(value for name, value in by.items() if name.startswith("linear"))
    return {
        "kind": "forecasting",
        "examples": len(run.task.data.train),
        "validation": report.metrics["validation_mase"],
        "network": by["this network"],
        "season": season,
        "theta": by["theta"],
        "linear": line,
        "ets": ets_mase(run),
        "seconds": seconds,
    }


def forecast_table(rows: dict[str, Row]) -> Table:
    """MASE of each series in time, and geometric means of its ratio to the simple methods'."""
    methods = ("season", "theta", "linear", "ets")
    table = Table("set", "windows", "network", *methods, "best", "validation", "seconds", title="forecasting, MASE")
    best = {name: min(float(row[method]) for method in methods[1:]) for name, row in rows.items()}
    for name, row in rows.items():
        figures = [f"{float(row[column]):.3f}" for column in ("network", *methods)]
        ends = (f"{best[name]:.3f}", f"{float(row['validation']):.3f}", f"{float(row['seconds']):.0f}")
        table.add_row(name, str(row["examples"]), *figures, *ends)

    def ratio(others: dict[str, float]) -> str:
        own = {name: float(rows[name]["network"]) / other for name, other in others.items() if other > 0}
        return f"{np.exp(np.mean(np.log(list(own.values())))):.3f}"

    means = [ratio({name: float(row[method]) for name, row in rows.items()}) for method in methods]
    table.add_row("mean ratio", f"{len(rows)} sets", "", *means, ratio(best), "", "")
    return table


SIMPLE = {"series": ("euclid", "warping"), "sentiment": ("tfidf",)}


def table_of(kind: str, rows: dict[str, Row]) -> Table:
    """The results of one kind; means leave out the sets of development."""
    methods = SIMPLE[kind]
    table = Table("set", "examples", "network", *methods, "validation", "seconds", title=kind, title_justify="left")
    for name, row in rows.items():
        star = "*" if SETS[name].development else ""
        figures = [f"{100 * float(row[column]):.1f}" for column in ("network", *methods, "validation")]
        table.add_row(name + star, str(row["examples"]), *figures, f"{float(row['seconds']):.0f}")
    for title, chosen in (
        ("mean", [row for name, row in rows.items() if not SETS[name].development]),
        ("mean with *", list(rows.values())),
    ):
        if not chosen:
            continue
        best = [max(float(row[method]) for method in methods) for row in chosen]
        behind = sum(float(row["network"]) < other for row, other in zip(chosen, best, strict=True))
        means = [
            f"{100 * np.mean([float(row[column]) for row in chosen]):.1f}"
            for column in ("network", *methods, "validation")
        ]
        spent = sum(float(row["seconds"]) for row in chosen)
        table.add_row(title, f"{len(chosen)} sets", *means, f"{spent:.0f}")
        gain = 100 * np.mean([float(row["network"]) - other for row, other in zip(chosen, best, strict=True)])
        table.add_row(
            "", f"behind on {behind}", f"{gain:+.1f} to the better one of each set", *[""] * (len(methods) + 2)
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Many small public sets by the defaults, beside simple methods.")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(SETS), help="measure these, anew")
    parser.add_argument("--out", type=Path, default=Path("runs/breadth"), help="folder of data, runs and results")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    console, results = Console(highlight=False, width=110), arguments.out / "results.json"
    rows: dict[str, Row] = json.loads(results.read_text()) if results.exists() else {}
    lacking: dict[str, list[str]] = {}
    for name in arguments.only or [name for name in SETS if name not in rows]:
        try:
            rows[name] = measure(name, arguments.out, arguments.threads)
        except NotInstalledError as error:
            lacking.setdefault(str(error), []).append(name)
            continue
        results.write_text(json.dumps(rows, indent=1))
        shown = ", ".join(f"{key} {value:.3g}" for key, value in rows[name].items() if isinstance(value, float))
        console.print(f"{name}: {shown}")
    for kind in SIMPLE:
        of_kind = {name: rows[name] for name in SETS if name in rows and rows[name]["kind"] == kind}
        if of_kind:
            console.print(table_of(kind, of_kind))
    if of_kind := {name: rows[name] for name in SETS if name in rows and rows[name]["kind"] == "forecasting"}:
        console.print(forecast_table(of_kind))
    for command, names in lacking.items():
        console.print(f"not measured: {', '.join(names)}; {command}")


if __name__ == "__main__":
    main()
