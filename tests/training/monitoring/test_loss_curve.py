"""The loss curve: the step that is saved, no drawn rounding, no panel for a single evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from elman.plotting.mpl import Figure
from elman.training.checkpoint import save_weights
from elman.training.monitoring import loss_curve
from elman.training.run_folder import RunFolder


def drawn(folder: Path, rows: list[str], step: int, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """The picture of a run with these rows of metrics and the weights of this step."""
    kept: list[Figure] = []
    monkeypatch.setattr(loss_curve, "save_figure", lambda figure, path: kept.append(figure))
    run = RunFolder(folder)
    run.metrics.write_text("\n".join(["step,loss,validation_mase", *rows]) + "\n")
    save_weights(run.weights, nn.Linear(1, 1), {"step": step})
    loss_curve.draw_loss_curve(run, "mase", "nats", higher_is_better=False)
    return kept[0]


def test_a_metric_that_differs_by_rounding_is_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["10,0.3,0.7665777", "20,0.2,0.76657771", "30,0.2,0.7665777"]
    figure = drawn(tmp_path, rows, 30, monkeypatch)
    assert figure.get_suptitle() == "Best validation mase 0.7666 at step 30 of 30"
    figure.canvas.draw()
    low, high = figure.axes[1].get_ylim()
    assert high - low > 0.05
    assert figure.axes[1].yaxis.get_offset_text().get_text() == ""


def test_one_evaluation_has_no_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = drawn(tmp_path, ["10,0.3,", "20,0.2,0.5"], 20, monkeypatch)
    assert figure.get_suptitle() == "Validation mase 0.5000 at step 20 of 20"
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["training loss"]
