"""A run's files that were damaged or taken away: one line of error, and never a wrong answer or a run begun again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import elman
from elman.errors import UserError
from elman.tasks.memory import Settings
from elman.training.run_lock import RunLock
from elman.training.tensor_files import read_tensors, write_tensors

SETTINGS = Settings(hidden_size=4, max_length=8, steps=4, eval_every=2, checkpoint_every=2, batch_size=4)


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
