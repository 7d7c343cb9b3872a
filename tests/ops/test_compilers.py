"""The op as torch.compile, torch.export and fake tensors see it, and under autocast."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

from elman.ops import recurrence
from elman.ops.custom_ops import flatten
from elman.ops.functional import run_recurrence
from tests.cases import CASES, Case
from tests.numerics import assert_close

RAGGED, RELU = CASES[5], CASES[8]


def loss(case: Case) -> Any:
    def of(*tensors: Tensor) -> Tensor:
        h, h_last = case.recurrence()(*tensors)
        return (h**2).sum() + h_last.sum()

    return of


@pytest.mark.parametrize("case", [RAGGED, RELU], ids=str)
def test_compiles_whole_with_sizes_that_vary(case: Case) -> None:
    torch.compiler.reset()
    options = case.options()

    def of(lengths: Tensor | None, mask: Tensor | None, *tensors: Tensor) -> Tensor:
        h, h_last = recurrence(*tensors, **(options | {"lengths": lengths, "mask": mask}))
        return (h**2).sum() + h_last.sum()

    compiled = torch.compile(of, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in (case, Case(case.T + 2, 3, 4, 6, case.nonlinearity)):
        tensors, own = size.tensors(), size.options()
        pair = own["lengths"], own["mask"]
        got = torch.autograd.grad(compiled(*pair, *tensors), tensors)
        assert_close(got, torch.autograd.grad(of(*pair, *tensors), tensors))


@pytest.mark.parametrize("case", [RAGGED, RELU], ids=str)
def test_registered_operators_keep_torchs_rules(case: Case) -> None:
    inputs = case.inputs()
    learned = inputs._replace(**dict(zip(inputs._fields, case.tensors(), strict=False)))
    torch.library.opcheck(torch.ops.elman.recurrence.default, flatten(learned, case.recurrence_options))
    # without gradients: a compiler differentiates only once
    h, _ = run_recurrence(inputs, case.recurrence_options)
    adjoint = torch.ops.elman.recurrence_adjoint.default
    needs, flat = [True, False, True, True, True], flatten(inputs, case.recurrence_options)
    torch.library.opcheck(adjoint, (torch.ones_like(h), None, h, needs, *flat))


def test_fake_tensors_have_the_shapes_and_never_reach_a_backend() -> None:
    with FakeTensorMode():
        tensors = RAGGED.tensors()
        h, h_last = recurrence(*tensors)
        assert (h.shape, h_last.shape) == ((4, 3, 5), (3, 5))
        h.sum().backward()
        assert [t.grad.shape for t in tensors] == [t.shape for t in tensors]  # type: ignore[union-attr]


def test_traced_as_one_node() -> None:
    tensors = RAGGED.tensors(requires_grad=False)
    graph = make_fx(lambda *tensors: RAGGED.recurrence()(*tensors)[0])(*tensors).graph
    assert sum(node.target is torch.ops.elman.recurrence.default for node in graph.nodes) == 1


def test_a_mode_that_watches_changes_nothing() -> None:
    tensors = RAGGED.tensors()
    want = torch.autograd.grad(loss(RAGGED)(*tensors), tensors)
    with FlopCounterMode(display=False):
        got = torch.autograd.grad(loss(RAGGED)(*tensors), tensors)
    assert_close(got, want)


def test_exported_programs_run_and_learn() -> None:
    class Module(torch.nn.Module):
        def forward(self, *tensors: Tensor) -> Tensor:
            return recurrence(*tensors, lengths=torch.tensor([4, 1, 3]))[0]

    tensors = RAGGED.tensors()
    program = torch.export.export(Module(), tuple(tensors)).module()
    want = recurrence(*tensors, lengths=torch.tensor([4, 1, 3]))[0]
    assert_close(program(*tensors), want)
    got = torch.autograd.grad(program(*tensors).sum(), tensors)
    assert_close(got, torch.autograd.grad(want.sum(), tensors))
