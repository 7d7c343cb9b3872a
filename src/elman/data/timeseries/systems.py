"""The classic tasks of reservoirs, made on the spot: Mackey-Glass, Lorenz, NARMA10. T steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

Values = NDArray[np.float64]


def mackey_glass(steps: int, *, tau: int = 17, seed: int = 0, step: float = 1.0, inner: int = 10) -> Values:
    """(T, 1) of x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x (Mackey and Glass 1977), chaotic from tau 17 on.

    Integrated by Runge and Kutta's method of fourth order with `inner` steps to each step of the series, the delayed
    value held on the line between its neighbours; the first 1,000 units of time are left out.

    Raises:
        UserError: `steps` is below 1 or `tau` too short.
    """
    _check(steps)
    size = step / inner
    lag = round(tau / size)
    if lag < 1:
        raise UserError(f"`tau` is {tau}; give at least one step of {step:g}")
    skipped = round(1000 / size)
    total = skipped + steps * inner
    x = np.empty(lag + total + 1)
    x[: lag + 1] = 1.2 + 0.2 * (np.random.default_rng(seed).random(lag + 1) - 0.5)

    def slope(now: float, delayed: float) -> float:
        return 0.2 * delayed / (1 + delayed**10) - 0.1 * now

    for n in range(lag, lag + total):
        now, old, new = x[n], x[n - lag], x[n - lag + 1]
        middle = (old + new) / 2
        k1 = slope(now, old)
        k2 = slope(now + size / 2 * k1, middle)
        k3 = slope(now + size / 2 * k2, middle)
        k4 = slope(now + size * k3, new)
        x[n + 1] = now + size / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x[lag + skipped + inner :: inner][:steps, None]


def lorenz(steps: int, *, step: float = 0.03, seed: int = 0, inner: int = 10) -> Values:
    """(T, 3) of x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z (Lorenz 1963), on its attractor.

    Integrated as `mackey_glass`; the first 30 units of time are left out.

    Raises:
        UserError: `steps` is below 1.
    """
    _check(steps)

    def slope(s: Values) -> Values:
        x, y, z = s
        return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    size, skipped = step / inner, round(30 / step)
    state = np.array([1.0, 1.0, 25.0]) + np.random.default_rng(seed).normal(size=3)
    out = np.empty((steps, 3))
    for n in range(skipped + steps):
        for _ in range(inner):
            k1 = slope(state)
            k2 = slope(state + size / 2 * k1)
            k3 = slope(state + size / 2 * k2)
            k4 = slope(state + size * k3)
            state = state + size / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if n >= skipped:
            out[n - skipped] = state
    return out


def narma10(steps: int, *, seed: int = 0) -> tuple[Values, Values]:
    """Inputs u (T, 1), uniform in 0 to 0.5, and the answer y (T, 1) of the system of order 10.

    y(t+1) = 0.3 y(t) + 0.05 y(t) sum_(i=0..9) y(t-i) + 1.5 u(t-9) u(t) + 0.1 (Atiya and Parlos 2000, equation 86).
    y at step t is that after u at step t. A draw by which the system blows up is drawn again.

    Raises:
        UserError: `steps` is below 1.
    """
    _check(steps)
    draw = np.random.default_rng(seed)
    while True:
        u = draw.uniform(0, 0.5, steps + 10)
        y = np.zeros(steps + 11)
        for t in range(9, steps + 10):
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
            if y[t + 1] > 1e3:
                break
        if np.abs(y).max() < 10:
            return u[10:, None], y[11:, None]


def _check(steps: int) -> None:
    if steps < 1:
        raise UserError(f"`steps` is {steps}; give at least 1")
