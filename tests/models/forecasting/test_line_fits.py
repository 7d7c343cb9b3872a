"""A line's weights against the penalised normal equations, solved step by step."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from elman.models.forecasting.line import Inputs
from elman.models.forecasting.line_fits import PENALTIES, _solve

W, T, F = 60, 9, 4


def drawn(own: int, known: int) -> tuple[Inputs, NDArray[np.float64]]:
    rng = np.random.default_rng(own + 10 * known)
    history = rng.normal(size=(W, T, 2)).cumsum(1)
    future = history[:, -1:, 1] + rng.normal(size=(W, F)) + rng.normal(size=F)
    return Inputs(history, rng.normal(size=(W, T, own)), 1 + rng.normal(size=(W, F, known))), future


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(("own", "known"), [(0, 0), (0, 3), (2, 3)])
def test_each_step_minimises_its_own_penalised_squares(own: int, known: int, relative: bool) -> None:
    inputs, future = drawn(own, known)
    last = inputs.history[:, -1:, 1]
    back = np.concatenate([inputs.history[:, :, 1] - last * relative, inputs.known.reshape(W, -1)], axis=1)
    tables = [np.concatenate([back, inputs.ahead[:, step]], axis=1) for step in range(F)]
    centred = [table - table.mean(axis=0) for table in tables]
    size = np.mean([np.square(table).sum() for table in centred]) / tables[0].shape[1]
    for penalty, line in zip(PENALTIES, _solve(inputs, future, 1, relative, PENALTIES), strict=True):
        weight, known_weight, ahead, bias = line
        for step, (table, x) in enumerate(zip(tables, centred, strict=True)):
            y = future[:, step] - last[:, 0] * relative
            want = np.linalg.solve(x.T @ x + penalty * size * np.eye(x.shape[1]), x.T @ (y - y.mean()))
            if relative:
                of_last = 1 - want[:T].sum()
                got = weight[step] - np.eye(T)[-1] * of_last
            else:
                got = weight[step]
            found = np.concatenate([got, known_weight[step].ravel(), ahead[step]])
            np.testing.assert_allclose(found, want, rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(bias[step], y.mean() - table.mean(axis=0) @ want, rtol=1e-8, atol=1e-9)
