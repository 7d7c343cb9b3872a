"""Two processes with half of every batch each learn what one process learns from the whole."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from elman.training.monitoring.metrics_log import read_metrics

SETTINGS = (
    "--steps 30 --batch-size 16 --watch 10 --chunk 16 "
    "--hidden-size 16 --embedding-size 8 --eval-every 10 --checkpoint-every 10 "
    "--log-every 5 --threads 1 --device cpu"
).split()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def train(out: Path, text: Path, *launcher: str) -> None:
    command = [sys.executable, "-m", *launcher, "elman", "train", "language", "--data", str(text), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *SETTINGS], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_same_loss_curve(tmp_path: Path) -> None:
    text = tmp_path / "rhyme.txt"
    text.write_text("one for sorrow, two for joy,\nthree for a girl, four for a boy.\n" * 60, encoding="utf-8")
    train(tmp_path / "one", text)
    launcher = ("accelerate.commands.launch", "--cpu", "--num_processes=2", "--num_machines=1", "--mixed_precision=no")
    launcher = (*launcher, "--dynamo_backend=no", f"--main_process_port={free_port()}", "-m")
    train(tmp_path / "two", text, *launcher)
    alone, together = read_metrics(tmp_path / "one" / "metrics.csv"), read_metrics(tmp_path / "two" / "metrics.csv")
    assert [row["step"] for row in alone] == [row["step"] for row in together]
    for left, right in zip(alone, together, strict=True):
        flow = {name for name in left if name.startswith("flow/")}  # two processes, or two parts of a batch in one
        assert bool(flow) == (left["step"] in (10, 20, 30))
        for name in {"loss", "grad_norm", "validation_loss", *flow} & left.keys():
            assert right[name] == pytest.approx(left[name], rel=1e-5), (left["step"], name)
