"""`EchoState`: a reservoir with a linear readout by ridge regression (Jaeger 2001), with or without output feedback.

T steps, B sequences, I inputs, H hidden units, O outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from elman.errors import UserError
from elman.models.reservoir.ridge import Readout, RidgeStream, Solver
from elman.nn.reservoir.layer import Reservoir

Values = NDArray[np.float64]
PIECE = 4_096
"""Steps whose states are in memory at once."""


class EchoState:
    """y_t = W_out [h_t ; x_t] + b of a reservoir's states h_t.

    Arguments:
        reservoir: with a `feedback_size` of O where outputs are fed back.
        ridge: one value, or several of which the steps held out choose one.
        washout: steps at the beginning of each sequence that are not learned from.
        read_inputs: whether the readout also reads x_t.
        validation: the share of the steps of each sequence, at its end, that is held out to choose the ridge; they are
            learned from in the end. None is held out where there is one ridge.
        solver: of the least squares; see `RidgeStream`.

    Attributes:
        readout: W_out and b, once fitted.
        errors: the mean squared error of each ridge on the steps held out.
    """

    def __init__(
        self,
        reservoir: Reservoir,
        *,
        ridge: float | Sequence[float] = 1e-6,
        washout: int = 100,
        read_inputs: bool = True,
        validation: float = 0.2,
        solver: Solver = "products",
    ) -> None:
        self.reservoir = reservoir
        self.ridges = tuple(float(r) for r in np.atleast_1d(np.asarray(ridge, dtype=np.float64)))
        if not self.ridges or min(self.ridges) < 0 or not np.isfinite(self.ridges).all():
            raise UserError(f"`ridge` is {ridge}; give numbers that are finite and not negative")
        if washout < 0 or not 0 <= validation < 1:
            raise UserError(f"`washout` is {washout} and `validation` {validation:g}; at least 0, and a share below 1")
        self.washout, self.read_inputs, self.validation, self.solver = washout, read_inputs, validation, solver
        self.readout: Readout | None = None
        self.errors: Values = np.zeros(0)

    def fit(self, x: Any, y: Any) -> EchoState:
        """Learn the readout; with feedback the reservoir is fed the true outputs (teacher forcing).

        The states of a few thousand steps are in memory at once, however long the sequences are.

        Arguments:
            x: a sequence (T, I), or a list of them; None for T steps without inputs.
            y: (T, O), or a list of them.

        Raises:
            UserError: the sizes do not fit, a value is not finite, or nothing is left after the washout.
        """
        targets = [_matrix(one, "y") for one in _listed(y)]
        inputs = (
            [np.zeros((len(one), 0)) for one in targets] if x is None else [_matrix(one, "x") for one in _listed(x)]
        )
        if [len(one) for one in inputs] != [len(one) for one in targets]:
            raise UserError("x and y have sequences of different lengths, or another number of them")
        self._check_lengths([len(one) for one in targets])
        outputs = targets[0].shape[1]
        reads = self.reservoir.hidden_size + (self.reservoir.input_size if self.read_inputs else 0)
        stream = RidgeStream(reads, outputs, self.solver)
        for one, wanted in zip(inputs, targets, strict=True):
            self._check(one, wanted, outputs)
            steps = len(one)
            begins = steps - self._held_out(steps)
            for start, features in self._features(one, wanted):
                end = start + len(features)
                for first, last, held in ((self.washout, begins, False), (begins, steps, True)):
                    first, last = max(first, start), min(last, end)
                    if first < last:
                        stream.add(features[first - start : last - start], wanted[first:last], held_out=held)
        self.readout, self.errors = stream.best(self.ridges)
        return self

    def predict(self, x: Any, hx: Tensor | None = None) -> Any:
        """(T, O) for a sequence (T, I), or a list of them. With feedback the reservoir is fed its own outputs.

        Arguments:
            hx: (1, H) the state to go on from, of one sequence; zeros by default.

        Raises:
            UserError: it is not fitted, or x does not fit the reservoir.
        """
        if isinstance(x, list | tuple):
            return [self.predict(one, hx) for one in x]
        readout, x = self._fitted(), _matrix(x, "x")
        if self.reservoir.feedback_size:
            return self._run(x, None, len(x), hx)
        return np.concatenate([readout(features) for _, features in self._features(x, None, hx)] or [x[:, :0]])

    def generate(self, steps: int, *, x: ArrayLike | None = None, y: ArrayLike | None = None) -> Values:
        """(steps, O) how things go on by themselves, each output being the next input, or what is fed back.

        Arguments:
            steps: how many.
            x: (T, I) what came before, of a network whose inputs are its own outputs one step later.
            y: (T, O) the outputs before, of a network with feedback and no inputs.

        Raises:
            UserError: the network has other inputs than its own outputs.
        """
        readout, r = self._fitted(), self.reservoir
        if r.feedback_size and not r.input_size:
            given = _matrix([] if y is None else y, "y").reshape(-1, len(readout.bias))
            state = torch.zeros(1, r.hidden_size, dtype=r.bias.dtype)
            last = np.zeros(len(readout.bias))
            if len(given):
                shifted = np.concatenate([np.zeros((1, given.shape[1])), given[:-1]])
                _, state = r(torch.zeros(len(given), 0), state, feedback=torch.from_numpy(shifted))
                last = given[-1]
            return self._run(np.zeros((steps, 0)), last, steps, state)
        if r.input_size != len(readout.bias) or r.feedback_size:
            raise UserError(
                f"the network has {r.input_size} inputs and {len(readout.bias)} outputs; to go on by itself each output"
                " must be the next input, or all that it is fed"
            )
        before = _matrix([] if x is None else x, "x").reshape(-1, r.input_size)
        found, state = np.empty((steps, len(readout.bias))), torch.zeros(1, r.hidden_size, dtype=r.bias.dtype)
        now = before[-1] if len(before) else np.zeros(r.input_size)
        if len(before) > 1:
            _, state = r(torch.from_numpy(before[:-1]), state)
        for t in range(steps):
            h, state = r(torch.from_numpy(now[None]), state)
            now = readout(self._read(h.numpy(), now[None]))[0]
            found[t] = now
        return found

    def _run(self, x: Values, last: Values | None, steps: int, state: Tensor | None) -> Values:
        """With feedback: a step at a time, each fed the output of the one before."""
        readout = self._fitted()
        found = np.empty((steps, len(readout.bias)))
        fed = np.zeros(len(readout.bias)) if last is None else last
        for t in range(steps):
            h, state = self.reservoir(torch.from_numpy(x[t : t + 1]), state, feedback=torch.from_numpy(fed[None]))
            fed = found[t] = readout(self._read(h.numpy(), x[t : t + 1]))[0]
        return found

    def _features(self, x: Values, y: Values | None, state: Tensor | None = None) -> Iterator[tuple[int, Values]]:
        """What the readout reads, piece by piece: the step at which a piece begins, and (n, F)."""
        r = self.reservoir
        for start in range(0, len(x), PIECE):
            piece, feedback = x[start : start + PIECE], None
            if r.feedback_size:
                assert y is not None
                before = y[start - 1 : start] if start else np.zeros((1, y.shape[1]))
                feedback = torch.from_numpy(np.concatenate([before, y[start : start + len(piece) - 1]]))
            h, state = r(torch.from_numpy(piece), state, feedback=feedback)
            yield start, self._read(h.numpy(), piece)

    def _read(self, h: Any, x: Values) -> Values:
        h = h.astype(np.float64, copy=False)
        return np.concatenate([h, x], axis=1) if self.read_inputs else h

    def _held_out(self, steps: int) -> int:
        """Of a sequence's steps those at its end that are held out."""
        return round((steps - self.washout) * self.validation) if len(self.ridges) > 1 else 0

    def _check_lengths(self, lengths: list[int]) -> None:
        """Refuse sequences of which the washout leaves nothing to learn from, or to choose a ridge by."""
        if not lengths:
            raise UserError("there is no sequence; give at least one")
        longest = max(lengths)
        held = self._held_out(longest)
        lacks_choice = len(self.ridges) > 1 and self.validation > 0 and held < 1
        if longest - self.washout - held < 1 or lacks_choice:
            raise UserError(
                f"the longest sequence has {longest} steps, of which `washout={self.washout}` leaves too few to learn"
                " from; take a smaller `washout`, or longer sequences"
            )

    def _check(self, x: Values, y: Values, outputs: int) -> None:
        if x.shape[1] != self.reservoir.input_size or y.shape[1] != outputs:
            raise UserError(
                f"a sequence has {x.shape[1]} inputs and {y.shape[1]} targets a step; the reservoir takes"
                f" {self.reservoir.input_size}, and the first sequence has {outputs}"
            )
        if self.reservoir.feedback_size not in (0, outputs):
            raise UserError(f"the reservoir is fed {self.reservoir.feedback_size} outputs, and y has {outputs}")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise UserError("x or y contains NaN or infinity; mend it, or leave that sequence out")

    def _fitted(self) -> Readout:
        if self.readout is None:
            raise UserError("the readout is not fitted yet; call `fit` first")
        return self.readout


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _matrix(given: Any, what: str) -> Values:
    values = np.asarray(given, dtype=np.float64)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise UserError(f"{what} has shape {values.shape}; give (T, C) for each sequence, several as a list")
    return np.ascontiguousarray(values)
