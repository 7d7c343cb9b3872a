"""`elman predict` and `elman sample` of a few texts: without torch, in the words of torch's way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.old_runs.test_old_runs import EXPECTED, OLD_RUNS
from tests.runtime.runs import assert_alike, begun
from tests.runtime.test_runs import TEXT

from elman.cli.main import main
from elman.errors import UserError
from elman.nn.registry import BUILT_IN, cell_kind, cell_options
from elman.tasks import task_module
from elman.tasks.language.task import Task as Language
from elman.training.predicting import without_torch
from elman.training.predicting.without_torch import MOST_CHARACTERS, MOST_TEXTS, predict_without_torch

TEXTS = ("language", "parity", "sentiment")
RUNS = [name for name in EXPECTED if (OLD_RUNS / name / "settings.toml").read_text().split('"')[1] in TEXTS]
CODE = """
import sys
from elman.cli.main import main
for words in {commands!r}:
    main(words)
print("torch" in sys.modules)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small runs as the working folder, and an environment that chooses nothing."""
    shutil.copytree(OLD_RUNS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in ("ELMAN_BACKEND", "ELMAN_MACHINE", "ELMAN_ISA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on torch's way is taken."""
    monkeypatch.setattr(without_torch, "load_without_torch", lambda folder, package: None)


def test_torch_is_not_imported() -> None:
    commands = [["predict", name, *EXPECTED[name]["inputs"]] for name in RUNS]
    commands += [["sample", name, "--length", "10"] for name in RUNS if name.startswith("language")]
    code = CODE.format(commands=commands)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("name", RUNS)
def test_it_says_what_torch_says(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = [["predict", name, *EXPECTED[name]["inputs"]]]
    if name.startswith("language"):
        commands += [["sample", name, "--length", "60", "--samples", "2", "--seed", "3", "--top-k", "5"]]
    for words in commands:
        main(words)
    said = capsys.readouterr()
    by_torch(monkeypatch)
    for words in commands:
        main(words)
    assert capsys.readouterr() == said


def test_json_has_the_same_fields(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []
    for _ in range(2):
        main(["predict", "sentiment-words", "a good film", "bad", "--json"])
        lines.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
        by_torch(monkeypatch)
    assert [list(one) for one in lines[0]] == [list(one) for one in lines[1]]
    assert_alike(*lines)


def asked(name: str, *inputs: str, **options: object) -> object:
    """What `predict_without_torch` gives."""
    folder = Path(name)
    package = task_module(_task(folder))
    return predict_without_torch(folder, package, inputs, package.Options(**options))


def _task(folder: Path) -> str:
    return (folder / "settings.toml").read_text().split('"')[1]


def test_what_torch_is_needed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked("parity", "101") is not None
    assert asked("parity") is None
    assert asked("parity", *["101"] * (MOST_TEXTS + 1)) is None
    assert asked("parity", "1" * (MOST_CHARACTERS + 1)) is None
    assert asked("language-words", "one", length=10) is not None
    assert asked("language-words", "one", length=100_000) is None
    assert asked("sentiment-words", "good") is not None
    assert asked("sentiment-words", "good", file="texts.txt") is None
    assert asked("translation-dot", "12") is None
    assert asked("series-memory", "data/one.csv") is None
    monkeypatch.setenv("ELMAN_BACKEND", "reference")
    assert asked("sentiment-words", "good") is None


def test_without_the_native_library_torch_has_its_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.runtime.native.find_library", lambda: (None, "it is not there"))
    assert asked("parity", "101") is None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["parity", "1012"], "'2' at place 4 of '1012' is neither 0 nor 1"),
        (["adding", "0.1 0.2"], ""),
        (["copy", "0123"], ""),
        (["sentiment-words", "good", " "], "text 2 of 2 is empty; give a text to judge"),
        (["language-characters", "one \u4e00\n\u4e01"], ""),
        (["language-words", "\udce9"], "input 1 of 1 is not UTF-8: '\\udce9'; convert it"),
        (["language-words", "one", "--top-p", "0"], ""),
        (["parity"], ""),
    ],
)
def test_a_mistake_is_said_in_the_same_words(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as stopped:
            main(["predict", *words])
        assert stopped.value.code == 2
        said.append(capsys.readouterr())
        by_torch(monkeypatch)
    assert said[0] == said[1]
    assert said[0].err.startswith(f"elman: {line}")


def test_a_damaged_run_is_left_to_torch() -> None:
    Path("parity/model.safetensors").write_bytes(b"damaged")
    assert asked("parity", "101") is None


class Told:
    """A task that is not derived from elman's."""

    name, inputs, takes, options_type = "told", "texts", "texts", object
    __module__ = "outside"


class Other(Language):
    """A task of another's, with options of its own."""

    __module__ = "outside"


@pytest.mark.parametrize("task", [Told, Other])
def test_tasks_of_others_are_not_asked(task: type) -> None:
    package = SimpleNamespace(Task=task)
    assert predict_without_torch(Path("language-words"), package, ["one"], object()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("line", ["zoneout = 0.1", "dropout = 5.0", 'device = "tpu"'])
def test_settings_are_checked_as_by_torch(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("language-words/settings.toml")
    path.write_text(f"{line}\n" + "\n".join(one for one in path.read_text().splitlines() if line[:6] not in one))
    for words in (["predict", "language-words", "one"], ["sample", "language-words"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("elman: ")
        assert line.split(" ")[0] in shown.err


@pytest.mark.parametrize("words", [["--top-k", str(1 << 64)], ["--temperature", "1e-50"], ["--temperature", "1e300"]])
@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_extreme_options_say_what_torch_says(
    words: list[str], cell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("text.txt").write_text(TEXT * 30)
    run = begun(Path("run"), "language", data=("text.txt",), hidden_size=12, embedding_size=8, cell=cell)
    main(["sample", str(run), "--length", "30", *words])
    said = capsys.readouterr()
    assert said.err == ""
    by_torch(monkeypatch)
    main(["sample", str(run), "--length", "30", *words])
    assert capsys.readouterr() == said


def test_states_that_grow_without_bound_say_nothing_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"nonlinearity": "relu", "residual": True, "members": 1, "folds": 0, "ngrams": "none"}
    run = begun(Path("run"), "sentiment", data="data/reviews.csv", hidden_size=30, embedding_size=8, **more)
    main(["predict", str(run), "good " * 390])
    said = capsys.readouterr()
    assert said.err == ""
    by_torch(monkeypatch)
    main(["predict", str(run), "good " * 390])
    assert capsys.readouterr().out == said.out


def test_options_of_cells_are_known_without_their_modules() -> None:
    for name in BUILT_IN:
        assert cell_options(name) == cell_kind(name).options
    with pytest.raises(UserError, match="there is no cell called 'rnm'"):
        cell_options("rnm")
