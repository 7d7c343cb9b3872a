"""`elman predict` for many texts: a file, standard input, a folder."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.cli.quick_runs import make_run, write_data

from elman.cli.main import main
from elman.cli.predict import with_standard_input
from elman.run import load
from elman.tasks import sentiment


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    write_data(folder)
    small = {"hidden_size": 4, "embedding_size": 4, "members": 2, "folds": 2}
    return make_run(folder / "run", "sentiment", data=str(folder / "reviews.csv"), **small)


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code: int | str | None = 0
    try:
        main([*words])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return int(code or 0), out, err


def inputs(out: str) -> list[str]:
    return [json.loads(line)["input"] for line in out.splitlines()]


def test_lines_of_a_file(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [f"the food was good {number}" for number in range(300)]
    (tmp_path / "a.txt").write_text("\n".join([*texts[:5], "", "  ", *texts[5:]]) + "\n")
    code, out, err = typed(capsys, "predict", str(run), "--file", str(tmp_path / "a.txt"), "--json")
    assert (code, inputs(out)) == (0, texts)
    assert "empty texts are left out: 2" in err
    one = load(run).predict(texts[7])[0].to_json()
    assert json.loads(out.splitlines()[7])["probability"] == pytest.approx(one["probability"], rel=1e-4)


def test_standard_input(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["-"], ["--file", "-"]):
        stream = SimpleNamespace(buffer=io.BytesIO("it was bad\nschön\n".encode()), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stream)
        code, out, _ = typed(capsys, "predict", str(run), *words, "--json")
        assert (code, inputs(out)) == (0, ["it was bad", "schön"])
    assert with_standard_input(["a", "-", "--file", "-"], sentiment) == (["a", "--file", "-", "--file", "-"], False)


def test_a_folder_of_texts(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"text {name}\nof two lines\n")
    code, out, _ = typed(capsys, "predict", str(run), "--file", str(tmp_path), "--json")
    assert (code, inputs(out)) == (0, ["text a of two lines", "text b of two lines"])


def test_mistakes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("good\n")
    (tmp_path / "a.csv").write_text("text\ngood\n")
    (tmp_path / "empty").mkdir()
    for words, says in (
        ([], "--file texts.txt"),
        (["good", "--file", str(tmp_path / "a.txt")], "leave one of the two out"),
        (["--file", str(tmp_path / "a.csv")], "is a table"),
        (["--file", str(tmp_path / "no.txt")], "no such file"),
        (["--file", str(tmp_path / "empty")], "has no .txt files"),
        ([str(tmp_path / "a.txt")], f"say --file {tmp_path / 'a.txt'}"),
    ):
        code, _, err = typed(capsys, "predict", str(run), *words)
        assert (code, err.count("\n")) == (2, 1), err
        assert says in err
