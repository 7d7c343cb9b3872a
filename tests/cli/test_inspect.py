"""`elman inspect` works for a run of every task, and says the numbers that `elman.insight` has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from tests.cli.quick_runs import TEXT, make_run, write_data

import elman
from elman import insight
from elman.cli.inspect.units import read_track
from elman.cli.main import INSPECTIONS, main
from elman.cli.messages import as_options, finite
from elman.errors import UserError
from elman.training.checkpoint import save_weights
from elman.training.monitoring.gradient_monitor import remedies

# by name: the task, its settings, and one input
RUNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "language": ("language", {"data": ("text.txt",), "hidden_size": 6, "chunk": 8}, "the fox"),
    "lstm": (
        "language",
        {"data": ("text.txt",), "tokens": "words", "cell": "lstm", "layers": 2, "init": "uniform", "chunk": 8}
        | {"hidden_size": 5},
        "the fox jumps",
    ),
    "parity": ("parity", {"hidden_size": 3, "max_length": 8}, "1011"),
    "gru": (
        "parity",
        {"cell": "gru", "init": "uniform", "supervise": "last", "hidden_size": 3, "max_length": 8},
        "1011",
    ),
    "adding": ("parity", {"problem": "adding", "max_length": 6, "hidden_size": 2}, "0.1 0.5* 0.3 0.8*"),
    "copy": ("parity", {"problem": "copy", "max_length": 4, "hidden_size": 8}, "0123456712"),
    "sentiment": (
        "sentiment",
        {"data": "reviews.csv", "hidden_size": 6, "members": 1, "folds": 0},
        "the food was good",
    ),
    "series": ("series", {"data": "classes", "hidden_size": 6}, "one.csv"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspect")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, (task, settings, _) in RUNS.items():
            make_run(folder / name, task, batch_size=4, **settings)
    return folder


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay pictures out, but paint none: painting takes most of a command's time."""

    def save(figure: Figure, path: Path) -> tuple[Path, Path]:
        assert figure.get_suptitle()
        return path.with_suffix(".svg"), path.with_suffix(".png")

    monkeypatch.setattr(insight, "save_figure", save)


