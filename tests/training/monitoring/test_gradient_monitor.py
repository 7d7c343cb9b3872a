"""`--watch`: the same weights as without, the same rows when resumed, every task and cell, and options that mend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import nn

from elman.cli.messages import as_options, show_notes
from elman.errors import UserError
from elman.tasks.language import task as language
from elman.tasks.memory import task as parity
from elman.training.loop import train
from elman.training.monitoring.gradient_monitor import MonitorHook, remedies, remedies_of_run
from elman.training.monitoring.metrics_log import Row, read_metrics
from elman.training.optim import start_accelerator
from elman.training.run_folder import RunFolder
from elman.training.settings import TrainingSettings

SMALL: dict[str, Any] = {
    "steps": 12,
    "batch_size": 16,
    "hidden_size": 12,
    "eval_every": 6,
    "checkpoint_every": 6,
    "log_every": 4,
    "device": "cpu",
}
TIMES = {"chars_per_second", "answers_per_second", "symbols_per_second", "seconds"}


def writer(folder: Path, **options: Any) -> language.Settings:
    """A small language model on a text beside the run."""
    text = folder.parent / "rhyme.txt"
    text.write_text("one for sorrow, two for joy,\nthree for a girl, four for a boy.\n" * 60, encoding="utf-8")
    few: dict[str, Any] = {"chunk": 12, "embedding_size": 8, "dropout": 0.2, "recurrent_dropout": 0.1}
    few |= {} if options.get("cell", "rnn") == "rnn" else {"recurrent_dropout": 0.0, "init": "uniform"}
    return language.Settings(data=(str(text),), **{**SMALL, **few, **options})


def run(module: Any, settings: Any, out: Path, *, resume: bool = False) -> list[Row]:
    """Train, and give the rows of metrics.csv without those that tell the time."""
    out.mkdir(exist_ok=True)
    folder = RunFolder(out)
    train(module.Task.new(settings), settings, folder, start_accelerator(settings), resume=resume)
    return [{k: v for k, v in row.items() if k not in TIMES} for row in read_metrics(folder.metrics)]


def looks(rows: list[Row]) -> list[Row]:
    return [row for row in rows if any(name.startswith("flow/") for name in row)]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_watched_run_has_the_weights_and_rows_of_an_unwatched_one(cell: str, tmp_path: Path) -> None:
    plain = run(language, writer(tmp_path / "plain", cell=cell), tmp_path / "plain")
    watched = run(language, writer(tmp_path / "watched", cell=cell, watch=5), tmp_path / "watched")
    left, right = (load_file(tmp_path / name / "last.safetensors") for name in ("plain", "watched"))
    assert all(torch.equal(left[key], right[key]) for key in left)
    found = looks(watched)
    assert [row["step"] for row in found] == [5, 10]
    metrics = {name for row in found for name in row if name.startswith("flow/")}
    ends = ("near", "far", "left", "a_step", "saturated", "w_hh")
    assert metrics == {f"flow/recurrent.layer.l0/{name}" for name in ends}
    rest = [{k: v for k, v in row.items() if not k.startswith("flow/")} for row in watched]
    assert [row for row in rest if len(row) > 1] == plain


def test_a_resumed_run_has_the_same_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = writer(tmp_path / "whole", watch=3, layers=2)
    whole = run(language, settings, tmp_path / "whole")
    honest = language.Task.batch

    def stop(self: language.Task, step: int, rank: int, world: int) -> Any:
        if step == 8 and world == 1:
            raise RuntimeError("the power is cut")
        return honest(self, step, rank, world)

    monkeypatch.setattr(language.Task, "batch", stop)
    with pytest.raises(RuntimeError, match="power"):
        run(language, settings, tmp_path / "cut")
    monkeypatch.undo()
    assert run(language, settings, tmp_path / "cut", resume=True) == whole
    assert [row["step"] for row in looks(whole)] == [3, 6, 9, 12]


@pytest.mark.parametrize("problem", ["parity", "adding", "copy"])
@pytest.mark.parametrize("supervise", ["every", "last"])
def test_every_problem_of_memory_can_be_watched(problem: Any, supervise: Any, tmp_path: Path) -> None:
    settings = parity.Settings(problem=problem, supervise=supervise, max_length=12, watch=4, **SMALL)
    found = looks(run(parity, settings, tmp_path / "run"))
    assert [row["step"] for row in found] == [4, 8, 12]
    assert all(row["flow/recurrent.layer.l0/near"] > 0 for row in found)


@pytest.fixture
def another_precision() -> Iterator[None]:
    """accelerate knows one precision a process, and forgets it here."""
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()


@pytest.mark.usefixtures("another_precision")
def test_a_state_from_autocast_is_watched(tmp_path: Path) -> None:
    settings = writer(tmp_path / "run", watch=6, precision="bfloat16")
    assert len(looks(run(language, settings, tmp_path / "run"))) == 2


def test_the_figures_are_those_of_the_gradient_that_training_sees(tmp_path: Path) -> None:
    """A batch of 16 is looked at in two parts: each sequence weighs what it weighs in the whole."""
    settings = parity.Settings(problem="adding", max_length=6, watch=1, **SMALL)
    task = parity.Task.new(settings)
    torch.manual_seed(0)
    model = task.build_model()
    lines: list[str] = []
    metrics = MonitorHook(task, settings, model, start_accelerator(settings), lines.append)(12, ())
    kept: list[torch.Tensor] = []
    layer = model.get_submodule("recurrent.layer")

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        output[1].retain_grad()
        kept.append(output[1])

    layer.register_forward_hook(keep)
    loss = task.loss(model, task.batch(12, 0, 1), ())
    (loss.total / loss.count).backward()
    assert kept[0].grad is not None
    last = kept[0].grad[-1, :8].norm(dim=-1).mean()
    assert metrics["flow/recurrent.layer.l0/near"] == pytest.approx(float(last), rel=1e-5)


def test_sequences_of_one_step_are_said_once_and_training_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert looks(run(language, writer(tmp_path / "run", chunk=1, watch=2), tmp_path / "run")) == []
    assert caplog.text.count("at least 2 steps") == 1


def test_the_warning_comes_once_on_standard_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_notes()
    run(language, writer(tmp_path / "run", init=0.01, watch=2), tmp_path / "run")
    lines = [line for line in capsys.readouterr().err.splitlines() if "vanish" in line]
    assert len(lines) == 1
    assert lines[0].startswith("elman: step 2: Gradients vanish in recurrent.layer.l0: ")
    assert lines[0].endswith("; try --init orthogonal, --residual or --cell gru")


@pytest.mark.parametrize(
    ("settings", "state", "words"),
    [
        (language.Settings(), "vanishing", "try --residual or --cell gru"),
        (language.Settings(cell="lstm", init="uniform"), "vanishing", "try --cell rnn --residual"),
        (parity.Settings(residual=True), "vanishing", "try --cell gru"),
        (
            parity.Settings(supervise="last", cell="gru", init="uniform"),
            "vanishing",
            "try --cell rnn --residual or --sup",
        ),
        (parity.Settings(clip_norm=0, init="uniform"), "exploding", "try --clip-norm 1, --init orthogonal or --lr"),
        (language.Settings(clip_norm=5), "exploding", "try --clip-norm 0.5, --chunk 32 or --lr 0.0005"),
        (parity.Settings(nonlinearity="relu"), "no gradient", "try --nonlinearity tanh or --lr"),
        (TrainingSettings(), "not finite", "try --lr 0.0005 or --clip-norm 0.1"),
    ],
)
def test_a_remedy_is_an_option_that_the_run_does_not_use_yet(
    settings: TrainingSettings, state: str, words: str
) -> None:
    assert as_options(remedies(settings)[state]).startswith(words)


def test_a_model_without_a_recurrent_layer_is_refused_before_training(tmp_path: Path) -> None:
    settings = TrainingSettings(watch=10, device="cpu")
    task = parity.Task.new(parity.Settings())
    with pytest.raises(UserError, match="no recurrent layer") as error:
        MonitorHook(task, settings, nn.Linear(2, 2), start_accelerator(settings), lambda line: None)
    assert "\n" not in str(error.value)


def test_a_negative_interval_is_refused() -> None:
    with pytest.raises(UserError, match="`watch`"):
        TrainingSettings(watch=-1)


@pytest.mark.parametrize(
    ("metrics", "mended"),
    [({"accuracy": 1.0}, False), ({"whole_right": 1.0}, False), ({"accuracy": 0.99}, True), ({}, True)],
)
def test_a_run_that_is_right_on_all_its_validation_part_needs_no_remedy(
    metrics: dict[str, float], mended: bool
) -> None:
    settings = parity.Settings()
    advice = remedies_of_run(settings, {"step": 5, **metrics})
    for state in ("vanishing", "exploding"):
        assert (advice[state] == remedies(settings)[state]) == mended
        assert ("needs no mending" in advice[state]) != mended
    assert advice["not finite"] == remedies(settings)["not finite"]
