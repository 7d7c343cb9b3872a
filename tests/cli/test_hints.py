"""What a command says of a run that it is asked about without an input: what the task takes, and that it does."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from tests.cli.surroundings import called

from elman.run import load
from elman.training.tensor_files import read_tensors, write_tensors

OLD_RUNS = Path(__file__).parents[1] / "old_runs" / "runs_v0_1"
RUNS = sorted(path.name for path in OLD_RUNS.iterdir() if (path / "settings.toml").exists())
NOT_INSPECTED = ("forecasting", "speech")


@pytest.mark.parametrize("name", RUNS)
def test_inspect_without_an_input(name: str, tmp_path: Path) -> None:
    run = load(OLD_RUNS / name)
    code, out, err = called(["inspect", "unroll", str(OLD_RUNS / name)])
    assert (code, out) == (2, "")
    if run.task.name in NOT_INSPECTED:
        assert "--input" not in err
        assert "elman inspect flow and elman inspect states look at the next training batch" in err
        return
    suggested = shlex.split(re.findall(r"give one: (--input .*) for instance", err)[0])
    if run.task.inputs_are_files:
        assert "--text" not in err
    else:
        code, _, err = called(["inspect", "unroll", str(OLD_RUNS / name), *suggested, "--out", str(tmp_path)])
        assert code == 0, err


@pytest.mark.parametrize("command", ["unroll", "units", "states"])
@pytest.mark.parametrize("name", ["forecasting-direct", "speech-class"])
def test_no_input_is_suggested_that_would_be_refused(name: str, command: str) -> None:
    code, _, err = called(["inspect", command, str(OLD_RUNS / name), "1011"])
    assert code == 2
    assert "--input" not in err
    assert "'1011' is one word too many" in err


def test_a_file_that_is_given_as_the_text_in_it(tmp_path: Path) -> None:
    (tmp_path / "bits.txt").write_text("1011")
    code, _, err = called(["inspect", "units", str(OLD_RUNS / "parity"), "--input", str(tmp_path / "bits.txt")])
    assert code == 2
    assert f"is a file, and this run takes strings of 0s and 1s; say --text {tmp_path / 'bits.txt'}" in err


def test_a_file_among_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("good")
    run = next(name for name in RUNS if name.startswith("sentiment"))
    _, _, err = called(["predict", str(OLD_RUNS / run), "good", str(tmp_path / "a.txt")])
    assert f"say --file {tmp_path / 'a.txt'} in a command of its own, without other texts" in err


@pytest.mark.parametrize("name", [name for name in RUNS if not name.startswith(("sentiment", "translation"))])
def test_predict_without_an_input(name: str) -> None:
    code, _, err = called(["predict", str(OLD_RUNS / name)])
    task = load(OLD_RUNS / name).task
    assert (code, err) == (2, f"elman: nothing to predict; a {task.name} run takes {task.inputs}\n")


@pytest.mark.parametrize("name", RUNS)
def test_the_example_of_the_help_is_one_that_the_run_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(OLD_RUNS)
    code, out, err = called(["predict", name, "--help"])
    assert code == 0, err
    example = shlex.split(" ".join(out.split("Example: elman predict ")[1].split()))
    assert tuple(example[1:]) == load(name).task.predict_example
    if name in ("parity", "adding", "copy"):
        code, _, err = called(["predict", *example])
        assert code == 0, err


@pytest.mark.parametrize("name", ["forecasting-direct", "series-memory", "speech-class", "captioning"])
def test_files_that_are_no_names(name: str) -> None:
    task = load(OLD_RUNS / name).task
    for word, what in (("-", "- stands for standard input, and"), ("", "input 1 of 1 is an empty word;")):
        code, _, err = called(["predict", str(OLD_RUNS / name), word])
        assert code == 2
        assert f"elman: {what} a {task.name} run takes {task.inputs}" in err


def test_standard_input() -> None:
    words = ["predict", str(OLD_RUNS / "parity")]
    assert called([*words, "-"], stdin=b"1011\n\n10\n") == called([*words, "1011", "10"])
    assert called([*words, "-", "--json"], stdin=b"1011") == called([*words, "1011", "--json"])
    assert "standard input is empty; give strings of 0s and 1s" in called([*words, "-"], stdin=b"\n")[2]
    assert "'01' is given beside -" in called([*words, "01", "-"], stdin=b"1")[2]


def test_flow_calls_for_no_remedy_where_every_answer_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(OLD_RUNS)  # where its data lie
    run = tmp_path / "run"
    shutil.copytree(OLD_RUNS / "speech-class", run)
    said = []
    for accuracy in (0.5, 1.0):
        tensors, header = read_tensors(run / "model.safetensors")
        write_tensors(run / "model.safetensors", tensors, {**header, "accuracy": accuracy})
        said.append(json.loads(called(["inspect", "flow", str(run), "--json"])[1])["verdict"])
    assert all(one.startswith("Gradients vanish in ") for one in said)
    assert "try --" in said[0]
    assert said[1].endswith("every answer of its validation part is right (validation accuracy 1).")
    assert said[0].split("; try")[0] == said[1].split("; the run needs no mending for it")[0]


def test_no_table_of_mistakes_where_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(OLD_RUNS, tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "runs")
    code, out, _ = called(["evaluate", "sentiment-words"])
    assert code == 0
    assert "the most confident mistakes: none" in out
    assert "probability" not in out
    assert (tmp_path / "runs" / "sentiment-words" / "mistakes.csv").read_text().startswith("true class,answer")
