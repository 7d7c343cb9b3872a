"""The pictures of flows, graphs and unrolled networks: readable, and saying what the numbers say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from matplotlib.lines import Line2D
from tests.insight.looks import check
from torch import nn

import elman
from elman.errors import UserError
from elman.insight.gradient_flow import gradient_flow
from elman.insight.graph.graph import computational_graph
from elman.insight.plots.gradient_flow import plot_gradient_flow
from elman.insight.plots.graph import plot_computation
from elman.insight.plots.unrolled import frames, plot_unrolled
from elman.insight.unrolled import unroll


@pytest.mark.parametrize(
    "layer",
    [
        nn.RNN(2, 3),
        nn.LSTM(2, 3, num_layers=2, bidirectional=True),
        elman.RNN(2, 3, residual=True, nonlinearity="relu"),
    ],
    ids=["tanh", "lstm", "residual"],
)
def test_the_picture_of_a_flow(layer: nn.RNNBase, tmp_path: Path) -> None:
    torch.manual_seed(0)
    flow = gradient_flow(layer, torch.randn(30, 2, 2), lambda m, b: m(b)[0].sum())
    text = check(plot_gradient_flow(flow), tmp_path)
    assert flow.verdict.split(":")[0] in text.replace("\n", " ")
    for one in flow.layers:
        assert one.name in text


def test_the_picture_of_a_flow_that_is_cut_or_has_no_singular_values(tmp_path: Path) -> None:
    layer, other = nn.RNN(2, 3), nn.Parameter(torch.ones(()))
    flow = gradient_flow(layer, torch.randn(5, 2, 2), lambda m, b: m(b)[0].detach().sum() * other)
    assert "nothing above zero" in check(plot_gradient_flow(flow), tmp_path)
    flow = gradient_flow(layer, torch.randn(5, 2, 2), jacobians=False)
    assert "not worked out" in check(plot_gradient_flow(flow), tmp_path)


def test_the_legend_of_a_flow_names_only_what_is_drawn(tmp_path: Path) -> None:
    """A normalised layer of many units has no smallest singular value above zero, and a cut layer no gradient."""
    torch.manual_seed(0)
    first, second = elman.RNN(3, 70, layer_norm=True), nn.RNN(70, 3)

    def loss(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return second(first(x)[0].detach())[0].sum() + first(x)[0][0].sum()  # type: ignore[no-any-return]

    flow = gradient_flow(nn.ModuleDict({"first": first, "second": second}), torch.randn(12, 2, 3), loss)
    figure = plot_gradient_flow(flow)
    check(figure, tmp_path)
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            assert isinstance(handle, Line2D)
            values = torch.as_tensor(handle.get_ydata(), dtype=torch.float64)
            assert bool(values.isfinite().any()), label
    one = gradient_flow(elman.RNN(3, 70, layer_norm=True), torch.randn(12, 2, 3), lambda m, b: m(b)[0][-1].sum())
    assert "smallest" not in check(plot_gradient_flow(one), tmp_path)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_picture_of_a_computation_shows_every_number_of_a_step_once(kind: type[nn.RNNBase], tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = computational_graph(kind(2, 2), torch.randn(2, 2), torch.zeros(2, 1), readout=nn.Linear(2, 1))
    figure = plot_computation(graph, [2])
    text = check(figure, tmp_path)
    for node in graph.of_step(2):
        assert f"{node.value + 0.0:.2g}" in text
        assert f"{node.gradient + 0.0:.2g}" in text
    for axes in figure.axes:
        boxes = [patch.get_window_extent() for patch in axes.patches]
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:k])


def test_a_picture_of_the_forward_pass_shows_no_gradient(tmp_path: Path) -> None:
    graph = computational_graph(nn.RNN(1, 1), torch.ones(2, 1))
    with_gradients, without = plot_computation(graph), plot_computation(graph, gradients=False)
    counts = [sum(len(axes.texts) for axes in figure.axes) for figure in (with_gradients, without)]
    assert counts[0] * 2 == counts[1] * 3  # name, value and gradient against name and value
    assert "going forward" in check(without, tmp_path)


@pytest.mark.parametrize("steps", [[0], [3], []])
def test_steps_that_are_not_there_are_refused(steps: list[int]) -> None:
    graph = computational_graph(nn.RNN(1, 1), torch.ones(2, 1))
    with pytest.raises(UserError, match="steps 1 to 2"):
        plot_computation(graph, steps)


@pytest.mark.parametrize(
    ("layer", "inputs", "steps"),
    [(nn.RNN(2, 3), 2, 3), (nn.LSTM(30, 40, num_layers=2), 30, 9), (nn.GRU(4, 4, bidirectional=True), 4, 1)],
    ids=["small", "two bands", "one step"],
)
def test_the_picture_of_an_unrolled_network(layer: nn.RNNBase, inputs: int, steps: int, tmp_path: Path) -> None:
    unrolled = unroll(layer, torch.randn(steps, inputs), tokens="a $\n^_{}語bc"[:steps])
    text = check(plot_unrolled(unrolled), tmp_path)
    assert f"{steps} copies of one network" in text.replace("\n", " ")
    assert "weight_hh_l0" in text
    assert sum(line.startswith("t = ") for line in text.split("\n")) == steps


def test_the_passes_one_step_at_a_time(tmp_path: Path) -> None:
    pictures = list(frames(unroll(nn.RNN(2, 2), torch.randn(3, 2), torch.zeros(3, 2))))
    titles = [figure.get_suptitle() for figure in pictures]
    assert titles[:2] == [f"Forward pass, after step {t} of 3" for t in (1, 2)]
    assert titles[2].startswith("Forward pass: C = ")
    assert titles[3:5] == [f"Backward pass, down to step {t} of 3" for t in (3, 2)]
    counts = [len(figure.axes[0].texts) for figure in pictures]
    assert counts == sorted(counts)
    assert len(set(counts)) == 6
    check(pictures[3], tmp_path)


def test_more_steps_than_fit_are_refused() -> None:
    with pytest.raises(UserError, match="at most 70"):
        plot_unrolled(unroll(nn.RNN(1, 1), torch.ones(71, 1)))
