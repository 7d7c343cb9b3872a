"""Every command on a narrow terminal, in a pipe, in ASCII, on a full disk; and every foreign text that it may show."""

from __future__ import annotations

import ast
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from tests.cli.surroundings import STYLE, Full, Terminal, called

import elman.cli
from elman import insight
from elman.cli.main import INSPECTIONS
from elman.cli.messages import show_json, show_rich
from elman.cli.terminal.tables import metrics_table, rich_table
from elman.training.report import Table

OLD_RUNS = Path(__file__).parents[1] / "old_runs" / "runs_v0_1"
COMMANDS: dict[str, list[str]] = {
    "help": ["--help"],
    "train help": ["train", "sentiment", "--help"],
    "predict help": ["predict", "parity", "--help"],
    "info": ["info"],
    "data": ["data", "list"],
    "predict": ["predict", "parity", "01", "11"],
    "colours": ["predict", "sentiment-words", "das Essen war schön"],
    "forecast": ["predict", "forecasting-direct", "data/next.csv"],
    "lines": ["predict", "translation-dot", "--file", "data/pairs.de"],
    "sample": ["sample", "language-characters", "--length", "20"],
    "evaluate": ["evaluate", "speech-class"],
    "unroll": ["inspect", "unroll", "parity", "--input", "0101"],
    "flow": ["inspect", "flow", "adding"],
    "states": ["inspect", "states", "adding", "--starts", "2"],
    "units": ["inspect", "units", "sentiment-words", "--input", "schön und gut"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(OLD_RUNS, tmp_path_factory.mktemp("surroundings") / "runs"))


@pytest.fixture(autouse=True)
def here(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work among the runs, and paint no pictures, which takes most of a command's time."""

    def save(figure: Figure, path: Path) -> tuple[Path, Path]:
        return path.with_suffix(".svg"), path.with_suffix(".png")

    monkeypatch.chdir(runs)
    monkeypatch.setattr(insight, "save_figure", save)


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+\.\d+|\d+ %|…", text)


@pytest.mark.parametrize("name", COMMANDS)
def test_in_every_surrounding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = COMMANDS[name]
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    code, piped, err = called(words)
    assert (code, "Traceback" in err) == (0, False), err
    assert "\x1b" not in piped

    code, shown, _ = called(words, Terminal())
    assert code == 0
    plain = STYLE.sub("", shown)
    assert "\x1b" not in plain
    if "help" not in name and name != "sample":
        assert sorted(set(numbers(piped))) == sorted(set(numbers(plain))), "a number is cut, or wrapped"

    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    code, written, _ = called(words, ascii_only)
    assert code == 0
    assert written.isascii()

    code, _, err = called(words, Full())
    assert code == 2
    assert err.splitlines()[-1] == "elman: the output cannot be written: no space left on device"


HOSTILE = "a\x1b[31m\x9b2J\u202eb[red][/c]:smile:\r\n"
AS_SHOWN = r"a\x1b[31m\x9b2J\u202eb[red][/c]:smile:\r\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_foreign_text_commands_no_terminal(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm-256color")
    out = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    show_rich(metrics_table(HOSTILE, {"[red]x\x1b[0m": 1.0}))
    show_rich(rich_table(Table("t", HOSTILE, ("[b]one[/]", "two"), ((HOSTILE, 1),))), HOSTILE)
    text = STYLE.sub("", out.getvalue())
    assert not re.search(r"[\x1b\x9b\u202e\r]", text)
    assert text.count(r"a\x1b[31m\x9b2J\u202eb[red][/c]:smile:") == 4
    assert r"[red]x\x1b[0m" in text
    assert "[b]one[/]" in text


@pytest.mark.parametrize("name", ["run[/a]", "run\x1b[31m\u202ex", "{x}\x9bm\udcff"])
def test_a_run_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD_RUNS / "adding", tmp_path / name)
    for words in (
        ["evaluate", name],
        ["predict", name, "0.1 0.5* 0.3 0.8*"],
        ["predict", name, "--help"],
        ["predict", name, "x\x1b"],
        ["inspect", "flow", name],
        ["train", "parity", "--out", name],
    ):
        code, shown, err = called(words, Terminal())
        assert code in (0, 2), err
        assert not re.search(r"[\x1b\x9b\u202e\udcff]", STYLE.sub("", shown) + err)
        if words[0] == "evaluate" and "\udcff" not in name:  # weights are not read from names that are no UTF-8
            assert f"{printable_name(name)}: parity" in shown


def printable_name(name: str) -> str:
    return re.sub(r"[\x1b\x9b\u202e\udcff]", lambda found: ascii(found[0])[1:-1], name)


