"""`elman compare` trains what it says, and writes what it shows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from elman import insight
from elman.cli.main import main
from elman.insight.remedies import compare as remedies

QUICK = "--length 4 --steps 4 --eval-every 2 --hidden-size 4 --batch-size 4 --seeds 0,3".split()


def test_tables_plot_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "--problem", "copy", "--remedies", "none,truncated,orthogonal+clip", "--out", str(tmp_path)]
    main([*words, *QUICK, "--json"])
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert facts["problem"] == "copy, silence 4"
    assert err.count("seed") == 6
    assert {(row["remedy"], row["seed"]) for row in facts["runs"]} == {
        (remedy, seed) for remedy in ("none", "truncated", "orthogonal+clip") for seed in (0, 3)
    }
    names = {"remedies.svg", "remedies.png", "runs.csv", "losses.csv"}
    assert {path.name for path in tmp_path.iterdir()} == {Path(path).name for path in facts["written"]} == names
    with open(tmp_path / "losses.csv") as file:
        losses = list(csv.DictReader(file))
    assert len(losses) == 12
    first = [float(row["loss"]) for row in losses if (row["remedy"], row["seed"]) == ("none", "3")]
    (run,) = (row for row in facts["runs"] if (row["remedy"], row["seed"]) == ("none", 3))
    assert run["best_loss"] == min(first)


def test_the_table_in_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(insight, "save_figure", lambda figure, path: (path,))  # painted by the test above
    main(["compare", "--remedies", "none", "--out", str(tmp_path), *QUICK])
    shown = capsys.readouterr().out
    assert "adding, T = 4" in shown.replace("\n", " ")
    assert "gradient left" in shown
    assert f"written: {tmp_path}" in shown


@pytest.mark.parametrize("finished", [0, 1])
def test_ctrl_c_keeps_the_remedies_that_are_finished(
    finished: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, done = remedies._run, list[str]()

    def run_or_stop(remedy: str, *others: Any) -> Any:
        if len(done) == 2 * finished:  # two seeds each
            raise KeyboardInterrupt
        done.append(remedy)
        return run(remedy, *others)

    monkeypatch.setattr(remedies, "_run", run_or_stop)
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "--remedies", "none,clip,gru", "--out", str(tmp_path / "out"), *QUICK])
    assert stopped.value.code == 130
    out, err = capsys.readouterr()
    assert "elman: stopped" in err
    assert ("1 of 3 remedies are finished" in err) == bool(finished)
    assert (tmp_path / "out" / "runs.csv").exists() == bool(finished)
    if finished:
        assert "none" in out
        with open(tmp_path / "out" / "runs.csv") as file:
            assert [row["remedy"] for row in csv.DictReader(file)] == ["none", "none"]
