"""The registry of cells: what it knows, and one more cell that trains, resumes, is inspected and compared."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import elman
from elman import insight
from elman.cli.main import main
from elman.errors import UserError
from elman.insight.jacobians.by_autograd import AutogradJacobians
from elman.insight.recording import recording
from elman.insight.trace import traces
from elman.models.config import RecurrentConfig
from elman.models.recurrent import Recurrent
from elman.nn import registry
from elman.nn.registry import CellKind, Gate, StepMap, cell_kind, cell_names, kind_of, register_cell, unregister_cell
from tests.nn.minimal_gated_unit import KIND, MinimalGatedUnit, drive, step

T, B, INPUTS, H = 7, 3, 2, 4


@pytest.fixture
def mgu() -> Iterator[CellKind]:
    register_cell(KIND)
    yield KIND
    unregister_cell(KIND.name)


def test_the_built_in_kinds_recognise_their_layers() -> None:
    assert cell_names() == ("rnn", "lstm", "gru")
    layers = {"rnn": (elman.RNN(2, 3), nn.RNN(2, 3)), "lstm": (nn.LSTM(2, 3),), "gru": (nn.GRU(2, 3),)}
    for name, modules in layers.items():
        assert [kind_of(module) for module in modules] == [cell_kind(name)] * len(modules)
    assert kind_of(nn.Linear(2, 3)) is None


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_the_step_is_the_layers_own(name: str, bias: bool) -> None:
    torch.manual_seed(0)
    kind = cell_kind(name)
    module = kind.build(INPUTS, H, 1, bias=bias).double()
    step_map = kind.step_map(module)
    weights = registry.weights_of(module, step_map.weights, 0, 0)
    x, state = torch.randn(B, INPUTS, dtype=torch.float64), torch.randn(B, H * len(kind.state), dtype=torch.float64)
    parts = tuple(part[None].contiguous() for part in state.chunk(len(kind.state), -1))
    last = module(x[None], parts if len(parts) > 1 else parts[0])[1]
    found = step_map.step(state, step_map.drive(x, weights, **step_map.options), weights, **step_map.options)
    expected = torch.cat(last if isinstance(last, tuple) else (last,), -1)[0]
    # two sums of I + H products in another order, through functions of slope at most 1
    room = 4 * (INPUTS + H + 2) * torch.finfo(torch.float64).eps
    torch.testing.assert_close(found, expected, rtol=room, atol=room)


def test_a_gate_knows_its_slope_and_where_it_is_saturated() -> None:
    value = torch.tensor([0.0, 0.005, 0.5, 0.995, -0.995])
    assert [Gate("g", kind).slope for kind in ("tanh", "sigmoid", "relu")] == [1.0, 0.25, 1.0]
    assert Gate("g", "tanh").saturated(value).tolist() == [False, False, False, True, True]
    assert Gate("g", "sigmoid").saturated(value[:4]).tolist() == [True, True, False, True]
    assert Gate("g", "relu").saturated(value).tolist() == [True, False, False, False, False]


def test_a_kind_is_registered_once_and_forgotten(mgu: CellKind) -> None:
    assert cell_names() == ("rnn", "lstm", "gru", "mgu")
    assert cell_kind("mgu") is mgu
    register_cell(mgu)
    for name in ("mgu", "lstm"):
        other = CellKind(name=name, build=nn.GRU, recognises=mgu.recognises, step_map=mgu.step_map)
        with pytest.raises(ValueError, match=f"'{name}' is registered already"):
            register_cell(other)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    for ask in (lambda: cell_kind("grru"), lambda: RecurrentConfig(input_size=1, hidden_size=1, cell="grru")):
        with pytest.raises(UserError, match="no cell called 'grru'; did you mean `cell=gru`") as error:
            ask()
        assert "there are rnn, lstm, gru" in str(error.value)


def test_options_that_a_cell_lacks_are_refused(mgu: CellKind) -> None:
    for options in ({"residual": True}, {"init": "orthogonal"}, {"nonlinearity": "relu"}, {"recurrent_dropout": 0.1}):
        ((name, value),) = options.items()
        with pytest.raises(UserError, match=f"`{name}={value}` is for `cell=rnn`; the mgu cell"):
            RecurrentConfig(input_size=1, hidden_size=1, cell="mgu", **options)  # type: ignore[arg-type]


def test_an_installed_package_brings_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = importlib.metadata.EntryPoint("mgu", "tests.nn.minimal_gated_unit:KIND", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == "elman.cells" else [])
    registry._installed.cache_clear()
    try:
        assert "mgu" in cell_names()
        assert isinstance(Recurrent(RecurrentConfig(input_size=2, hidden_size=3, cell="mgu")).layer, MinimalGatedUnit)
        unregister_cell("mgu")
    finally:
        registry._installed.cache_clear()


def _layer(layers: int = 1) -> MinimalGatedUnit:
    torch.manual_seed(1)
    return MinimalGatedUnit(INPUTS, H, layers).double()


def _by_hand(module: MinimalGatedUnit, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """The states of a layer of one, each with its gradient kept, and the cost: the sum of all sines."""
    weights = {name: getattr(module, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias")}
    h, states = x.new_zeros(x.shape[1], H), []
    for d in drive(x, weights):
        h = step(h, d, weights)
        h.retain_grad()
        states.append(h)
    return states, torch.stack(states).sin().sum()


# autograd takes the same steps in the same order; what differs is the order of sums over the T steps and S numbers
CLOSE: dict[str, Any] = {"rtol": 1e3 * T * H * torch.finfo(torch.float64).eps, "atol": 1e-14}


def test_the_gradient_flow_of_a_registered_cell_is_autograds(mgu: CellKind) -> None:
    module, x = _layer(), torch.randn(T, B, INPUTS, dtype=torch.float64)
    flow = insight.gradient_flow(module, x, lambda m, b: m(b)[0].sin().sum())
    states, cost = _by_hand(module, x)
    cost.backward()
    (layer,) = flow.layers
    expected = torch.stack([h.grad.norm(dim=-1).mean() for h in reversed(states) if h.grad is not None])
    torch.testing.assert_close(layer.gradient, expected, **CLOSE)
    assert (layer.kind, layer.label, layer.gated) == ("mgu", "MGU", True)
    assert [weight.gate for weight in layer.weights] == ["forget", "new"]
    for weight, part in zip(layer.weights, module.weight_hh_l0.detach().chunk(2), strict=True):  # type: ignore[operator]
        assert weight.largest == pytest.approx(float(torch.linalg.matrix_norm(part, 2)))
    assert set(layer.saturated) == {"forget", "new"}


def test_the_jacobians_of_a_registered_cell_multiply_as_matrices(mgu: CellKind) -> None:
    module, x = _layer(), torch.randn(T, B, INPUTS, dtype=torch.float64)
    with recording(module) as calls, torch.no_grad():
        module(x)
    found = traces(calls[0])[0][0].jacobians
    assert isinstance(found, AutogradJacobians)
    v = torch.randn(B, H, dtype=torch.float64)
    for t in (0, T - 1):
        matrix = found.matrix(t)
        expected = torch.autograd.functional.jacobian(
            lambda s, t=t: step(s, found.drive[t], found.cell.weights), found.before[t]
        )
        assert isinstance(expected, Tensor)
        torch.testing.assert_close(matrix, torch.einsum("bibj->bij", expected), **CLOSE)
        torch.testing.assert_close(found.jvp(t, v), torch.einsum("bij,bj->bi", matrix, v), **CLOSE)
        torch.testing.assert_close(found.vjp(t, v), torch.einsum("bi,bij->bj", v, matrix), **CLOSE)


def test_a_registered_cell_unrolled_has_autograds_gradients(mgu: CellKind) -> None:
    module, x = _layer(2), torch.randn(T, 1, INPUTS, dtype=torch.float64)
    unrolled = insight.unroll(nn.ModuleDict({"rnn": module})["rnn"], x, torch.zeros(T, H, dtype=torch.float64))
    module.zero_grad()
    given = x.clone().requires_grad_()
    (module(given)[0].square().sum() / 2).backward()
    assert given.grad is not None
    torch.testing.assert_close(unrolled.grad_x, given.grad[:, 0], **CLOSE)
    parameters = dict(module.named_parameters())
    assert [weight.name for weight in unrolled.weights] == list(parameters)
    for weight in unrolled.weights:
        gradient = parameters[weight.name].grad
        assert gradient is not None
        torch.testing.assert_close(weight.gradient, gradient, **CLOSE)
        torch.testing.assert_close(torch.stack([weight.of_step(t) for t in range(T)]).sum(0), gradient, **CLOSE)
        assert weight.by_step.tolist() == pytest.approx([float(weight.of_step(t).norm()) for t in range(T)])


def test_the_fixed_points_of_a_registered_cell_stand_still(mgu: CellKind) -> None:
    module = _layer()
    space = insight.states(module, torch.randn(40, B, INPUTS, dtype=torch.float64))
    points = insight.fixed_points(space)
    assert len(points)
    weights = space.cell.weights
    moved = step(points.state, drive(points.x, weights).expand(len(points), -1), weights)
    torch.testing.assert_close((moved - points.state).norm(dim=-1), points.speed, rtol=0, atol=1e-14)


def test_a_cell_with_a_step_and_nothing_more_is_inspected(mgu: CellKind, tmp_path: Path) -> None:
    """No gates, no drive of its own: what cannot be told is left out."""

    class Leaky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input_size, self.hidden_size, self.leak = INPUTS, H, 0.3
            self.inner = nn.Linear(INPUTS + H, H)

        def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
            h, states = x.new_zeros(x.shape[1], H) if h is None else h[0], []
            for x_t in x:
                h = (1 - self.leak) * h + self.leak * self.inner(torch.cat((x_t, h), -1)).tanh()
                states.append(h)
            return torch.stack(states), h[None]

    def leaky_step(state: Tensor, x: Tensor, weights: registry.Weights, *, leak: float) -> Tensor:
        a = torch.cat((x, state), -1) @ weights["inner.weight"].T + weights["inner.bias"]
        return (1 - leak) * state + leak * a.tanh()

    def describe(module: Any) -> StepMap:
        names = ("inner.weight", "inner.bias")
        return StepMap(step=leaky_step, weights=names, options={"leak": module.leak}, label="leaky")

    register_cell(CellKind(name="leaky", build=Leaky, recognises=lambda m: isinstance(m, Leaky), step_map=describe))
    try:
        torch.manual_seed(0)
        model, x = nn.Sequential(Leaky()), torch.randn(T, 1, INPUTS)
        flow = insight.gradient_flow(model, x, lambda m, b: m(b)[0][-1].sum())
        assert flow.layers[0].weights == ()
        assert flow.layers[0].saturated == {}
        assert "0.l0" in flow.verdict
        insight.save_figure(insight.plot_gradient_flow(flow), tmp_path / "flow")
        assert insight.gradient_metrics(flow).keys() == {f"flow/0.l0/{n}" for n in ("near", "far", "left", "a_step")}
        unrolled = insight.unroll(model, x, torch.zeros(T, H))
        assert [weight.name for weight in unrolled.weights] == ["0.inner.weight", "0.inner.bias"]
        assert len(insight.fixed_points(insight.states(model, x)).state.T) == H
    finally:
        unregister_cell("leaky")


def _failing_after(steps: int) -> Any:
    """A forward pass that fails in training after some steps."""
    forward, taken = MinimalGatedUnit.forward, [0]

    def failing(self: MinimalGatedUnit, *args: Any, **options: Any) -> Any:
        taken[0] += self.training
        if taken[0] > steps:
            raise RuntimeError("power cut")
        return forward(self, *args, **options)

    return failing


def test_a_registered_cell_trains_resumes_and_is_inspected(
    mgu: CellKind, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "--cell mgu --hidden-size 4 --max-length 8 --batch-size 4 --eval-every 2 --checkpoint-every 2".split()
    command = ["train", "parity", *words, "--steps", "6"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    main([*command, "--out", str(whole)])
    with monkeypatch.context() as patch:
        patch.setattr(MinimalGatedUnit, "forward", _failing_after(4))
        with pytest.raises(RuntimeError, match="power cut"):
            main([*command, "--out", str(cut)])
    main(["train", "parity", "--resume", "--out", str(cut)])
    resumed, straight = (load_file(folder / "last.safetensors") for folder in (cut, whole))
    assert resumed.keys() == straight.keys()
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)
    run = elman.load(whole)
    assert isinstance(run.model.recurrent.layer, MinimalGatedUnit)  # type: ignore[union-attr]
    for look in (["flow"], ["states"], ["unroll", "--input", "1011"], ["units", "--input", "1011"]):
        capsys.readouterr()
        main(["inspect", look[0], str(whole), *look[1:], "--json"])
        facts = json.loads(capsys.readouterr().out)
        assert facts["written"]
    assert facts["layer"] == "recurrent.layer.l0"


def test_a_registered_cell_is_compared(mgu: CellKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = "--length 4 --steps 2 --eval-every 1 --hidden-size 3 --batch-size 2 --seeds 0".split()
    main(["compare", "--remedies", "none,mgu,mgu+clip", "--out", str(tmp_path), "--json", *quick])
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [row["remedy"] for row in rows] == ["none", "mgu", "mgu+clip"]
