"""The continuous-time network: its equation, its noise, its constraints, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import elman
from elman.errors import UserError
from elman.nn import CTRNN
from tests.numerics import assert_close

I, H = 3, 8


@pytest.mark.parametrize("form", ["current", "rate"])
def test_a_step_is_eulers(form: str) -> None:
    torch.manual_seed(0)
    tau = torch.linspace(30, 200, H)
    rnn = CTRNN(I, H, dt=10, tau=tau, nonlinearity="softplus", form=form)
    f = torch.nn.functional.softplus
    x, state = torch.randn(6, 2, I), torch.zeros(1, 2, H)
    h, last = rnn(x)
    for t in range(6):
        rate = f(state) if form == "current" else state
        drive = x[t] @ rnn.weight_ih_l0.t() + rnn.bias_ih_l0 + rate @ rnn.weight_hh_l0.t() + rnn.bias_hh_l0
        state = state + 10 / tau * (-state + (drive if form == "current" else f(drive)))
        assert_close(h[t], (f(state) if form == "current" else state)[0].detach(), terms=200)
    assert_close(last, state.detach(), terms=200)


def test_the_noise_has_the_size_that_is_said_whatever_dt_is() -> None:
    for dt in (5.0, 20.0):
        torch.manual_seed(0)
        rnn = CTRNN(1, 60, dt=dt, tau=100.0, noise=0.7, nonlinearity="identity", bias=False)
        torch.nn.init.zeros_(rnn.weight_hh_l0)
        v = rnn(torch.zeros(600, 20, 1))[0][200:]
        a = dt / 100
        want = 0.7 * math.sqrt(2 / a * a**2 / (1 - (1 - a) ** 2))  # of the discrete process; 0.7 as dt goes to 0
        assert v.std().item() == pytest.approx(want, rel=0.05)
        assert not rnn.eval()(torch.zeros(3, 2, 1))[0].any()


def test_dale_and_mask_hold_in_it_and_it_trains() -> None:
    torch.manual_seed(0)
    mask = torch.ones(H, H) - torch.eye(H)
    rnn = CTRNN(I, H, dale=0.75, mask=mask, noise=0.1, learn_tau=True, batch_first=True)
    assert_close(rnn.time_constants()[0], torch.full((H,), 100.0))
    optimiser = torch.optim.SGD(rnn.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        (rnn(torch.randn(4, 5, I))[0] - 1).square().mean().backward()
        optimiser.step()
    w = rnn.weight_hh_l0
    assert not w.diagonal().any()
    assert (w[:, :6] >= 0).all()
    assert (w[:, 6:] <= 0).all()
    assert (rnn.time_constants()[0] > rnn.dt).all()
    assert "leak" in elman.nn.CTRNN(2, 3).state_dict().keys().__str__()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 30, "tau": 20}, "`dt` is 30, longer than the time constant `tau`, 20; take smaller steps"),
        ({"dt": 30, "tau": torch.tensor([40.0] * 7 + [25.0])}, "longer than the time constant `tau`, 25"),
        ({"dt": 0}, "`dt` is 0; it must be finite and greater than 0"),
        ({"noise": -0.5}, "`noise` is -0.5; it must not be negative"),
        ({"dale": torch.ones(5)}, "`sign` has 5 numbers, the weight 8 units that send"),
        ({"mask": torch.zeros(8, 8)}, "`mask` leaves unit 0 without input"),
        ({"tau": torch.ones(5) * 100}, r"`leak` has shape \(5,\); give a number, or one for each of 8 units"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CTRNN(I, H, **options)
