"""The initialisers, on modules of elman and of torch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

import elman
from elman.nn import init
from tests.numerics import assert_close

MODULES = [
    lambda: elman.RNN(5, 8, 2, bidirectional=True, nonlinearity="relu"),
    lambda: nn.RNN(5, 8, 2, bidirectional=True, dtype=torch.float64),
    lambda: elman.RNNCell(5, 8),
    lambda: nn.RNNCell(5, 8, bias=False),
]
every_module = pytest.mark.parametrize("make", MODULES, ids=["RNN", "nn.RNN", "RNNCell", "nn.RNNCell"])


def recurrent(module: nn.Module) -> list[torch.Tensor]:
    found = [w for name, w in module.named_parameters() if "weight_hh" in name]
    assert found
    return found


def radius(w: torch.Tensor) -> float:
    return torch.linalg.eigvals(w.detach()).abs().max().item()


@every_module
def test_orthogonal(make: Any) -> None:
    module = make()
    before = {name: w.clone() for name, w in module.named_parameters() if "weight_hh" not in name}
    assert init.orthogonal_(module, gain=2.0) is module
    for w in recurrent(module):
        assert_close(w @ w.T, 4 * torch.eye(8, dtype=w.dtype))
    assert all(torch.equal(w, before[name]) for name, w in module.named_parameters() if name in before)


@every_module
def test_identity(make: Any) -> None:
    module = init.identity_(make(), scale=0.5)
    for name, w in module.named_parameters():
        if "weight_hh" in name:
            assert torch.equal(w, 0.5 * torch.eye(8, dtype=w.dtype))
        elif "weight_ih" in name:
            assert 0 < w.std().item() < 0.002
        else:
            assert not w.any()


@every_module
@pytest.mark.parametrize("wanted", [0.0, 0.9, 1.25])
def test_spectral(make: Any, wanted: float) -> None:
    module = make()
    before = [w.clone() for w in recurrent(module)]
    init.spectral_(module, wanted)
    for w, old in zip(recurrent(module), before, strict=True):
        assert radius(w) == pytest.approx(wanted, rel=1e-5)
        assert_close(w.detach(), old * (wanted / radius(old)))


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_a_radius_must_be_finite_and_not_negative(wrong: float) -> None:
    with pytest.raises(ValueError, match="radius is"):
        init.spectral_(nn.RNN(2, 3), wrong)


def test_a_nilpotent_matrix_has_no_radius_to_scale() -> None:
    rnn = nn.RNN(2, 3)
    nn.init.zeros_(rnn.weight_hh_l0)
    with pytest.raises(ValueError, match="spectral radius 0"):
        init.spectral_(rnn)


@pytest.mark.parametrize("apply", [init.orthogonal_, init.identity_, init.spectral_])
@pytest.mark.parametrize("module", [nn.Linear(2, 2), nn.LSTM(2, 3)], ids=["Linear", "LSTM"])
def test_only_square_recurrent_weights(apply: Any, module: nn.Module) -> None:
    with pytest.raises(ValueError, match=f"{type(module).__name__} has no square recurrent weights"):
        apply(module)


def test_the_largest_singular_value_of_an_antisymmetric_matrix_is_about_its_scale() -> None:
    torch.manual_seed(0)
    rnn = init.antisymmetric_(elman.RNN(5, 400), scale=0.3)
    assert 0.27 < torch.linalg.matrix_norm(rnn.weight_hh_l0, 2) < 0.33


def test_the_layers_option() -> None:
    torch.manual_seed(0)
    uniform = elman.RNN(5, 8)
    torch.manual_seed(0)
    scaled = elman.RNN(5, 8, init=1.5)
    assert_close(scaled.weight_hh_l0, uniform.weight_hh_l0 * (1.5 / radius(uniform.weight_hh_l0)))
    assert torch.equal(scaled.weight_ih_l0, uniform.weight_ih_l0)
    w = elman.RNN(5, 8, init="orthogonal").weight_hh_l0
    assert_close(w @ w.T, torch.eye(8))
    rnn = elman.RNN(5, 8, 2, "relu", init="identity")
    assert torch.equal(rnn.weight_hh_l1, torch.eye(8))
    w = elman.RNN(5, 8, init="antisymmetric").weight_hh_l0
    assert w.abs().max() > 0
    assert_close(w, -w.T)
    assert elman.RNN(5, 8, init=0.5, device="meta").weight_hh_l0.is_meta


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"init": "xavier"}, "init is 'xavier'; choose 'uniform', 'orthogonal', 'identity'"),
        ({"init": "identity"}, "init='identity' is for nonlinearity='relu', which is 'tanh' here"),
        ({"init": 0.0}, "init is 0.0; a spectral radius is finite and greater than 0"),
        ({"init": math.nan}, "init is nan"),
    ],
    ids=str,
)
@pytest.mark.parametrize("layer", [elman.RNN, elman.RNNCell])
def test_a_wrong_choice_is_named(layer: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        layer(2, 3, **options)
