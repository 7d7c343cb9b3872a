"""Many networks at once against each of them alone, by `elman.nn.stack` and by `vmap` over stacked parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import elman
from elman.errors import UserError
from elman.kernels.cpu import backend as cpu
from tests.numerics import assert_close

V, T, B, I, H = 3, 5, 2, 3, 6
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"num_layers": 2, "bidirectional": True, "nonlinearity": "relu"},
    {"bias": False, "residual": True, "batch_first": True},
    {"leak": 0.3, "form": "current", "num_layers": 2, "learned_h0": True},
    {"learn_leak": "time constant", "nonlinearity": "softplus", "bidirectional": True, "batch_first": True},
)


def networks(**options: Any) -> list[elman.RNN]:
    torch.manual_seed(0)
    made = [elman.RNN(I, H, dtype=torch.float64, **options) for _ in range(V)]
    for network in made:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return made


def inputs(options: dict[str, Any], each: bool) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    lead = (V,) if each else ()
    turned = options.get("batch_first", False)
    shape = (*lead, B, T) if turned else (*lead, T, B)
    x = torch.randn(*shape, I, generator=draw, dtype=torch.float64)
    reset = torch.rand(shape, generator=draw) > 0.7
    return x, reset, torch.tensor([T, 2])


@pytest.mark.parametrize("each", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_stack_is_its_networks(options: dict[str, Any], each: bool) -> None:
    made = networks(**options)
    many = elman.nn.stack(made)
    x, reset, lengths = inputs(options, each)
    x.requires_grad_()
    output, h_n = many(x, lengths=lengths, reset=reset)
    alone = [
        network(x[v] if each else x, lengths=lengths, reset=reset[v] if each else reset)
        for v, network in enumerate(made)
    ]
    assert_close(output, torch.stack([output for output, _ in alone]))
    assert_close(h_n, torch.stack([h_n for _, h_n in alone]))
    ((output**2).sum() + h_n.sum()).backward()
    got_x, x.grad = x.grad, None
    sum(((o**2).sum() + n.sum()) for o, n in alone).backward()  # type: ignore[union-attr]
    assert_close(got_x, x.grad)
    for name, values in many.named_parameters():
        want = [getattr(net.dynamics, name[9:]) if name[:9] == "dynamics_" else getattr(net, name) for net in made]
        assert_close(values.grad, torch.stack([parameter.grad for parameter in want]))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_stack_comes_apart_again(options: dict[str, Any]) -> None:
    made = networks(**options)
    for network, again in zip(made, elman.nn.stack(made).unstack(), strict=True):
        x, *_ = inputs(options, each=False)
        assert_close(again(x), network(x))
        assert list(again.state_dict()) == list(network.state_dict())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_bit(threads: int) -> None:
    many = elman.nn.stack([elman.RNN(4, 40, leak=0.5, noise=0.2) for _ in range(7)])
    x = torch.randn(9, 3, 4)
    want = many(x, seed=3)[0]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert torch.equal(many(x, seed=3)[0], want)
    finally:
        torch.set_num_threads(before)


def test_each_network_has_noise_of_its_own() -> None:
    one = elman.RNN(I, H, noise=0.5)
    many = elman.nn.stack([one, one])
    output, _ = many(torch.zeros(T, B, I), seed=1)
    assert not torch.allclose(output[0], output[1])
    assert torch.equal(many(torch.zeros(T, B, I), seed=1)[0], output)
    many.eval()
    quiet, _ = many(torch.zeros(T, B, I))
    assert torch.equal(quiet[0], quiet[1])


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[1], OPTIONS[3]], ids=str)
def test_vmap_over_stacked_parameters_is_the_loop_and_one_call(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = networks(**options)
    parameters, buffers = torch.func.stack_module_state(made)  # type: ignore[arg-type]
    x, *_ = inputs(options, each=False)

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        output, h_n = torch.func.functional_call(made[0], (parameters, buffers), (x,))
        return (output**2).sum() + h_n.sum()

    calls: list[int] = []
    if cpu.available():
        for name in ("elman_general_forward", "elman_general_backward"):
            function = getattr(cpu.library(), name)

            def counted(packed: bytes, count: int, function: Any = function) -> int:
                calls.append(count)
                return int(function(packed, count))

            monkeypatch.setattr(cpu.library(), name, counted)
    got = torch.func.vmap(torch.func.grad(loss))(parameters, buffers)
    directions = len(made[0]._all_weights)
    if cpu.available():
        assert calls == [V] * (2 * directions)
    for v, network in enumerate(made):
        network.zero_grad()
        output, h_n = network(x)
        ((output**2).sum() + h_n.sum()).backward()
        for name, parameter in network.named_parameters():
            assert_close(got[name][v], parameter.grad)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"hidden_size": 5}, "`hidden_size` of network 0 is 6, of network 1 5"),
        ({"nonlinearity": "relu"}, "`nonlinearity` of network 0 is tanh, of network 1 relu"),
        ({"leak": 0.5}, "differ in their leak, noise or form"),
        ({"layer_norm": True}, "network 1 has layer normalisation"),
    ],
    ids=str,
)
def test_networks_that_do_not_fit_are_named(second: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        elman.nn.stack([elman.RNN(I, H), elman.RNN(**({"input_size": I, "hidden_size": H} | second))])


def test_what_cannot_be_stacked_or_fed_is_said() -> None:
    with pytest.raises(UserError, match="no network to stack"):
        elman.nn.stack([])
    with pytest.raises(UserError, match=r"network 0 is a RNN; only `elman.RNN`s"):
        elman.nn.stack([torch.nn.RNN(2, 3)])  # type: ignore[list-item]
    constrained = elman.nn.parametrizations.constrain(elman.RNN(I, H), elman.nn.parametrizations.NoSelfConnection())
    with pytest.raises(UserError, match="constraints"):
        elman.nn.stack([constrained])
    many = elman.nn.stack([elman.RNN(I, H)] * 2)
    with pytest.raises(ValueError, match=r"input has shape \(3, 5, 2, 3\); give 3 dimensions"):
        many(torch.zeros(3, T, B, I))
    with pytest.raises(ValueError, match=r"hx has shape \(1, 2, 6\), 2 networks of this shape need \(2, 1, 2, 6\)"):
        many(torch.zeros(T, B, I), torch.zeros(1, B, H))
