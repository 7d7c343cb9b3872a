"""Bad input: each one line on standard error, exit code 2, nothing written or lost."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from elman.cli.main import main

TINY = "--steps 2 --hidden-size 8 --embedding-size 4 --batch-size 2 --chunk 8".split()
LINE = b"the quick brown fox jumps over the lazy dog\n"


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and standard error of a command."""
    code = 0
    try:
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, capsys.readouterr().err


def check_mistake(arguments: list[str], capsys: pytest.CaptureFixture[str], *expected: str) -> None:
    code, error = run(arguments, capsys)
    assert code == 2, error
    assert error.count("\n") == 1, error
    assert error.startswith("elman: ")
    for words in expected:
        assert words in error


def without(options: list[str], *names: str) -> list[str]:
    """The pairs of option and value whose option is not among `names`."""
    pairs = zip(options[::2], options[1::2], strict=True)
    return [word for pair in pairs if pair[0] not in names for word in pair]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(LINE * 20)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_bytes(LINE * 20)
    main(["train", "language", "--data", str(folder / "text.txt"), "--out", str(folder / "run"), *TINY])
    return folder / "run"


@pytest.fixture
def damaged(trained: Path, tmp_path: Path) -> Path:
    """A copy of a trained run, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


TEXTS: dict[str, tuple[Callable[[Path], object], list[str], list[str]]] = {
    "missing": (lambda path: path.unlink(), [], ["text.txt"]),
    "empty": (lambda path: path.write_bytes(b""), [], ["text.txt", "empty"]),
    "binary": (lambda path: path.write_bytes(LINE + b"\0\1\2" + LINE), [], ["text.txt", "44"]),
    "wrong encoding": (lambda path: path.write_bytes(LINE + "naïve".encode("latin-1") + LINE), [], ["byte", "46"]),
    "shorter than one chunk": (lambda path: path.write_bytes(b"too short"), ["--chunk", "64"], ["64"]),
    "validation leaves nothing": (lambda path: None, ["--validation-share", "0.999"], ["0.999"]),
    "share of all": (lambda path: None, ["--validation-share", "1.5"], ["--validation-share", "1.5"]),
    "unknown option": (lambda path: None, ["--hiden-size", "4"], ["--hiden-size", "--hidden-size"]),
    "not a number": (lambda path: None, ["--hidden-size", "many"], ["many"]),
    "tied sizes": (lambda path: None, ["--tied"], ["--tied", "--embedding-size"]),
    "no such cell": (lambda path: None, ["--cell", "transformer"], ["transformer"]),
    "gated residual": (lambda path: None, ["--cell", "lstm", "--residual"], ["--residual", "lstm"]),
    "gated identity": (lambda path: None, ["--cell", "gru", "--init", "identity"], ["--init identity", "gru"]),
    "no learning rate": (lambda path: None, ["--lr", "-1"], ["--lr"]),
    "settings missing": (lambda path: None, ["--settings", "nowhere.toml"], ["nowhere.toml"]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_training(name: str, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, options, expected = TEXTS[name]
    spoil(text)
    out = tmp_path / "run"
    tiny = without(TINY, *options)
    check_mistake(["train", "language", "--data", str(text), "--out", str(out), *tiny, *options], capsys, *expected)
    assert not out.exists()


def test_unknown_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    check_mistake(["train", "language", "--data", "shakespere", "--out", out], capsys, "shakespere", "shakespeare")


def test_dataset_of_another_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(["train", "language", "--data", "mnist", "--out", str(tmp_path / "run")], capsys, "mnist", "ptb")


def test_unknown_task(capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(["train", "langage", "--out", "x"], capsys, "language")


def test_folder_holds_a_run(trained: Path, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in trained.iterdir()}
    check_mistake(["train", "language", "--data", str(text), "--out", str(trained), *TINY], capsys, "--resume")
    assert {path: path.read_bytes() for path in trained.iterdir()} == before


def test_folder_is_not_empty(tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(["train", "language", "--data", str(text), "--out", str(tmp_path), *TINY], capsys, "not empty")


def test_folder_of_another_task(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(["train", "parity", "--out", str(trained), "--resume"], capsys, "language")


def test_folder_of_another_sort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("evaluate", "predict", "sample"):
        check_mistake([command, str(tmp_path)], capsys, "no run")


def test_folder_cannot_be_made(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = f"{text}/run"
    check_mistake(["train", "language", "--data", str(text), "--out", blocked, *TINY], capsys, "cannot write", blocked)


def test_full_disk(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    out = tmp_path / "run"
    arguments = ["train", "language", "--data", str(text), "--out", str(out), *TINY]
    check_mistake(arguments, capsys, "no space left", "vocabulary.json")
    assert not any(out.iterdir())


@pytest.mark.parametrize("file", ["model.safetensors", "last.safetensors", "vocabulary.json", "settings.toml"])
@pytest.mark.parametrize("damage", ["cut", "noise", "gone"])
def test_damaged_run(file: str, damage: str, damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = damaged / file
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "noise":
        path.write_bytes(b"\xff" * 100)
    else:
        path.unlink()
    weights = "last" if file.startswith("last") else "best"
    if file == "vocabulary.json" and damage == "gone":
        return  # it is made again, from the text
    check_mistake(["sample", str(damaged), "--weights", weights], capsys, "" if file == "settings.toml" else file)
    if file == "last.safetensors" and damage != "gone":
        check_mistake(["train", "language", "--out", str(damaged), "--resume"], capsys, file)


def test_weights_of_other_settings(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = damaged / "settings.toml"
    settings.write_text(settings.read_text().replace("hidden_size = 8", "hidden_size = 9"))
    check_mistake(["evaluate", str(damaged)], capsys, "model.safetensors", ", 8)", ", 9)")
    check_mistake(["train", "language", "--out", str(damaged), "--resume"], capsys, "last.safetensors")


def test_settings_of_another_version(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = damaged / "settings.toml"
    settings.write_text(settings.read_text() + "colour = 1\n")
    check_mistake(["evaluate", str(damaged)], capsys, "colour")


def test_prompt_with_unknown_characters(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(["sample", str(trained), "--prompt", "the café"], capsys, "é")


def test_prompt_given_twice(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sample", str(trained), "--prompt", "a", "--prompt-file", "b"]
    check_mistake(arguments, capsys, "--prompt-file")


@pytest.mark.parametrize("option", [("--temperature", "-1"), ("--top-p", "0"), ("--top-k", "-2"), ("--length", "0")])
def test_sampling(option: tuple[str, str], trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(["sample", str(trained), *option], capsys, option[0])


def test_predict_nothing(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_mistake(["predict", str(trained)], capsys, "nothing to predict")


def test_nothing_in_the_cache_and_no_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    check_mistake(["train", "language", "--out", str(tmp_path / "run")], capsys, "input.txt", str(tmp_path / "cache"))


def test_wrong_checksum(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from elman.data.datasets.registry import CATALOGUE

    monkeypatch.setenv("ELMAN_DATA", str(tmp_path))
    dataset = CATALOGUE["shakespeare"]
    path = tmp_path / dataset.folder / dataset.files[0].file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not Shakespeare")
    check_mistake(["train", "language", "--out", str(tmp_path / "run")], capsys, "input.txt")
    assert path.read_bytes() == b"not Shakespeare"


def test_explosion(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    arguments = [
        "train",
        "language",
        "--data",
        str(text),
        "--out",
        str(out),
        *without(TINY, "--steps"),
        "--steps",
        "40",
    ]
    arguments += ["--lr", "1e38", "--clip-norm", "0", "--nonlinearity", "relu", "--checkpoint-every", "1"]
    code, error = run(arguments, capsys)
    _, begun, mistake = error.splitlines()  # what was read, that it began, and what went wrong
    assert code == 2
    assert begun == f"elman: training into {out}, 40 steps"
    for words in ("not finite at step", "gradient norm", "try --lr 0.002 or --clip-norm 1;", "no checkpoint was saved"):
        assert words in mistake
    for path in out.glob("*.safetensors"):
        assert all(bool(tensor.isfinite().all()) for tensor in load_file(path).values())


def test_a_file_in_the_place_of_a_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from elman.cli.predict import check_texts
    from elman.errors import UserError

    path = tmp_path / "good.txt"
    path.write_text("a good film")
    with pytest.raises(UserError, match=r"good\.txt is a file, and this run takes texts; give the text itself"):
        check_texts(["fine", str(path)], "texts")
    check_texts(["A film. Good.", "so it goes. " * 100, "good.txt\0"], "texts")