def test_json_is_json_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"x": [float("nan"), float("inf"), 1e300], "text": HOSTILE + "ä😀\x7f", "path": Path("a")}
    for encoding in ("utf-8", "ascii", "latin-1"):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr("sys.stdout", out)
        show_json(value)
        text = out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        assert text.count("\n") == 1
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert json.loads(text) == {"x": [None, None, 1e300], "text": HOSTILE + "ä😀\x7f", "path": "a"}


@pytest.mark.parametrize(
    "words", [["evaluate", "adding"], ["info"], ["data", "list"], ["predict", "adding", "0.1* 0.2*"]]
)
def test_json_of_every_command_is_one_object(words: list[str]) -> None:
    code, text, err = called([*words, "--json"])
    assert code == 0, err
    assert isinstance(json.loads(text), dict)


def test_metrics_of_validation_and_test_have_names_of_their_own() -> None:
    facts = json.loads(called(["evaluate", "sentiment-words", "--json"])[1])
    assert facts["task"] == "sentiment"
    assert not {"loss", "accuracy"} & facts.keys()
    assert {"validation_loss", "validation_accuracy"} <= facts.keys()
    other = json.loads(called(["evaluate", "sentiment-words", "--data", "data/reviews.csv", "--json"])[1])
    assert other["data"] == ["data/reviews.csv"]
    assert {"accuracy", "validation_accuracy"} <= other.keys()
    assert "test_accuracy" not in other
    language = json.loads(called(["evaluate", "language-characters", "--json"])[1])
    assert {"validation_loss", "validation_bits_per_char"} <= language.keys()


TEXTS = [
    "",
    " ",
    "ein Hund",
    "a\tb",
    "a\rb",
    "a\x0bb\x0cc",
    "x\x85y",
    "\u2028",
    "ü\x1b[31m",
    "a\x1cb",
    "[red]",
    "{",
    "-",
    "--x",
]


@pytest.mark.parametrize("json_wanted", [True, False])
def test_one_line_of_output_for_each_line_of_input(json_wanted: bool, tmp_path: Path) -> None:
    data = "\n".join(TEXTS).encode()
    (tmp_path / "lines.txt").write_bytes(data)
    more = ["--json"] if json_wanted else []
    for source, stdin in (([], data), (["--file", str(tmp_path / "lines.txt")], b"")):
        code, out, err = called(["predict", "translation-dot", *source, *more], stdin=stdin)
        assert code == 0, err
        assert len(out.splitlines()) == out.count("\n") == len(TEXTS)


@pytest.mark.parametrize("text", ["schön\ngut", "a\rb", "x\u2028y\x85"])
def test_a_text_with_line_breaks_stays_on_its_lines(text: str) -> None:
    assert len(called(["predict", "sentiment-words", text])[1].splitlines()) == 2
    assert len(called(["predict", "sentiment-words", text], Terminal())[1].splitlines()) == 2


def test_eighteen_classes_fit_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"language {n}" for n in range(18)]
    rows = tuple((name, *(1000 * n + k for k in range(18))) for n, name in enumerate(names))
    monkeypatch.setattr("sys.stdout", out := Terminal())
    show_rich(rich_table(Table("confusion", "test", ("true class", *names), rows)))
    text = STYLE.sub("", out.getvalue())
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert set(re.findall(r"\d+,\d{3}", text)) == {f"{value:,}" for row in rows for value in row[1:] if value >= 1000}


def test_nothing_is_printed_past_the_gate() -> None:
    """`print` and rich's consoles stand in two files; whatever else shows something calls them."""
    folder = Path(elman.cli.__file__).parent
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in ("print", "Console"):
                found.add(f"{path.relative_to(folder)}: {ast.unparse(node.func)}")
    assert found == {"messages.py: print", "terminal/console.py: self.print"}


@pytest.mark.parametrize(
    "words",
    [["train", task, "--help"] for task in ("parity", "language", "forecasting")]
    + [["inspect", name, "--help"] for name in INSPECTIONS]
    + [[name, "--help"] for name in ("evaluate", "predict", "sample", "compare", "features", "info", "data")]
    + [["data", "fetch", "--help"], ["data", "list", "--help"], ["predict", "adding", "--help"], ["train"], ["--help"]],
)
def test_every_help_ends_with_an_example(words: list[str]) -> None:
    code, text, _ = called(words)
    command = " ".join(word for word in words if word != "--help")
    assert code == 0
    assert " ".join(text.rpartition("Example: ")[2].split()).startswith(f"elman {command}".strip())
