"""The backward pass by hand: its numbers, those of the page that explains it, and the code quoted there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

import elman
from elman.errors import UserError
from elman.insight.graph.graph import computational_graph
from elman.insight.graph.worked_example import bptt, worked_example

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "backward.md").read_text(encoding="utf-8")


def _layer(w_ih: Tensor, w_hh: Tensor, b: Tensor) -> elman.RNN:
    layer = elman.RNN(w_ih.shape[1], w_hh.shape[0]).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(w_ih)
        layer.weight_hh_l0.copy_(w_hh)
        layer.bias_ih_l0.copy_(b)
        layer.bias_hh_l0.zero_()
    return layer


def test_the_gradients_are_those_of_the_layer_and_of_the_computational_graph() -> None:
    torch.manual_seed(0)
    T, inputs, H = 5, 3, 4
    x, h0, target = (torch.randn(n, dtype=torch.float64) for n in ((T, inputs), (H,), (T, H)))
    w_ih, w_hh, b = (torch.randn(n, dtype=torch.float64) for n in ((H, inputs), (H, H), (H,)))
    found = bptt(x, h0, w_ih, w_hh, b, target)

    layer = _layer(w_ih, w_hh, b)
    x_leaf, h_leaf = x.clone().requires_grad_(), h0[None].clone().requires_grad_()
    out, _ = layer(x_leaf, h_leaf)
    out.retain_grad()
    cost = (out - target).square().sum() / 2
    cost.backward()
    assert found.cost == pytest.approx(cost.item(), rel=1e-12)
    for ours, autograds in (
        (found.grad_w_ih, layer.weight_ih_l0.grad),
        (found.grad_w_hh, layer.weight_hh_l0.grad),
        (found.grad_b, layer.bias_ih_l0.grad),
        (found.grad_h0[None], h_leaf.grad),
        (found.grad_x, x_leaf.grad),
    ):
        torch.testing.assert_close(ours, autograds, rtol=1e-6, atol=1e-12)

    graph = computational_graph(layer, x, target, h0=h0[None])
    for step in found.steps:
        for unit in range(H):
            assert graph[f"a_{step.t}[{unit}]"].gradient == pytest.approx(float(step.delta[unit]), rel=1e-9)
            assert graph[f"h_{step.t}[{unit}]"].gradient == pytest.approx(float(step.total[unit]), rel=1e-9)


def test_the_page_has_the_numbers_of_the_worked_example() -> None:
    example = worked_example()
    rows = re.findall(r"^\| (\d) \| (\d) \| (.+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 6
    for t, unit, numbers in rows:
        s = example.steps[int(t) - 1]
        expected = (s.a, s.h, s.from_loss, s.from_later, s.total, s.slope, s.delta)
        assert numbers.split(" | ") == [f"{float(v[int(unit) - 1]):.4f}" for v in expected]
    gradients = dict(re.findall(r"^\| dC/d(\w+) \| (.+) \|$", PAGE, re.MULTILINE))
    expected = {
        "W_ih": example.grad_w_ih,
        "W_hh": example.grad_w_hh,
        "b": example.grad_b,
        "h_0": example.grad_h0,
        "x": example.grad_x,
    }
    assert gradients == {k: ", ".join(f"{x:.4f}" for x in v.flatten().tolist()) for k, v in expected.items()}


def test_the_sums_in_the_pages_text_are_right() -> None:
    sums = re.findall(r"unit(?: gets| 1:) ([-0-9. ·+()]+) = (-?\d+\.\d+)", PAGE)
    assert len(sums) == 2
    for terms, result in sums:
        value = 0.0
        for sign, left, right in re.findall(r"(^|[+-] )\(?(-?[\d.]+)\)? · \(?(-?[\d.]+)\)?", terms):
            value += (-1 if sign == "- " else 1) * float(left) * float(right)
        assert value == pytest.approx(float(result), abs=1e-4)


def test_the_code_on_the_page_is_the_code_of_the_reference_backend() -> None:
    reference = (ROOT / "src" / "elman" / "kernels" / "reference.py").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    quoted = [line for block in blocks if "import" not in block for line in block.splitlines()]
    assert len(quoted) == 8
    for line in quoted:
        assert line in reference.splitlines(), f"docs/backward.md quotes a line that is no longer there: {line}"


def test_the_table_reads_from_the_last_step_and_fits_a_terminal() -> None:
    console = Console(width=80, record=True)
    console.print(worked_example().table())
    text = console.export_text()
    assert "…" not in text
    assert [line.split()[0] for line in text.splitlines() if re.match(r"\s+\d ", line)] == ["3", "2", "1"]


def test_shapes_that_do_not_fit_are_refused() -> None:
    ones = torch.ones
    with pytest.raises(UserError, match=r"w_hh has shape \(2, 3\); x and h0 ask for \(2, 2\)"):
        bptt(ones(3, 1), ones(2), ones(2, 1), ones(2, 3), ones(2), ones(3, 2))
    with pytest.raises(UserError, match="no step"):
        bptt(ones(0, 1), ones(2), ones(2, 1), ones(2, 2), ones(2), ones(0, 2))
