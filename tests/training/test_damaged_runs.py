"""A run's files that were damaged or taken away: one line of error, and never a wrong answer or a run begun again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import elman
from elman.errors import UserError
from elman.tasks.language import Settings as LanguageSettings
from elman.tasks.memory import Settings
from elman.tasks.sentiment import Settings as SentimentSettings
from elman.training.run_lock import RunLock
from elman.training.tensor_files import read_tensors, write_tensors

SETTINGS = Settings(hidden_size=4, max_length=8, steps=4, eval_every=2, checkpoint_every=2, batch_size=4)


@pytest.fixture(scope="module", autouse=True)
def no_plots() -> Iterator[None]:
    """They take longer than the training, and no test here looks at them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elman.training_run.finish", lambda task, folder: None)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("damaged") / "run"
    elman.train("parity", SETTINGS, out)
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def resume(run: Path) -> None:
    elman.train("parity", SETTINGS, run, resume=True)


def change_header(path: Path, change: dict[str, Any], *, signed: bool = True) -> None:
    """Put values into the header; `signed` writes a checksum that fits, else the old one stays away."""
    tensors, header = read_tensors(path)
    for name, value in change.items():
        inner, _, last = name.rpartition(".")
        (header[inner] if inner else header)[last] = value
    if signed:
        write_tensors(path, tensors, header)
    else:
        save_file(tensors, path, {"elman": json.dumps(header)})


@pytest.mark.parametrize("value", ["abc", None, [1], {}, True, -1, 1e30, 10**30, float("nan"), float("inf")])
@pytest.mark.parametrize(
    "name", ["step", "seconds", "window.count", "window.seconds", "judge.best_step", "judge.drops", "judge.best"]
)
@pytest.mark.parametrize("signed", [True, False])
def test_counters_that_no_run_has(name: str, value: Any, signed: bool, run: Path) -> None:
    if name == "judge.best" and value in (None, -1):
        pytest.skip("a run may have that best")
    change_header(run / "last.safetensors", {name: value}, signed=signed)
    with pytest.raises(UserError, match="damaged"):
        resume(run)


def test_a_judge_turned_round(run: Path) -> None:
    _, header = read_tensors(run / "last.safetensors")
    change_header(run / "last.safetensors", {"judge.higher_is_better": not header["judge"]["higher_is_better"]})
    with pytest.raises(UserError, match="other way round"):
        resume(run)


@pytest.mark.parametrize("kind", ["missing", "pipe", "device", "loop", "folder"])
def test_a_checkpoint_that_is_none_begins_no_run(kind: str, run: Path) -> None:
    path = run / "last.safetensors"
    path.unlink()
    make = {
        "missing": lambda: None,
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "loop": lambda: path.symlink_to(path),
        "folder": path.mkdir,
    }
    make[kind]()
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(UserError):
        resume(run)
    assert (run / "model.safetensors").read_bytes() == before


def test_one_changed_number_is_seen(run: Path) -> None:
    path = run / "model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, path, metadata)
    with pytest.raises(UserError, match="checksum"):
        elman.load(run)


def test_weights_that_are_not_finite(run: Path) -> None:
    tensors, header = read_tensors(run / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    write_tensors(run / "model.safetensors", tensors, header)
    with pytest.raises(UserError, match="NaN"):
        elman.load(run)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hidden_size = 4", "hidden_size = 1000000000"),
        ("hidden_size = 4", 'hidden_size = "4"'),
        ("hidden_size = 4", "hidden_size = nan"),
        ("threads = 0", "threads = 1000000"),
        ("seed = 1", "seed = 99999999999999999999"),
        ("batch_size = 4", "batch_size = 1000000000"),
        ("hidden_size = 4", "hidden_sise = 4"),
    ],
)
def test_settings_that_no_run_has(old: str, new: str, run: Path) -> None:
    path = run / "settings.toml"
    text = path.read_text()
    assert text.count(f"\n{old}\n") == 1
    path.write_text(text.replace(f"\n{old}\n", f"\n{new}\n"))
    with pytest.raises(UserError):
        elman.load(run)


