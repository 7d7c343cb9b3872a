"""The general recurrence as torch.compile and torch.export see it, and under autocast."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import elman
from elman.kernels.general.options import GeneralInputs
from elman.ops.general import custom_ops
from elman.ops.general.custom_ops import flatten, run_many
from tests.general_cases import GeneralCase
from tests.numerics import assert_close

FULL = GeneralCase(4, 3, 2, 5, "sigmoid", "current", leak=True, noise=True, reset=True, restart=True)
OPTIONS: dict[str, Any] = {
    "leak": 0.3,
    "learn_leak": "sigmoid",
    "noise": 0.2,
    "form": "current",
    "nonlinearity": "softplus",
    "bidirectional": True,
    "learned_h0": True,
}


def layer() -> elman.RNN:
    torch.manual_seed(0)
    return elman.RNN(3, 4, dtype=torch.float64, **OPTIONS)


def batch(T: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(T)
    return torch.randn(T, 2, 3, generator=draw, dtype=torch.float64), torch.rand(T, 2, generator=draw) > 0.6


def test_the_layer_compiles_whole() -> None:
    torch.compiler.reset()
    rnn = layer()
    compiled = torch.compile(rnn, fullgraph=True, dynamic=True, backend="aot_eager")
    for T in (5, 8):
        x, reset = batch(T)
        got, want = compiled(x, reset=reset, seed=3)[0], rnn(x, reset=reset, seed=3)[0]
        assert_close(got, want)
        parameters = list(rnn.parameters())
        gradients = [torch.autograd.grad((h**2).sum(), parameters) for h in (got, want)]
        assert_close(*gradients)


def test_the_layer_is_exported_with_an_open_number_of_steps() -> None:
    rnn = layer().eval()
    x, reset = batch(5)
    steps = torch.export.Dim("T", min=2)
    sizes = {"input": {0: steps}, "reset": {0: steps}}
    program = torch.export.export(rnn, (x,), {"reset": reset}, dynamic_shapes=sizes)
    x, reset = batch(9)
    assert_close(program.module()(x, reset=reset), rnn(x, reset=reset))


def test_a_stack_compiles_whole() -> None:
    torch.compiler.reset()
    many = elman.nn.stack([elman.RNN(3, 4) for _ in range(3)])
    x = torch.randn(5, 2, 3)
    compiled = torch.compile(many, fullgraph=True, backend="aot_eager")
    assert_close(compiled(x), many(x))


def test_registered_operators_keep_torchs_rules() -> None:
    inputs = GeneralInputs(*(None if t is None else t.unsqueeze(0) for t in FULL.inputs()))  # type: ignore[arg-type]
    names = inputs._fields[:8]
    learned = inputs._replace(**{name: getattr(inputs, name).clone().requires_grad_() for name in names})
    torch.library.opcheck(torch.ops.elman.general_recurrences.default, flatten(learned, FULL.options))
    h, _, extra = run_many(inputs, FULL.options)
    needs = [True, False, True, True, True, True, True, True, False]
    given = torch.ones_like(h), None, None, h, extra, needs, *flatten(inputs, FULL.options)
    torch.library.opcheck(torch.ops.elman.general_adjoints.default, given)


def test_autocast_casts_once() -> None:
    rnn = elman.RNN(3, 4, leak=0.5)
    x = torch.randn(5, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h, _ = rnn(x)
        h.float().sum().backward()
    assert h.dtype == torch.bfloat16
    assert (h.float() - rnn(x)[0]).abs().max() < 0.05
    assert rnn.weight_hh_l0.grad is not None


def test_a_backend_without_the_terms_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:

    class Other:
        general, name = None, "other"

    custom_ops._say_once.cache_clear()
    monkeypatch.setattr(custom_ops, "select_backend", lambda *_: Other)
    inputs = GeneralInputs(*(None if t is None else t.unsqueeze(0) for t in FULL.inputs()))  # type: ignore[arg-type]
    with pytest.warns(RuntimeWarning, match="the backend 'other' has no leak, noise, resets or other activations"):
        got = run_many(inputs, FULL.options)
    monkeypatch.undo()
    assert_close(got, run_many(inputs, FULL.options))
