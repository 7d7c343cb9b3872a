"""Bad input to `elman inspect` and `elman compare`: one line on standard error, exit code 2, nothing written."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.quick_runs import make_run, write_data
from torch import nn

from elman.cli.main import INSPECTIONS, main
from elman.tasks.memory import task as parity
from elman.training.tensor_files import read_tensors, write_tensors


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_run(folder / "writer", "language", data=("text.txt",), hidden_size=6, chunk=8, batch_size=4)
        make_run(folder / "parity", "parity", hidden_size=3, max_length=8)
        make_run(folder / "wide", "parity", hidden_size=100)
        make_run(folder / "judge", "sentiment", data="reviews.csv", hidden_size=4)
        make_run(folder / "vowels", "series", data="classes", hidden_size=4)
    return folder


def check_mistake(words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(words)
    error = capsys.readouterr().err
    assert end.value.code == 2, error
    assert error.count("\n") == 1, error
    for part in expected:
        assert part in error


def nothing(folder: Path) -> None:
    """Nothing spoilt."""


def not_a_number(folder: Path) -> None:
    for path in folder.glob("*/model.safetensors"):
        tensors, header = read_tensors(path)
        tensors["recurrent.layer.weight_hh_l0"][0, 0] = float("nan")
        write_tensors(path, tensors, header)


def no_data(folder: Path) -> None:
    """The run names the text of the run that it was copied from, by its absolute path."""
    settings = folder / "writer" / "settings.toml"
    (named,) = tomllib.loads(settings.read_text())["data"]
    settings.write_text(settings.read_text().replace(named, str(folder / "gone" / "text.txt")))


MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "nothing to look at": ("unroll parity", "", ["--input", "--text"]),
    "two things to look at": ("unroll parity --input 1 --text text.txt", "", ["--input", "--text"]),
    "a text of length 1": ("unroll writer --input t", "", ["1 tokens", "at least two"]),
    "units on a text of length 1": ("units writer --input t", "", ["1 tokens", "at least two"]),
    "an empty text": ("unroll writer --input", " ", []),
    "one bit has no units": ("units parity --input 1", "", ["one token", "longer"]),
    "one state": ("states parity --input 1", "", ["1 state", "two steps"]),
    "characters that are not there": ("unroll writer --input CAFÉ", "", ["'C'"]),
    "no bits": ("unroll parity --input 102", "", ["'2'", "place 3"]),
    "an empty review": ("unroll judge --input", " ", ["empty"]),
    "no such series": ("unroll vowels --input two.csv", "", ["two.csv"]),
    "no such file": ("units writer --text none.txt", "", ["none.txt"]),
    "no such layer": ("units writer --input fox --layer l7", "", ["'l7'", "recurrent.layer.l0"]),
    "no such unit": ("units writer --input fox --unit 6", "", ["no unit 6", "6, counted from 0"]),
    "no such token": ("units writer --input fox --near 3", "", ["no token 3"]),
    "a track that does not fit": ("units writer --input fox --track track.txt", "", ["2 numbers for 3 tokens"]),
    "a negative number of starts": ("states parity --starts -1", "", ["--starts is -1"]),
    "a graph that nobody can read": ("unroll wide --input 1 --graph", "", ["smaller layer"]),
    "a graph of a step that is not there": ("unroll parity --input 11 --graph --at 3", "", ["steps 1 to 2", "[3]"]),
    "a graph of all states read together": ("unroll judge --input food --graph", "", ["one direction"]),
    "more steps than a picture holds": ("unroll parity --input " + "10" * 40, "", ["80 steps", "at most 70"]),
    "no run": ("flow nowhere", "", ["nowhere holds no run"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_inspect(
    name: str, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs)
    (runs / "track.txt").write_text("01")
    words, last, expected = MISTAKES[name]
    check_mistake(["inspect", *words.split(), *filter(None, [last]), "--out", str(tmp_path / "out")], expected, capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("spoil", "commands", "expected"),
    [
        (not_a_number, list(INSPECTIONS), ["weight_hh_l0 holds NaN or infinity"]),
        (no_data, ["flow", "states"], ["text.txt"]),
    ],
)
def test_a_spoilt_run(
    spoil: Callable[[Path], None],
    commands: list[str],
    expected: list[str],
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(runs / "writer", tmp_path / "writer")
    shutil.copy(runs / "text.txt", tmp_path)
    spoil(tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in commands:
        given = ["--input", "the fox"] if command in ("unroll", "units") else []
        check_mistake(["inspect", command, "writer", *given], expected, capsys)
    assert not (tmp_path / "writer" / "inspect").exists()


class Bag(nn.Module):
    """A model that has no recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(16, 2)

    def forward(self, x: object, lengths: object, *, every_step: bool = False) -> object:
        raise AssertionError("nobody needs to call it to see that it has none")


def test_a_run_without_a_recurrent_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parity.Task, "build_model", lambda task: Bag())
    run = make_run(tmp_path / "bag", "parity")
    for command in INSPECTIONS:
        given = ["--input", "10"] if command in ("unroll", "units") else []
        check_mistake(["inspect", command, str(run), *given], ["Bag has no recurrent layer"], capsys)
    assert not (run / "inspect").exists()


def test_one_step_has_no_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "short", "language", data=("text.txt",), hidden_size=4, chunk=1, batch_size=4)
    check_mistake(["inspect", "flow", str(run)], ["T=1 step", "at least 2 steps"], capsys)
    assert not (run / "inspect").exists()


def test_a_task_that_shows_no_input(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import elman
    from elman.errors import UserError

    monkeypatch.delattr(parity.Task, "inspection_example")
    with pytest.raises(UserError, match="no inputs that can be looked at"):
        elman.load(runs / "parity").inspection_example("10")


COMPARISONS: dict[str, tuple[str, list[str]]] = {
    "no such problem": ("--problem subtraction", ["subtraction"]),
    "no such remedy": ("--remedies none,warmth", ["'warmth'", "orthogonal"]),
    "two layers at once": ("--remedies lstm+gru", ["two different layers"]),
    "no remedy": ("--remedies ,", ["at least one remedy"]),
    "too short": ("--length 1", ["length 1"]),
    "no seed": ("--seeds one", ["--seeds", "'one'"]),
    "a negative seed": ("--seeds=-1", ["--seeds", "at least 0"]),
    "no steps": ("--steps 0", ["at least one"]),
    "no learning rate": ("--lr 0", ["above zero"]),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_compare(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = COMPARISONS[name]
    check_mistake(["compare", *words.split(), "--out", str(tmp_path / "out")], expected, capsys)
    assert not (tmp_path / "out").exists()


def test_compare_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    check_mistake(["compare", "--out", str(tmp_path / "out")], ["is a file"], capsys)
