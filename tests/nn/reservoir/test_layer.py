"""The reservoir's native states against the equation, alone and side by side; its weights; its gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from elman.errors import UserError
from elman.kernels.cpu import library
from elman.kernels.cpu.reservoir import ReservoirWeights, reservoir_states
from elman.nn import Reservoir

ISAS = ["portable", "avx2", "avx512"]


def by_hand(r: Reservoir, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """h (T, B, H) by the equation, in float64."""
    H, f = r.hidden_size, {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda a: a}[r.nonlinearity]
    w_ih, w_hh, bias, leak = (one.double() for one in (r.w_ih[:, :H], r.weight_hh, r.bias[:H], r.leak[:H]))
    found = []
    for step in x.double():
        state = (1 - leak) * state + leak * f(step @ w_ih + state @ w_hh.T + bias)
        found.append(state)
    return torch.stack(found)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("B", "H", "f"), [(1, 5, "tanh"), (2, 16, "relu"), (7, 37, "tanh"), (3, 100, "identity")])
def test_states_are_those_of_the_equation(isa: str, dtype: torch.dtype, B: int, H: int, f: Any) -> None:
    if not library.available():
        pytest.skip("the native library is not built here")
    try:
        library.set_isa(isa)
    except ValueError:
        pytest.skip(f"this processor has no {isa}")
    try:
        leak = torch.linspace(0.1, 1, H, dtype=torch.float64)
        r = Reservoir(2, H, leak=leak, bias_scale=0.3, density=0.3, nonlinearity=f, seed=1, dtype=dtype)
        x, h0 = torch.randn(12, B, 2, dtype=dtype), torch.randn(1, B, H, dtype=dtype)
        h, last = r(x, h0)
    finally:
        library.set_isa("")
    wanted = by_hand(r, x, h0[0].double())
    torch.testing.assert_close(h.double(), wanted, rtol=0, atol=200 * H * torch.finfo(dtype).eps)
    assert torch.equal(last[0], h[-1])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("B", [1, 2, 4])
def test_weights_of_half_the_size_give_the_same_bits(isa: str, B: int) -> None:
    if not library.available():
        pytest.skip("the native library is not built here")
    r, x, h0 = Reservoir(2, 37, density=0.3, seed=1), torch.randn(9, B, 2).double(), torch.randn(B, 37).double()
    wide = ReservoirWeights(*(getattr(r, name) for name in ReservoirWeights._fields))
    assert torch.equal(wide.values.float().double(), wide.values)
    try:
        library.set_isa(isa)
    except ValueError:
        pytest.skip(f"this processor has no {isa}")
    try:
        narrow = wide._replace(values=wide.values.float())
        assert torch.equal(reservoir_states(x, h0, narrow, "tanh"), reservoir_states(x, h0, wide, "tanh"))
    finally:
        library.set_isa("")


def test_many_units_are_read_narrow_and_give_what_the_dense_recurrence_gives() -> None:
    r, x = Reservoir(1, 1200, seed=1), torch.randn(70, 1, 1, dtype=torch.float64)
    assert r.values.nbytes > 1 << 20
    torch.testing.assert_close(r(x)[0], by_hand(r, x, x.new_zeros(1, 1200)), rtol=0, atol=1e-12)


def test_weights_beyond_float32_stay_as_they_are() -> None:
    assert bool(Reservoir(1, 20, spectral_radius=1e39, seed=0).values.isfinite().all())


def test_weights_that_float32_does_not_have_are_read_as_they_are() -> None:
    r, x = Reservoir(2, 16, seed=1), torch.randn(100, 1, 2, dtype=torch.float64)
    r.values += 1e-12
    torch.testing.assert_close(r(x)[0], by_hand(r, x, x.new_zeros(1, 16)), rtol=0, atol=1e-14)
    weights = ReservoirWeights(*(getattr(r, name) for name in ReservoirWeights._fields))
    with pytest.raises(ValueError, match="or a weight is not"):
        reservoir_states(x.float(), x.new_zeros(1, 16).float(), weights, "tanh")


def test_the_dense_recurrence_is_the_same_and_has_gradients() -> None:
    r = Reservoir(3, 20, leak=0.4, seed=0)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    grown = x.clone().requires_grad_()
    h, _ = r(grown)
    torch.testing.assert_close(h.detach(), r(x)[0], rtol=1e-12, atol=1e-12)
    h.sum().backward()  # type: ignore[no-untyped-call]
    assert grown.grad is not None
    assert grown.grad.abs().min() > 0


def test_sequences_end_where_their_lengths_say() -> None:
    r = Reservoir(1, 10, seed=0)
    x = torch.randn(8, 3, 1, dtype=torch.float64)
    h, last = r(x, lengths=torch.tensor([8, 3, 0]))
    torch.testing.assert_close(last[0, 1], r(x[:3, 1])[0][-1])
    assert not h[3:, 1].any()
    assert not last[0, 2].any()


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    import elman.kernels.cpu.reservoir as module

    r, x = Reservoir(1, 40, seed=0), torch.randn(50, 9, 1, dtype=torch.float64)
    alone = torch.cat([r(x[:, b : b + 1])[0] for b in range(9)], 1)
    monkeypatch.setattr(module, "_WORTH", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    torch.testing.assert_close(r(x)[0], alone, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("H", [40, 600])
def test_the_radius_is_the_one_asked_for(H: int) -> None:
    r = Reservoir(1, H, spectral_radius=1.3, seed=2)
    assert torch.linalg.eigvals(r.weight_hh).abs().max().item() == pytest.approx(1.3, rel=5e-3)
    sources = (r.weight_hh != 0).sum(1)
    assert (sources == max(1, round(0.1 * H))).all()


def test_a_seed_says_all() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, same, other = (Reservoir(1, 9, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.weight_hh, same.weight_hh)
    assert not torch.equal(one.weight_hh, other.weight_hh)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"leak": 0.0}, "`leak` is 0"),
        ({"leak": torch.ones(3)}, "`leak`"),
        ({"density": 0}, "`density`"),
        ({"spectral_radius": float("nan")}, "`spectral_radius`"),
        ({"nonlinearity": "sine"}, "`nonlinearity`"),
        ({"dtype": torch.float16}, "`dtype`"),
        ({"hidden_size": 0}, "units"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Reservoir(1, **{"hidden_size": 8, **arguments})
    with pytest.raises(UserError, match="has shape"):
        Reservoir(2, 8)(torch.zeros(3, 1, 5))
    with pytest.raises(UserError, match="no feedback"):
        Reservoir(2, 8)(torch.zeros(3, 1, 2), feedback=torch.zeros(3, 1, 1))


def test_the_native_call_refuses_connections_from_nowhere() -> None:
    if not library.available():
        pytest.skip("the native library is not built here")
    r = Reservoir(1, 8, seed=0)
    weights = ReservoirWeights(*(getattr(r, name) for name in ReservoirWeights._fields))
    x, h0 = torch.zeros(2, 1, 1, dtype=torch.float64), torch.zeros(1, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match="outside the reservoir"):
        reservoir_states(x, h0, weights._replace(sources=weights.sources + 8), "tanh")
    with pytest.raises(ValueError, match="values has shape"):
        reservoir_states(x, h0, weights._replace(values=weights.values[:, :4]), "tanh")
