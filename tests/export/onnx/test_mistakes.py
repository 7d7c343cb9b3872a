"""What is wrong with an export, or with a file that is to be one, is one line, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import elman
from elman.cli.main import main
from elman.errors import UserError
from elman.export.onnx.file import SUM, Facts, read_checked
from elman.models.classifier import Classifier
from elman.models.config import RecurrentConfig
from elman.nn.registry import register_cell, unregister_cell
from tests.export.onnx.graphs import Session
from tests.nn.minimal_gated_unit import KIND


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a command ends with, and exit code 2."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    shown = capsys.readouterr()
    assert not shown.out
    (line,) = shown.err.splitlines()
    return line


def test_damage_is_seen(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elman.load("parity").export("onnx", "parity.onnx")
    whole = (here / "parity.onnx").read_bytes()
    rng = np.random.default_rng(0)
    for place in (*rng.integers(0, len(whole), 40).tolist(), 0, len(whole) - 1, whole.rfind(SUM.encode())):
        harmed = bytearray(whole)
        harmed[place] ^= 1 << int(rng.integers(8))
        (here / "harmed.onnx").write_bytes(harmed)
        line = refused(capsys, "predict", "harmed.onnx", "101")
        assert "harmed.onnx" in line
    for length in (1, 50, len(whole) // 2, len(whole) - 1):
        (here / "harmed.onnx").write_bytes(whole[:length])
        assert "harmed.onnx" in refused(capsys, "evaluate", "harmed.onnx")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("predict", "none.onnx", "101"), "there is no file none.onnx"),
        (("predict", "empty.onnx", "101"), "empty.onnx is empty"),
        (("evaluate", "text.onnx"), "text.onnx was not exported by elman"),
        (("predict", "parity.onnx", "101", "--weights", "last"), "parity.onnx holds the best weights alone"),
        (("inspect", "unroll", "parity.onnx", "--input", "101"), "parity.onnx is an exported file"),
        (("inspect", "flow", "parity.onnx"), "parity.onnx is an exported file"),
        (("sample", "parity.onnx"), "parity.onnx is a run of the task parity, not language"),
        (("export", "parity.onnx", "--to", "onnx"), "this is an exported file already"),
        (("export", "parity", "--to", "onnx", "--out", "data"), "--out data is a folder"),
        (("export", "parity", "--to", "onnx", "--out", "parity.bin"), "does not end in .onnx"),
        (("export", "parity", "--to", "onnx", "--out", "text.onnx"), "is there already, and elman did not export it"),
        (("export", "parity", "--to", "onxn"), "did you mean"),
        (("export", "nothing", "--to", "onnx"), "nothing holds no run"),
        (("export", "parity", "--to", "onnx", "--precision", "int4"), "int4"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_line(
    words: tuple[str, ...], says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elman.load("parity").export("onnx", "parity.onnx")
    (here / "empty.onnx").touch()
    (here / "text.onnx").write_text("no graph")
    before = sorted(here.rglob("*"))
    assert says in refused(capsys, *words)
    assert sorted(here.rglob("*")) == before


def test_a_file_of_another_version_says_so(here: Path) -> None:
    facts = Facts.read(Session(read_checked(elman.load("parity").export().path), "it").metadata, Path("it"))
    later = facts.metadata("9.1") | {"elman.format": "2"}
    with pytest.raises(UserError, match=r"x\.onnx was exported by elman 9\.1, not by this version"):
        Facts.read(later, Path("x.onnx"))


@pytest.mark.parametrize("name", ["../out.json", "a/b.json", "run.py"])
def test_no_file_of_the_metadata_lands_elsewhere(name: str, here: Path) -> None:
    facts = Facts.read(Session(read_checked(elman.load("parity").export().path), "it").metadata, Path("it"))
    with pytest.raises(UserError, match="it keeps a file"):
        Facts.read(facts.metadata("0") | {f"elman.file.{name}": "{}"}, Path("x.onnx"))


def test_a_run_with_a_cell_of_the_users_own_is_named(here: Path) -> None:
    run = elman.load("parity")
    register_cell(KIND)
    try:
        shape = RecurrentConfig(input_size=4, hidden_size=5, cell=KIND.name)
        run.model = Classifier(torch.nn.Embedding(2, 4), shape, 2).eval()
        with pytest.raises(UserError, match=f"the recurrent layer .`cell={KIND.name}`. is a cell of your own"):
            run.export()
    finally:
        unregister_cell(KIND.name)
    assert not (here / "parity/model.onnx").exists()


def test_a_network_of_the_users_own_is_named(here: Path) -> None:
    run = elman.load("parity")
    run.model = torch.nn.Linear(2, 3)
    with pytest.raises(UserError, match="the network of the task parity is of the class Linear"):
        run.export()
    assert not (here / "parity/model.onnx").exists()
