"""Readouts that are learned online: recursive least squares, and FORCE (Sussillo and Abbott 2009).

T steps, I inputs, H hidden units, F features, O outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elman.errors import UserError
from elman.models.reservoir.echo_state import EchoState
from elman.models.reservoir.ridge import Readout

Values = NDArray[np.float64]


class RecursiveLeastSquares:
    """W (F, O) after each pair of features and targets, as ridge regression on all pairs so far has it.

    With `forgetting` below 1 a pair k steps ago counts forgetting^k (Haykin 2002, section 9.3). The update has rank 1,
    and P is kept symmetric.

    Arguments:
        features, outputs: F and O.
        ridge: of the regression; P begins as the identity divided by it.
        forgetting: above 0 and at most 1.
    """

    def __init__(self, features: int, outputs: int, *, ridge: float = 1.0, forgetting: float = 1.0) -> None:
        if not ridge > 0 or not 0 < forgetting <= 1:
            raise UserError(f"`ridge` is {ridge} and `forgetting` {forgetting}; above 0, and the latter at most 1")
        self.weight: Values = np.zeros((features, outputs))
        self.p: Values = np.eye(features) / ridge
        self.forgetting = forgetting

    def update(self, features: Values, target: Values) -> Values:
        """Learn from features (F,) and their target (O,); returns the error (O,) before."""
        error: Values = target - features @ self.weight
        along = self.p @ features
        gain = along / (self.forgetting + features @ along)
        self.weight += np.outer(gain, error)
        self.p -= np.outer(gain, along)
        if self.forgetting < 1:
            self.p /= self.forgetting
            self.p = (self.p + self.p.T) / 2  # rounding grows with every division
        return error


def force(
    network: EchoState, y: Any, x: Any = None, *, ridge: float = 1.0, every: int = 2, forgetting: float = 1.0
) -> Values:
    """Train the readout of a reservoir with feedback while it is fed its own outputs.

    First-order reduced and controlled error learning (Sussillo and Abbott 2009, equations 3 to 5).

    Errors are kept small from the first steps on, so that what is fed back is nearly what is wanted and the network
    learns to be stable with it.

    Arguments:
        network: whose reservoir has a feedback of O; its readout is replaced.
        y: (T, O) the outputs that it shall have.
        x: (T, I) inputs, where the reservoir has some.
        ridge: 1 / alpha of the paper.
        every: steps between two updates.
        forgetting: see `RecursiveLeastSquares`.

    Returns:
        (T, O) the outputs during training, each before its update.

    Raises:
        UserError: the reservoir has no feedback, or a size does not fit.
    """
    r = network.reservoir
    targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    steps, outputs = targets.shape
    if r.feedback_size != outputs:
        raise UserError(f"y has {outputs} outputs, and the reservoir is fed {r.feedback_size}; they must be the same")
    inputs = np.zeros((steps, 0)) if x is None else np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    if inputs.shape != (steps, r.input_size):
        raise UserError(f"x has shape {inputs.shape}; {steps} steps of {r.input_size} inputs are wanted")
    if not (np.isfinite(targets).all() and np.isfinite(inputs).all()) or every < 1:
        raise UserError("x or y contains NaN or infinity, or `every` is below 1")
    reads = r.hidden_size + (r.input_size if network.read_inputs else 0) + 1
    rls = RecursiveLeastSquares(reads, outputs, ridge=ridge, forgetting=forgetting)
    said, state, fed = np.empty((steps, outputs)), None, np.zeros(outputs)
    for t in range(steps):
        given = torch.from_numpy(inputs[t : t + 1])
        h, state = r(given, state, feedback=torch.from_numpy(fed[None]))
        features = np.append(network._read(h.numpy(), inputs[t : t + 1])[0], 1.0)
        fed = said[t] = features @ rls.weight
        if t % every == 0:
            rls.update(features, targets[t])
            fed = features @ rls.weight
    network.readout = Readout(rls.weight[:-1].copy(), rls.weight[-1].copy(), ridge)
    return said
