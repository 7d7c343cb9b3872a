"""Bad sound: each one line on standard error, exit code 2, nothing written or lost."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.cli.test_mistakes import check_mistake

from elman.cli.main import main

TINY = "--steps 2 --hidden-size 4 --batch-size 2 --bands 10".split()
RATE = 8000


def write_folder(folder: Path) -> Path:
    folder.mkdir()
    generator = np.random.default_rng(0)
    rows = ["file,transcript"]
    for number in range(8):
        soundfile.write(folder / f"{number}.wav", 0.1 * generator.standard_normal(2400), RATE)
        rows.append(f"{number}.wav,{'yes' if number % 2 else 'no'}")
    (folder / "said.csv").write_text("\n".join(rows) + "\n")
    return folder


def replace(old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        table = folder / "said.csv"
        assert old in table.read_text()
        table.write_text(table.read_text().replace(old, new))

    return change


def put(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def silent(folder: Path) -> None:
    soundfile.write(folder / "2.wav", np.zeros(2400), RATE)


def no_samples(folder: Path) -> None:
    soundfile.write(folder / "2.wav", np.zeros(0), RATE)


def cut(folder: Path) -> None:
    path = folder / "2.wav"
    path.write_bytes(path.read_bytes()[:20])


def no_number(folder: Path) -> None:
    soundfile.write(folder / "2.wav", np.array([0.1, np.nan, -0.1] * 800), RATE, subtype="FLOAT")


FOLDERS: dict[str, tuple[Callable[[Path], object], list[str], list[str]]] = {
    "no sound": (put("2.wav", b"this is text"), [], ["2.wav is no sound"]),
    "cut in its header": (cut, [], ["2.wav"]),
    "empty file": (put("2.wav", b""), [], ["2.wav is empty"]),
    "no samples": (no_samples, [], ["2.wav has no sound"]),
    "silent": (silent, [], ["2.wav is silent"]),
    "samples that are no numbers": (no_number, [], ["2.wav is damaged", "no numbers"]),
    "a transcript without its file": (lambda f: (f / "3.wav").unlink(), [], ["line 5", "no file", "3.wav"]),
    "a file without its transcript": (replace("3.wav,yes\n", ""), [], ["3.wav has no transcript", "said.csv"]),
    "an empty transcript": (replace("3.wav,yes", "3.wav, "), [], ["line 5", "3.wav has an empty transcript"]),
    "no table": (lambda f: (f / "said.csv").unlink(), [], ["one .csv", "none"]),
    "two tables": (put("more.csv", b"file,transcript\n"), [], ["one .csv", "more.csv, said.csv"]),
    "no column of files": (replace("file,", "fil,"), [], ["'file'", "did you mean 'fil'"]),
    "one class": (replace("yes", "no"), ["--answer", "class"], ["every example is 'no'"]),
    "a class that training lacks": (
        lambda f: (
            replace("file,transcript", "file,transcript,part")(f),
            replace("7.wav,yes", "7.wav,maybe,validation")(f),
        ),
        ["--answer", "class"],
        ["7.wav", "'maybe'", "never seen"],
    ),
    "a symbol that training lacks": (
        lambda f: (
            replace("file,transcript", "file,transcript,part")(f),
            replace("7.wav,yes", "7.wav,maybe,validation")(f),
        ),
        [],
        ["7.wav", "character 'm'", "never seen"],
    ),
    "no such part": (
        lambda f: (replace("file,transcript", "file,transcript,part")(f), replace("7.wav,yes", "7.wav,yes,later")(f)),
        [],
        ["line 9", "'later'"],
    ),
    "no such speaker": (lambda f: None, ["--speaker", "eve"], ["'eve'"]),
    "all too long": (lambda f: None, ["--max-seconds", "0.1"], ["--max-seconds 0.1"]),
    "every transcript longer than its steps": (
        lambda f: None,
        ["--stack", "30"],
        ["more symbols than steps", "--stack"],
    ),
    "rate": (lambda f: None, ["--rate", "8"], ["--rate is 8"]),
    "nobody to leave out": (lambda f: None, ["--without", "eve"], ["'eve'"]),
    "one speaker in two places": (lambda f: None, ["--speaker", "a", "--without", "a"], ["--speaker and --without"]),
    "more cepstra than bands": (lambda f: None, ["--cepstra", "11"], ["--cepstra is 11", "--bands", "10"]),
    "a floor without the recording": (lambda f: None, ["--floor", "35"], ["--floor", "--normalise recording"]),
    "ends": (lambda f: None, ["--vary-ends", "0.5"], ["--vary-ends is 0.5"]),
    "tract": (lambda f: None, ["--vary-tract", "1"], ["--vary-tract is 1"]),
    "join": (lambda f: None, ["--join", "0"], ["--join is 0"]),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_training(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, options, expected = FOLDERS[name]
    folder = write_folder(tmp_path / "sounds")
    spoil(folder)
    out = tmp_path / "run"
    answer = [] if "--answer" in options else ["--answer", "symbols"]
    check_mistake(
        ["train", "speech", "--data", str(folder), "--out", str(out), *TINY, *answer, *options], capsys, *expected
    )
    assert not out.exists()


def test_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for data, expected in (("fsd", "fsdd"), ("airline", "airline"), (str(tmp_path / "nowhere"), "nowhere")):
        check_mistake(["train", "speech", "--data", data, "--out", str(tmp_path / "run")], capsys, expected)
    (tmp_path / "one.wav").write_bytes(b"")
    arguments = ["train", "speech", "--data", str(tmp_path / "one.wav"), "--out", str(tmp_path / "run")]
    check_mistake(arguments, capsys, "is no folder")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("speech")
    folder = write_folder(home / "sounds")
    for answer in ("class", "symbols"):
        main(["train", "speech", "--data", str(folder), "--out", str(home / answer), "--answer", answer, *TINY])
    return home


INPUTS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "missing": (lambda f: (f / "2.wav").unlink(), ["2.wav"]),
    "no sound": (put("2.wav", b"this is text"), ["2.wav is no sound"]),
    "empty": (put("2.wav", b""), ["2.wav is empty"]),
    "no samples": (no_samples, ["2.wav has no sound"]),
    "silent": (silent, ["2.wav is silent"]),
    "samples that are no numbers": (no_number, ["2.wav is damaged", "no numbers"]),
}


@pytest.mark.parametrize("answer", ["class", "symbols"])
@pytest.mark.parametrize("name", INPUTS)
def test_prediction(name: str, answer: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, expected = INPUTS[name]
    folder = write_folder(tmp_path / "sounds")
    spoil(folder)
    before = sorted(path.name for path in (runs / answer).iterdir())
    check_mistake(["predict", str(runs / answer), str(folder / "2.wav")], capsys, *expected)
    assert sorted(path.name for path in (runs / answer).iterdir()) == before


def test_options_of_the_other_sort(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = str(runs / "sounds" / "1.wav")
    check_mistake(["predict", str(runs / "class"), sound, "--beam", "4"], capsys, "--answer symbols")
    check_mistake(["predict", str(runs / "symbols"), sound, "--stream"], capsys, "--no-bidirectional")
    check_mistake(["predict", str(runs / "symbols"), sound, "--stream", "--beam", "3"], capsys, "--beam")
    check_mistake(["predict", str(runs / "symbols"), sound, "--beam", "0"], capsys, "--beam is 0")


def test_other_data_with_a_symbol_never_seen(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "sounds")
    replace("3.wav,yes", "3.wav,yeah")(folder)
    check_mistake(["evaluate", str(runs / "symbols"), "--data", str(folder)], capsys, "3.wav", "character 'a'")
    check_mistake(["evaluate", str(runs / "class"), "--data", str(folder)], capsys, "3.wav", "'yeah'")


@pytest.mark.parametrize("file", ["symbols.json", "scaler.json"])
def test_damaged_run(file: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(runs / "symbols", tmp_path / "copy")
    (copy / file).write_text((copy / file).read_text()[:9])
    check_mistake(["predict", str(copy), str(runs / "sounds" / "1.wav")], capsys, file, "damaged")