@pytest.mark.parametrize("value", ["0x" + "f" * 5000, "9" * 5000, "[[0x" + "f" * 5000 + "]]", "-9223372036854775809"])
def test_whole_numbers_of_thousands_of_digits(value: str, run: Path) -> None:
    path = run / "settings.toml"
    path.write_text(path.read_text().replace("\nhidden_size = 4\n", f"\nhidden_size = {value}\n"))
    with pytest.raises(UserError, match="not valid TOML"):
        elman.load(run)


def test_one_training_in_a_folder(run: Path) -> None:
    with RunLock(run), pytest.raises(UserError, match="in use by process"):
        resume(run)


def test_what_a_killed_training_left_is_removed(run: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from elman.atomic_io import write_whole\n"
        "write_whole(Path(sys.argv[1]), lambda part: (part.write_bytes(b'half'), os._exit(9)))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(run / "last.safetensors")], check=False)
    assert killed.returncode == 9
    assert len(list(run.glob(".*.part"))) == 1
    other = run / ".last.safetensors.elsewhere-1-1.part"  # of another computer, which may be writing it
    other.write_bytes(b"half")
    (run / ".elman.lock").write_text("process 1 on elsewhere\n")  # nobody holds it
    resume(run)
    assert list(run.glob(".*")) == [other]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose checkpoint carries a state."""
    place = tmp_path_factory.mktemp("writer")
    (place / "text.txt").write_text("one for sorrow, two for joy,\n" * 30)
    elman.train("language", language(place), place / "run")
    return place


def language(place: Path) -> LanguageSettings:
    sizes = {"hidden_size": 4, "embedding_size": 3, "steps": 4, "batch_size": 2, "chunk": 8, "eval_every": 2}
    return LanguageSettings(data=(str(place / "text.txt"),), **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("carry/0", lambda tensor: tensor[:, :1]),
        ("carry/0", lambda tensor: tensor.double()),
        ("carry/0", lambda tensor: tensor * torch.nan),
        ("carry/0", lambda tensor: None),
        ("carry/1", lambda tensor: torch.zeros(1, 2, 4)),
        ("optimizer/0/exp_avg", lambda tensor: tensor[:1]),
        ("optimizer/0/exp_avg", lambda tensor: tensor.int()),
        ("optimizer/0/exp_avg_sq", lambda tensor: tensor - 1),
        ("optimizer/0/step", lambda tensor: tensor * 0 + 5),
        ("optimizer/0/momentum", lambda tensor: torch.zeros(1)),
        ("optimizer/x/step", lambda tensor: torch.zeros(())),
        ("optimizer/99/step", lambda tensor: torch.zeros(())),
        ("random", lambda tensor: tensor[:, :7]),
        ("random", lambda tensor: tensor.int()),
        ("random", lambda tensor: None),
    ],
)
def test_a_state_that_the_task_does_not_have(name: str, change: Any, writer: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(writer / "run", tmp_path / "run"))
    tensors, header = read_tensors(run / "last.safetensors")
    changed = change(tensors.pop(name, torch.zeros(1)))
    write_tensors(run / "last.safetensors", tensors | ({} if changed is None else {name: changed}), header)
    with pytest.raises(UserError) as error:
        elman.train("language", language(writer), run, resume=True)
    assert "\n" not in str(error.value)
    assert "last.safetensors is" in str(error.value)


def test_a_kill_between_the_checkpoint_and_the_best_weights(trained: Path, run: Path) -> None:
    """The checkpoint comes first, and from it the weights are made again, where it is the best."""
    path = run / "model.safetensors"
    best, last = (read_tensors(run / name)[1] for name in ("model.safetensors", "last.safetensors"))
    path.unlink()
    if last["judge"]["best_step"] != last["step"]:
        with pytest.raises(UserError, match=r"model\.safetensors is missing, and the best was step 2"):
            resume(run)
        change_header(run / "last.safetensors", {"judge.best_step": last["step"]})
    resume(run)
    tensors, header = read_tensors(path)
    assert header["step"] == last["step"]
    assert header.keys() == best.keys()
    state = read_tensors(run / "last.safetensors")[0]
    assert all(torch.equal(tensor, state[f"model/{name}"]) for name, tensor in tensors.items())


@pytest.mark.parametrize("lost", ["classes.json", "vocabulary.json"])
def test_a_file_of_the_tasks_own_that_is_gone_is_not_made_from_data_again(lost: str, tmp_path: Path) -> None:
    data = tmp_path / "reviews.csv"
    data.write_text("text,label\n" + "good food,good\nbad food,bad\n" * 10)
    settings = SentimentSettings(data=str(data), hidden_size=4, embedding_size=4, steps=2, eval_every=2)
    run = tmp_path / "run"
    elman.train("sentiment", settings, run)
    (run / lost).unlink()
    for begun in (False, True):
        if begun:
            (run / "last.safetensors").unlink()
            (run / "model.safetensors").unlink()
        with pytest.raises(UserError, match=lost):
            elman.train("sentiment", settings, run, resume=True)
        with pytest.raises(UserError):
            elman.load(run)


def test_predicting_reads_no_training_data(writer: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(writer, tmp_path / "moved"))
    settings = moved / "run" / "settings.toml"
    settings.write_text(settings.read_text().replace(str(writer), str(tmp_path / "gone")))
    before = elman.load(writer / "run").predict("one")[0].show()
    assert elman.load(moved / "run").predict("one")[0].show() == before


@pytest.mark.parametrize("content", ["", "step,loss\n1,x\n", "\0\1", "step\n", "loss\n3\n", "a,a\n1,2,3\n"])
def test_a_damaged_metrics_file_loses_no_run(content: str, run: Path) -> None:
    (run / "metrics.csv").write_text(content)
    before = (run / "last.safetensors").read_bytes()
    resume(run)
    assert (run / "last.safetensors").read_bytes() == before


def test_a_training_that_failed_while_it_wrote_its_files_can_be_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: what lies there is no run, and nobody else's."""
    data, out = tmp_path / "text.txt", tmp_path / "run"
    data.write_text("one for sorrow, two for joy,\n" * 30)
    with monkeypatch.context() as patch:
        patch.setattr("elman.training.run_folder.RunFolder.write_settings", fail)
        with pytest.raises(UserError, match="no space left"):
            elman.train("language", language(tmp_path), out)
    assert not (out / "settings.toml").exists()
    assert (out / "vocabulary.json").exists()
    elman.train("language", language(tmp_path), out)
    assert not list(out.glob(".*"))


def fail(*given: Any) -> None:
    raise UserError("no space left")


def test_settings_of_one_training_never_join_the_files_of_another(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("model.safetensors", "last.safetensors"):
        (run / name).unlink()
    monkeypatch.setattr("elman.tasks.memory.Task.save", fail)
    with pytest.raises(UserError, match="no space left"):
        elman.train("parity", SETTINGS, run)
    assert not (run / "settings.toml").exists()


def test_the_digest_of_a_training_that_saved_nothing_is_no_other_trainings(run: Path) -> None:
    for name in ("model.safetensors", "last.safetensors"):
        (run / name).unlink()
    (run / "data.json").write_text('{"training text": {"count": 1, "sha256": "x"}}')
    elman.train("parity", SETTINGS, run)
    resume(run)


def test_leftovers_of_a_number_that_is_another_process_by_now(run: Path) -> None:
    from elman.atomic_io import _host

    ours = run / f".last.safetensors.{_host()}-{os.getppid()}-abc.part"
    ours.write_bytes(b"half")
    old = run / ".last.safetensors.elsewhere-1-1.part"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    resume(run)
    assert not list(run.glob(".*"))


def test_a_training_that_saved_nothing_begins_again(run: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(run / "settings.toml", begun)
    elman.train("parity", SETTINGS, begun)
    assert (begun / "last.safetensors").read_bytes() == (run / "last.safetensors").read_bytes() or (
        read_tensors(begun / "last.safetensors")[0].keys() == read_tensors(run / "last.safetensors")[0].keys()
    )
    with pytest.raises(UserError, match="holds a run already"):
        elman.train("parity", SETTINGS, begun)
