"""Least squares in pieces, online and all at once agree; the classic tasks are learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from elman.data.timeseries.systems import lorenz, mackey_glass, narma10
from elman.errors import UserError
from elman.models.reservoir import (
    EchoState,
    RecursiveLeastSquares,
    RidgeStream,
    force,
    intrinsic_plasticity,
    search,
)
from elman.nn import Reservoir

DRAW = np.random.default_rng(0)
A = DRAW.normal(size=(300, 12)) * np.geomspace(1, 1e-3, 12) + 100  # a large mean, and columns of unlike size
Y = A @ DRAW.normal(size=(12, 2)) + DRAW.normal(size=(300, 2)) * 0.01
RIDGES = [1e-8, 1e-4, 1.0]


@pytest.mark.parametrize("solver", ["products", "qr"])
def test_pieces_make_the_ridge_regression_of_all_rows(solver: str) -> None:
    stream = RidgeStream(12, 2, solver)  # type: ignore[arg-type]
    for start, end in ((0, 50), (50, 51), (51, 300)):
        stream.add(A[start:end], Y[start:end])
    for found, ridge in zip(stream.readouts(RIDGES), RIDGES, strict=True):
        other = Ridge(alpha=ridge, solver="svd").fit(A, Y)
        np.testing.assert_allclose(found(A), other.predict(A), rtol=1e-7, atol=1e-5)


@pytest.mark.parametrize("solver", ["products", "qr"])
def test_errors_on_rows_held_out_follow_from_what_is_kept(solver: str) -> None:
    stream = RidgeStream(12, 2, solver)  # type: ignore[arg-type]
    stream.add(A[:200], Y[:200])
    stream.add(A[200:], Y[200:], held_out=True)
    best, found = stream.best(RIDGES)
    true = [np.square(Ridge(r, solver="svd").fit(A[:200], Y[:200]).predict(A[200:]) - Y[200:]).mean() for r in RIDGES]
    np.testing.assert_allclose(found, true, rtol=1e-3)
    assert best.ridge == RIDGES[int(np.argmin(true))]


def test_qr_sees_what_products_lose() -> None:
    near = np.stack([A[:, 0], A[:, 0] + 1e-9 * DRAW.normal(size=300)], axis=1)  # a condition of 1e9; squared 1e18
    y = near @ np.array([[1.0], [2e6]])
    errors = {}
    for solver in ("products", "qr"):
        stream = RidgeStream(2, 1, solver)  # type: ignore[arg-type]
        stream.add(near, y)
        errors[solver] = np.abs(stream.readouts([0.0])[0](near) - y).max()
    assert errors["qr"] < 1e-4 < 10 * errors["products"]


def test_recursive_least_squares_is_ridge_regression_so_far() -> None:
    rows, targets = DRAW.normal(size=(40, 5)), DRAW.normal(size=(40, 2))
    rls = RecursiveLeastSquares(5, 2, ridge=0.5)
    for row, target in zip(rows, targets, strict=True):
        rls.update(row, target)
    expected = np.linalg.solve(rows.T @ rows + 0.5 * np.eye(5), rows.T @ targets)
    np.testing.assert_allclose(rls.weight, expected, rtol=1e-9)


def nrmse(said: np.ndarray, true: np.ndarray) -> float:
    """The root of the mean squared error, as a share of the standard deviation."""
    return float(np.sqrt(np.square(said - true).mean() / true.var()))


def test_mackey_glass_goes_on_by_itself() -> None:
    x = mackey_glass(2500)
    network = EchoState(Reservoir(1, 300, leak=0.3, spectral_radius=1.1, seed=0), ridge=1e-8)
    network.fit(x[:1999], x[1:2000])
    assert nrmse(network.predict(x[:2499])[2000:], x[2001:]) < 3e-3
    assert nrmse(network.generate(84, x=x[:2000]), x[2000:2084]) < 0.1


def test_lorenz_one_step_ahead_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x = lorenz(1500)
    x = (x - x.mean(0)) / x.std(0)
    reservoir = Reservoir(3, 200, leak=0.5, seed=0)
    whole = EchoState(reservoir, ridge=1e-7).fit(x[:1199], x[1:1200])
    monkeypatch.setattr("elman.models.reservoir.echo_state.PIECE", 100)
    pieces = EchoState(reservoir, ridge=1e-7).fit(x[:1199], x[1:1200])
    np.testing.assert_allclose(pieces.predict(x), whole.predict(x), atol=1e-5)
    assert nrmse(pieces.predict(x[:-1])[1200:], x[1201:]) < 0.01


def test_search_finds_a_reservoir_for_narma10() -> None:
    u, y = narma10(2400)
    told: list[float] = []
    ranges = {"leak": (0.6, 1.0), "spectral_radius": (0.5, 1.2), "input_scale": (0.1, 1.0)}
    best, trials = search(
        u[:1800], y[:1800], 150, trials=6, bias_scale=0.2, tell=lambda one: told.append(one.error), **ranges
    )
    assert sorted(told) == [trial.error for trial in trials]
    assert nrmse(best.predict(u)[1800:], y[1800:]) < 0.5  # a linear network with the same memory has 0.4 to 0.5


def test_force_makes_a_rhythm_that_goes_on() -> None:
    t = np.arange(2400)
    y = (np.sin(2 * np.pi * t / 60) + 0.5 * np.sin(2 * np.pi * t / 30 + 1))[:, None]
    network = EchoState(Reservoir(0, 200, leak=0.1, spectral_radius=1.5, feedback_size=1, seed=1))
    said = force(network, y[:2000])
    assert nrmse(said[1500:], y[1500:2000]) < 0.1
    assert nrmse(network.generate(200, y=y[:2000]), y[2000:2200]) < 0.2


def test_feedback_is_the_true_output_in_training_and_its_own_later() -> None:
    u, y = narma10(800)
    reservoir = Reservoir(1, 100, feedback_size=1, feedback_scale=0.1, input_scale=0.5, bias_scale=0.2, seed=0)
    network = EchoState(reservoir, ridge=1e-4).fit(u[:600], y[:600])
    said = network.predict(u)
    fed = np.concatenate([[[0.0]], said[:-1]])
    h, _ = reservoir(torch.from_numpy(u), feedback=torch.from_numpy(fed))
    assert network.readout is not None
    np.testing.assert_allclose(network.readout(np.concatenate([h.numpy(), u], 1)), said, atol=1e-9)
    assert nrmse(said[600:], y[600:]) < 0.8


def test_intrinsic_plasticity_brings_units_to_their_distribution() -> None:
    u, _ = narma10(1500)
    reservoir = Reservoir(1, 50, seed=0)
    intrinsic_plasticity(reservoir, u, std=0.3, epochs=8)
    h, _ = reservoir(torch.from_numpy(u))
    assert h[200:].std(0).mean().item() == pytest.approx(0.3, rel=0.15)
    assert h[200:].mean(0).abs().mean().item() < 0.1


def test_what_cannot_be_learned_is_said_in_one_line() -> None:
    u, y = narma10(300)
    with pytest.raises(UserError, match="`washout=300` leaves too few"):
        EchoState(Reservoir(1, 10), washout=300).fit(u, y)
    with pytest.raises(UserError, match="NaN"):
        EchoState(Reservoir(1, 10)).fit(u * np.nan, y)
    with pytest.raises(UserError, match="not finite"):
        EchoState(Reservoir(1, 10, spectral_radius=50, nonlinearity="identity", leak=1.0)).fit(u, y)
    with pytest.raises(UserError, match="call `fit`"):
        EchoState(Reservoir(1, 10)).predict(u)
    with pytest.raises(UserError, match="`ridge`"):
        EchoState(Reservoir(1, 10), ridge=-1)
    with pytest.raises(UserError, match="no rows are held out"):
        EchoState(Reservoir(1, 10), ridge=[1, 2], validation=0).fit(u, y)