def asked(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    main([*words, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("quick_pictures")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("command", INSPECTIONS)
def test_every_command_on_every_task(
    command: str, name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    given = ["--input", RUNS[name][2]] if command in ("unroll", "units") else []
    facts = asked(["inspect", command, name, *given], capsys)
    assert facts["run"] == name
    assert {Path(path).suffix for path in facts["written"]} >= {".svg", ".png"}
    assert {Path(path).parent for path in facts["written"]} == {Path(name) / "inspect"}


@pytest.mark.usefixtures("quick_pictures")
@pytest.mark.parametrize(
    ("command", "words"),
    [("flow", "spectral"), ("units", "Nearest in state"), ("states", "starts that")],
)
def test_what_is_shown(
    command: str, words: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    main(["inspect", command, "parity", *(["--input", "1011"] if command == "units" else [])])
    shown = capsys.readouterr().out
    assert words in shown
    assert f"written: parity/inspect/{command}." in shown


def test_what_is_written(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    main(["inspect", "unroll", "parity", "--input", "10", "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "copies of one network" in shown
    written = [Path(path) for path in shown.partition("written: ")[2].strip().split(", ")]
    assert sorted(written) == sorted(tmp_path.iterdir()) == [tmp_path / "unrolled.png", tmp_path / "unrolled.svg"]
    assert all(path.stat().st_size > 1000 for path in written)


@pytest.mark.usefixtures("quick_pictures")
def test_unroll_gives_the_gradients_of_training(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    run = elman.load("language")
    ids = torch.tensor(run.task.vocabulary.encode("the fox")).unsqueeze(1)
    cost = run.cost(run.model, (ids[:-1], ids[1:], True)) * (len(ids) - 1)  # the mean of those that have a target
    cost.backward()
    facts = asked(["inspect", "unroll", "language", "--input", "the fox"], capsys)
    assert facts["cost"] == pytest.approx(float(cost.detach()), rel=1e-5)
    assert [step["token"] for step in facts["steps"]] == list("the fox")
    assert facts["steps"][-1]["cost"] == 0
    for name, weight in facts["shared_weights"].items():
        expected = float(run.model.get_parameter(name).grad.norm())
        assert weight["gradient_norm"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("quick_pictures")
@pytest.mark.parametrize(("name", "text"), [("parity", "101"), ("gru", "10"), ("adding", "0.5* 0.1*")])
def test_the_graph_of_a_run_ends_in_the_cost_that_unroll_has(
    name: str, text: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    graph = asked(["inspect", "unroll", name, "--input", text, "--graph", "--at", "1"], capsys)
    whole = asked(["inspect", "unroll", name, "--input", text], capsys)
    assert graph["cost"] == pytest.approx(whole["cost"], rel=1e-5)
    nodes = {node["node"]: node for node in graph["nodes"]}
    (layer,) = whole["steps"][0]["layers"].values()
    for unit, (value, gradient) in enumerate(zip(layer["h"], layer["grad_h"], strict=True)):
        assert nodes[f"h_1[{unit}]"]["value"] == pytest.approx(value, rel=1e-4, abs=1e-7)
        assert nodes[f"h_1[{unit}]"]["gradient"] == pytest.approx(gradient, rel=1e-4, abs=1e-7)


@pytest.mark.usefixtures("quick_pictures")
def test_one_step_at_a_time(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(place)
    facts = asked(["inspect", "unroll", "adding", "--input", "0.1* 0.5*", "--one-by-one"], capsys)
    pictures = [Path(path).name for path in facts["written"] if path.endswith(".png")]
    assert pictures == ["unrolled.png", *(f"unrolled-{k:03}.png" for k in range(1, 5))]


@pytest.mark.usefixtures("quick_pictures")
def test_flow_from_python_is_the_commands(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    run = elman.load("parity")
    flow = insight.gradient_flow(run.model, run.batch(), run.cost, remedies=remedies(run.task.settings))
    facts = asked(["inspect", "flow", "parity"], capsys)
    assert facts["verdict"] == as_options(flow.verdict)
    (layer,) = facts["layers"].values()
    assert layer["carried"] == pytest.approx(flow.layers[0].carried.tolist())
    assert facts["steps"] == len(run.batch().inputs)


@pytest.mark.usefixtures("quick_pictures")
def test_flow_advises_nothing_that_the_run_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    advice = {}
    for init in ("orthogonal", "uniform"):
        folder = tmp_path / init
        make_run(folder, "language", data=("text.txt",), hidden_size=6, chunk=40, init=init, batch_size=4)
        model = elman.load(folder).model
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "weight_hh" in name:
                    weight *= 0.01  # the gradient vanishes whatever the matrix started as
        save_weights(folder / "model.safetensors", model, {"step": 0})
        facts = asked(["inspect", "flow", init], capsys)
        assert "vanish" in facts["verdict"]
        advice[init] = facts["verdict"]
    assert "--init orthogonal" in advice["uniform"]
    assert "--init" not in advice["orthogonal"]
    assert "--residual" in advice["orthogonal"]


@pytest.mark.usefixtures("quick_pictures")
def test_a_sequence_of_the_users_own_is_ranked(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    run = elman.load("language")
    look = run.inspection_example(TEXT)
    h = insight.units(run.model, look.inputs, look.tokens).h
    mine = (h[:, 4] > h[:, 4].median()).int().tolist()
    (tmp_path / "mine.txt").write_text("\n".join(map(str, mine)))
    (tmp_path / "text.txt").write_text(TEXT)
    words = ["inspect", "units", "language", "--text", str(tmp_path / "text.txt")]
    facts = asked([*words, "--track", str(tmp_path / "mine.txt"), "--near", "7"], capsys)
    assert facts["ranking"]["mine"][0]["unit"] == 4
    assert {"inside quotes", "line length", "bracket depth"} <= facts["ranking"].keys()
    assert facts["tokens"] == len(TEXT)
    page = (place / "language" / "inspect" / "units.html").read_text()
    assert "tracks mine" in page
    assert "Nearest in state to token 7" in page


@pytest.mark.usefixtures("quick_pictures")
def test_parity_gets_its_own_picture_and_its_own_tracks(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    facts = asked(["inspect", "states", "parity", "--starts", "4"], capsys)
    assert "a 1 flips it in" in facts["findings"][0]
    assert "parity/inspect/parity.svg" in facts["written"]
    ranking = asked(["inspect", "units", "parity", "--input", "1101"], capsys)["ranking"]
    assert ranking.keys() == {"odd number of 1s", "this bit"}


@pytest.mark.usefixtures("quick_pictures")
def test_states_of_one_input_without_points(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    words = ["inspect", "states", "lstm", "--input", "the fox jumps", "--starts", "0"]
    facts = asked([*words, "--layer", "recurrent.layer.l0"], capsys)
    assert facts["layer"] == "recurrent.layer.l0"
    assert "points" not in facts


@pytest.mark.usefixtures("quick_pictures")
def test_a_classifier_is_told_whose_cost_it_is(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    facts = asked(["inspect", "unroll", "sentiment", "--input", "the food was good"], capsys)
    (answer,) = elman.load("sentiment").predict(["the food was good"])
    assert f"own answer, {answer.label} ({answer.probability:.1%})" in facts["about"]
    assert facts["cost"] == pytest.approx(-np.log(answer.probability), rel=1e-4)
    assert "".join(step["token"] for step in facts["steps"]) == "the food was good"


def test_tracks_are_read_as_digits_or_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "track"
    for written, numbers in (("0110\n1\n", [0, 1, 1, 0, 1]), ("0 1\n1", [0, 1, 1]), ("0.5, -2", [0.5, -2])):
        path.write_text(written)
        assert read_track(path) == numbers
    path.write_text("0.5 many")
    with pytest.raises(UserError, match="'many', number 2"):
        read_track(path)


def test_json_has_no_number_that_json_does_not_have() -> None:
    assert finite({"a": torch.tensor([1.0, float("nan")]), "b": (float("inf"), 2)}) == {
        "a": [1.0, None],
        "b": [None, 2],
    }
