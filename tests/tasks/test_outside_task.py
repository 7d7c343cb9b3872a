"""A complete task of somebody else's, as one package outside the source tree: trained, resumed, used, looked into."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import elman
from elman.cli.main import main
from elman.errors import UserError
from elman.tasks import register_task, task_module, task_names
from elman.tasks.registry import _registered

OUTSIDE = Path(__file__).parent / "outside"
TINY = "--hidden-size 12 --steps 60 --lr 0.02 --warmup 5 --batch-size 8 --eval-every 20 --checkpoint-every 20".split()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(OUTSIDE))
    monkeypatch.setattr("elman.tasks.registry._registered", dict(_registered))
    register_task("tagger", "tagger")


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """Sentences in which the tag of "can" depends on the word before it."""
    noun, verb = "the/DET can/NOUN is/VERB full/ADJ", "dogs/NOUN can/VERB run/VERB"
    path = tmp_path / "tagged.txt"
    path.write_text("\n".join([noun, verb] * 20))
    return path


def test_from_training_to_the_inside(tagged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    main(["train", "tagger", "--data", str(tagged), "--out", str(run), *TINY])
    main(["evaluate", str(run), "--json"])
    main(["predict", str(run), "the can is full", "dogs can run"])
    shown = capsys.readouterr().out.splitlines()
    assert json.loads(shown[-3])["validation_accuracy"] == 1.0
    assert shown[-2:] == ["the/DET can/NOUN is/VERB full/ADJ", "dogs/NOUN can/VERB run/VERB"]
    assert elman.load(run).predict("dogs can run")[0].tags == ("NOUN", "VERB", "VERB")
    for words in (["flow"], ["unroll", "--input", "dogs can run"], ["units", "--input", "dogs can run"], ["states"]):
        main(["inspect", words[0], str(run), *words[1:], "--json"])
        assert json.loads(capsys.readouterr().out)["written"]
    pytest.importorskip("onnxruntime", reason="running what was exported needs onnxruntime")
    main(["export", str(run), "--to", "onnx"])
    main(["predict", str(run / "model.onnx"), "the can is full", "dogs can run"])
    main(["evaluate", str(run / "model.onnx"), "--json"])
    *shown, figures = capsys.readouterr().out.splitlines()
    assert shown[-2:] == ["the/DET can/NOUN is/VERB full/ADJ", "dogs/NOUN can/VERB run/VERB"]
    assert json.loads(figures)["validation_accuracy"] == 1.0


def test_how_its_network_is_asked_must_be_said(
    tagged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="running what was exported needs onnxruntime")
    main(["train", "tagger", "--data", str(tagged), "--out", str(tmp_path / "run"), *TINY])
    monkeypatch.setattr(task_module("tagger").Task, "answer_kind", "classes")
    file = elman.load(tmp_path / "run").export().path
    with pytest.raises(UserError, match="answers once a sequence, and is asked otherwise"):
        elman.load(file).predict("dogs can run")


def test_a_stopped_training_goes_on_to_the_same_weights(tagged: Path, tmp_path: Path) -> None:
    task = task_module("tagger").Task
    before = task.batch

    def stop(self: object, step: int, rank: int, world: int) -> object:
        if step == 40:
            signal.raise_signal(signal.SIGINT)
        return before(self, step, rank, world)

    main(["train", "tagger", "--data", str(tagged), "--out", str(tmp_path / "whole"), *TINY])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "batch", stop)
        with pytest.raises(SystemExit):
            main(["train", "tagger", "--data", str(tagged), "--out", str(tmp_path / "stopped"), *TINY])
    main(["train", "tagger", "--out", str(tmp_path / "stopped"), "--resume"])
    for file in ("model.safetensors", "last.safetensors"):
        whole, resumed = (load_file(tmp_path / name / file) for name in ("whole", "stopped"))
        assert all(torch.equal(whole[key], resumed[key]) for key in whole), file


def test_its_help_stands_beside_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert "tagger" in task_names()
    main(["train", "--help"])
    assert "tagger" in capsys.readouterr().out
    main(["train", "tagger", "--help"])
    shown = capsys.readouterr().out.partition("Data")[2]
    assert shown.index("--data") < shown.index("--out") < shown.index("--hidden-size") < shown.index("--steps")


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(UserError, match=r"the task 'language' is elman\.tasks\.language already"):
        register_task("language", "tagger")


def test_an_installed_package_declares_its_task(tmp_path: Path) -> None:
    """As pip would leave it: the package and its entry point on the path."""
    about = tmp_path / "tagger-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tagger\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[elman.tasks]\ntagger = tagger\n")
    code = "from elman.tasks import task_names, task_summary; assert 'tag the words' in task_summary('tagger')"
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(OUTSIDE)!r}]; {code}"
    subprocess.run([sys.executable, "-c", program], check=True)
