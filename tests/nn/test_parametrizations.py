"""Constraints hold after training steps, compose, start where they should, and are refused in a line."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import elman
from elman.errors import UserError
from elman.nn.parametrizations import (
    Dale,
    Fixed,
    LowRank,
    Mask,
    NonNormal,
    NormBound,
    NoSelfConnection,
    SpectralRadius,
    block_mask,
    constrain,
    orthogonal,
    signs,
)
from elman.nn.parametrizations.connections import connections_of
from elman.nn.penalties import connectivity_penalty, rate_penalty
from tests.numerics import assert_close

I, H = 3, 6


def train(rnn: nn.Module, steps: int = 3) -> None:
    optimiser = torch.optim.SGD(rnn.parameters(), lr=0.3)
    for _ in range(steps):
        optimiser.zero_grad()
        (rnn(torch.randn(5, 4, I))[0] - 1).square().mean().backward()
        optimiser.step()


def holds(name: str, w: Tensor) -> bool:
    match name:
        case "dale":
            return bool((w[:, :5] >= 0).all() and (w[:, 5:] <= 0).all())
        case "self":
            return not w.diagonal().any()
        case "fixed":
            return bool((w[0] == 2).all() and (w[1:] != 2).all())
        case "radius":
            return torch.linalg.eigvals(w).abs().max().item() < 0.5 + 1e-4
        case "exact":
            return abs(torch.linalg.eigvals(w).abs().max().item() - 2) < 1e-4
        case "norm":
            return torch.linalg.matrix_norm(w, 2).item() < 0.4 + 1e-4
        case "rank":
            return int(torch.linalg.matrix_rank(w, rtol=1e-4)) == 2
        case "mask":
            return bool((w[~torch.eye(H, dtype=torch.bool).roll(1, 0)] == 0).all())
    raise AssertionError(name)


CONSTRAINTS: dict[str, nn.Module] = {
    "dale": Dale(0.8),
    "self": NoSelfConnection(),
    "fixed": Fixed(torch.arange(H).unsqueeze(1).expand(H, H) == 0, torch.full((H, H), 2.0)),
    "radius": SpectralRadius(0.5),
    "exact": SpectralRadius(2.0, exact=True),
    "norm": NormBound(0.4),
    "rank": LowRank(2),
    "mask": Mask(torch.eye(H).roll(1, 0)),
}


@pytest.mark.parametrize("layer", [elman.RNN, nn.RNN], ids=["elman", "torch"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_holds_through_training(name: str, layer: Any) -> None:
    torch.manual_seed(0)
    rnn = constrain(layer(I, H, num_layers=2, bidirectional=True), CONSTRAINTS[name])
    before = rnn.weight_hh_l1_reverse.detach().clone()
    assert holds(name, before)
    train(rnn)
    for suffix in ("l0", "l0_reverse", "l1", "l1_reverse"):
        assert holds(name, getattr(rnn, f"weight_hh_{suffix}"))
    assert not torch.equal(before, rnn.weight_hh_l1_reverse)


@pytest.mark.parametrize("absolute", [False, True])
def test_dale_keeps_sizes_and_composes_with_a_mask(absolute: bool) -> None:
    rnn = elman.RNN(I, H)
    sizes, mask = rnn.weight_hh_l0.detach().abs().clone(), torch.ones(H, H) - torch.eye(H)
    constrain(rnn, Dale(signs(H, 0.5), absolute), Mask(mask))
    want = sizes * signs(H, 0.5) * mask
    assert_close(rnn.weight_hh_l0.detach(), want)
    train(rnn)
    w = rnn.weight_hh_l0
    assert not w.diagonal().any()
    assert (w[:, :3] >= 0).all()
    assert (w[:, 3:] <= 0).all()
    parametrize.remove_parametrizations(rnn, "weight_hh_l0")
    assert_close(rnn.weight_hh_l0.detach(), w.detach())


@pytest.mark.parametrize("how", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_stays_orthogonal(how: str) -> None:
    torch.manual_seed(0)
    rnn = orthogonal(elman.RNN(I, H), how)
    train(rnn)
    assert (rnn.weight_hh_l0 @ rnn.weight_hh_l0.t() - torch.eye(H)).abs().max() < 1e-5


def test_the_non_normal_form_has_the_eigenvalues_it_says() -> None:
    torch.manual_seed(0)
    rnn = constrain(elman.RNN(I, H), NonNormal(H))
    assert (rnn.weight_hh_l0 @ rnn.weight_hh_l0.t() - torch.eye(H)).abs().max() < 1e-5  # orthogonal at first
    train(rnn)
    parts: Any = rnn.parametrizations["weight_hh_l0"][0]  # type: ignore[index]
    found = torch.linalg.eigvals(rnn.weight_hh_l0).abs().sort().values
    assert_close(found, parts.gamma.detach().abs().repeat(2).sort().values, terms=1000)
    assert rnn.weight_hh_l0.detach().norm() > parts.gamma.detach().norm() * math.sqrt(2) + 1e-4  # and is not normal
    with pytest.raises(UserError, match="blocks of two units, and `hidden_size` is 5"):
        NonNormal(5)


@pytest.mark.parametrize("options", [{}, {"leak": 0.5, "form": "current"}, {"nonlinearity": "sigmoid"}], ids=str)
def test_few_connections_are_the_dense_product_with_zeros(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    size, x = 200, torch.randn(5, 40, I)
    mask = (torch.rand(size, size) < 0.1) | torch.eye(size, dtype=torch.bool)
    rnn = constrain(elman.RNN(I, size, bidirectional=True, **options), Mask(mask), Dale(0.7), NormBound(0.9))
    dense = elman.RNN(I, size, bidirectional=True, **options)
    names = [name for name, _ in dense.named_parameters()]
    dense.load_state_dict({name: getattr(rnn, name).detach() for name in names}, strict=False)
    got, want = rnn(x), dense(x)
    assert_close(got, [part.detach() for part in want], terms=500)
    with parametrize.cached():
        held = [getattr(rnn, name) for name in names]
        given = torch.autograd.grad(rnn(x)[0].square().sum(), held)
    whole = torch.autograd.grad(want[0].square().sum(), list(dense.parameters()))
    for name, one, other in zip(names, given, whole, strict=True):
        kept = other * mask if "weight_hh" in name else other
        assert_close(one, kept, terms=5000)


class Raised(Mask):
    def forward(self, weight: Tensor) -> Tensor:
        return super().forward(weight) + 0.1


class Doubled(LowRank):
    def forward(self, m: Tensor, n: Tensor) -> Tensor:
        return 2 * super().forward(m, n)


@pytest.mark.parametrize("kind", ["subclass", "low rank", "hook"])
def test_what_a_constraint_does_of_its_own_is_done(kind: str) -> None:
    torch.manual_seed(0)
    size, x = 150, torch.randn(4, 24, I)
    mask = (torch.rand(size, size) < 0.1) | torch.eye(size, dtype=torch.bool)
    rnn = elman.RNN(I, size)
    constrain(rnn, {"subclass": Raised(mask), "low rank": Doubled(3), "hook": Mask(mask)}[kind])
    if kind == "hook":
        constraints: Any = rnn.parametrizations["weight_hh_l0"]  # type: ignore[index]
        constraints[0].register_forward_hook(lambda module, given, weight: weight + 0.1)
    dense = elman.RNN(I, size)
    dense.load_state_dict({name: getattr(rnn, name).detach() for name, _ in dense.named_parameters()})
    assert_close(rnn(x)[0].detach(), dense(x)[0].detach(), terms=1000)


def test_a_masked_layer_compiles_whole_and_its_output_may_be_changed() -> None:
    torch.manual_seed(0)
    size, x = 150, torch.randn(4, 24, I)
    rnn = constrain(elman.RNN(I, size), Mask((torch.rand(size, size) < 0.1) | torch.eye(size, dtype=torch.bool)))
    want = rnn(x)[0]
    compiled: Any = torch.compile(rnn, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x)[0].detach(), want.detach(), terms=1000)
    changed = rnn(x)[0]
    changed.mul_(2).sum().backward()
    given = [p.grad for p in rnn.parameters()]
    for one, other in zip(given, torch.autograd.grad(2 * want.sum(), list(rnn.parameters())), strict=True):
        assert one is not None
        assert_close(one, other, terms=2000)


def test_connections_are_known_while_masks_have_the_last_word() -> None:
    class Shifted(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight + 1

    mask, name = torch.eye(H).roll(1, 0), "weight_hh_l0"
    for constraints, known in (
        ((Mask(mask),), True),
        ((Dale(0.5), Mask(mask), SpectralRadius(0.5), NoSelfConnection()), True),
        ((Mask(mask), Shifted()), False),
        ((Mask(mask), Fixed(torch.eye(H) > 0, torch.ones(H, H))), False),
        ((Shifted(),), False),
    ):
        rnn = constrain(elman.RNN(I, H), *constraints)
        found = connections_of(rnn, name)
        assert (found is not None) == known
        if found is not None:
            assert torch.equal(found, mask > 0)
        if not isinstance(constraints[-1], Fixed):
            continue
        assert rnn(torch.randn(2, 3, I))[0].isfinite().all()


def test_low_rank_is_the_dense_product() -> None:
    torch.manual_seed(0)
    rnn = constrain(elman.RNN(I, H, num_layers=2, bidirectional=True, leak=0.5), LowRank(2))
    dense = elman.RNN(I, H, num_layers=2, bidirectional=True, leak=0.5)
    state = {name: value.detach() for name, value in rnn.named_parameters() if "parametrizations" not in name}
    names = [f"weight_hh_{suffix}" for suffix in ("l0", "l0_reverse", "l1", "l1_reverse")]
    state |= {name: getattr(rnn, name).detach() for name in names}
    dense.load_state_dict(state, strict=False)
    x = torch.randn(5, 4, I)
    got, want = rnn(x), dense(x)
    assert_close(got, [part.detach() for part in want])
    got[0].sum().backward()
    want[0].sum().backward()
    factors: Any = rnn.parametrizations["weight_hh_l0"]  # type: ignore[index]
    grad = dense.weight_hh_l0.grad
    assert grad is not None
    assert_close(factors.original0.grad, grad @ factors.original1.detach())
    assert_close(factors.original1.grad, grad.t() @ factors.original0.detach())


def test_area_blocks() -> None:
    mask = block_mask([2, 4], [[1.0, 0.0], [0.5, 1.0]])
    assert torch.equal(mask[:2], torch.tensor([[1.0, 1, 0, 0, 0, 0]]).expand(2, 6))
    assert (mask[2:, 2:] == 1).all()
    assert torch.equal(mask, block_mask([2, 4], [[1.0, 0.0], [0.5, 1.0]]))
    with pytest.raises(UserError, match=r"`connected` is not a matrix \(2, 2\)"):
        block_mask([2, 4], [[1.0], [0.5]])


@pytest.mark.parametrize("constraint", [None, Dale(0.8), LowRank(2)], ids=["none", "dale", "rank"])
def test_starts(constraint: nn.Module | None) -> None:
    torch.manual_seed(0)
    rnn = elman.RNN(I, 50)
    if constraint is not None:
        constrain(rnn, constraint)
    if not isinstance(constraint, LowRank):
        w = elman.nn.init.balanced_dale_(rnn, 0.8, radius=1.2).weight_hh_l0.detach()
        assert (w[:, :40] >= 0).all()
        assert (w[:, 40:] <= 0).all()
        assert w.sum(1).abs().max() < 1e-4  # in balance
        assert abs(torch.linalg.eigvals(w).abs().max().item() - 1.2) < 1e-3
    if constraint is None:
        w = elman.nn.init.sparse_(rnn, 0.2, radius=0.9).weight_hh_l0.detach()
        assert 0.15 < (w != 0).float().mean() < 0.27
        assert (w != 0).any(1).all()
        assert abs(torch.linalg.eigvals(w).abs().max().item() - 0.9) < 1e-3
    if not isinstance(constraint, Dale):
        w = elman.nn.init.low_rank_(rnn, 2, overlap=3.0).weight_hh_l0.detach()
        assert torch.linalg.matrix_rank(w, rtol=1e-4) == 2
        assert 1 < torch.linalg.eigvals(w).abs().max() < 6


BAD: list[tuple[Any, str]] = [
    (lambda: Dale(torch.tensor([1.0, 0.5])), "`sign` is not a vector of 1 and -1"),
    (lambda: Dale(1.5), "`sign` is 1.5"),
    (lambda: constrain(elman.RNN(I, H), Dale(torch.ones(5))), "`sign` has 5 numbers, the weight 6 units"),
    (lambda: Mask(torch.full((2, 2), 0.5)), "`mask` is not a matrix of 0 and 1"),
    (lambda: Mask(torch.tensor([[1, 0], [0, 0]])), "`mask` leaves unit 1 without input"),
    (lambda: constrain(elman.RNN(I, H), Mask(torch.ones(5, 5))), r"`mask` has shape \(5, 5\), the weight \(6, 6\)"),
    (lambda: Fixed(torch.ones(2, 2), torch.ones(2, 2)), "`where` has shape .* dtype torch.float32"),
    (lambda: SpectralRadius(-1), "`radius` is -1; it must be finite and greater than 0"),
    (lambda: NormBound(math.inf), "`bound` is inf"),
    (lambda: LowRank(0), "`rank` is 0"),
    (lambda: constrain(elman.RNN(I, H), LowRank(7)), "`rank` is 7, above the sizes of the weight"),
    (lambda: constrain(nn.Linear(2, 2), Dale(0.5)), "Linear has no parameters whose name begins with 'weight_hh'"),
    (lambda: signs(4, 2), "`excitatory` is 2"),
    (lambda: elman.nn.init.balanced_dale_(elman.RNN(I, H), 1.0), "one sign alone"),
    (lambda: elman.nn.init.sparse_(elman.RNN(I, H), 0), "`density` is 0"),
    (lambda: elman.nn.init.low_rank_(elman.RNN(I, H), 0), "`rank` is 0"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[message[:25] for _, message in BAD])
def test_what_does_not_fit_is_said(make: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def test_penalties() -> None:
    h = torch.tensor([[[1.0, 3.0], [2.0, 0.0]], [[5.0, 5.0], [4.0, 2.0]]])  # (T 2, B 2, H 2)
    assert rate_penalty(h, power=1).item() == h.mean().item()
    assert rate_penalty(h, torch.tensor([1, 2])).item() == pytest.approx((1 + 9 + 4 + 0 + 16 + 4) / 6)
    assert rate_penalty(h.transpose(0, 1), torch.tensor([1, 2]), batch_first=True).item() == pytest.approx(34 / 6)
    rnn = elman.RNN(I, H, num_layers=2)
    want = (rnn.weight_hh_l0.abs().mean() + rnn.weight_hh_l1.abs().mean()) / 2
    assert connectivity_penalty(rnn).item() == pytest.approx(want.item())
    assert connectivity_penalty(rnn, cost=torch.zeros(H, H)).item() == 0
    cell = elman.RNNCell(I, H)
    assert connectivity_penalty(cell, power=2).item() == pytest.approx(cell.weight_hh.square().mean().item())
    with pytest.raises(ValueError, match="no recurrent weights"):
        connectivity_penalty(nn.Linear(2, 2))
