"""Ridge regression on rows that come in pieces, for many ridges at once.

n rows, F features, O targets, R ridges. W and b minimise |Y - A W - 1 b|^2 + ridge |W|^2; the intercept b is not
shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from elman.errors import UserError

Values = NDArray[np.float64]
Solver = Literal["products", "qr"]
ROWS = 1_024
"""Rows that are taken in at once, at least."""
MANY = 16
"""Ridges from which on one decomposition is less work than a factorisation for each."""


@dataclass(frozen=True)
class Readout:
    """A linear readout: `weight` (F, O), `bias` (O,), and the `ridge` that it was found with."""

    weight: Values
    bias: Values
    ridge: float

    def __call__(self, features: Values) -> Values:
        """(..., F) to (..., O)."""
        return features @ self.weight + self.bias


class RidgeStream:
    """Least squares over rows that come in pieces and are not kept.

    Rows that are held out choose the ridge: the error of any readout on them follows from what is kept of them, so that
    any number of ridges takes no second pass. The readout that is returned is of all rows.

    Arguments:
        features, outputs: F and O.
        solver: "products" keeps A^T A, of rows less the first piece's mean, in float64: quick, and right to rounding as
            long as the ridge is not below about 1e-14 of the largest eigenvalue. "qr" keeps the triangle R of
            [1 A Y] (Golub and Van Loan 2013, section 5.2), whose condition is not squared: for the smallest ridges, and
            several times slower.
    """

    def __init__(self, features: int, outputs: int, solver: Solver = "products") -> None:
        self.features, self.outputs = features, outputs
        self._shift: Values | None = None
        kind = {"products": _Products, "qr": _Triangle}[solver]
        self._parts = {held: kind(1 + features + outputs) for held in (False, True)}

    def add(self, features: Values, targets: Values, *, held_out: bool = False) -> None:
        """Take in rows (n, F) and their targets (n, O)."""
        if not len(features):
            return
        if self._shift is None:
            self._shift = np.concatenate([[0.0], features.mean(axis=0), targets.mean(axis=0)])
        F, most = self.features, max(ROWS, 2 * self.features)
        rows = np.empty((min(most, len(features)), 1 + F + self.outputs))  # stays in a cache
        for start in range(0, len(features), most):
            part = rows[: min(most, len(features) - start)]
            part[:, 0] = 1
            np.subtract(features[start : start + most], self._shift[1 : F + 1], out=part[:, 1 : F + 1])
            np.subtract(targets[start : start + most], self._shift[F + 1 :], out=part[:, F + 1 :])
            self._parts[held_out].add(part)

    def readouts(self, ridges: Sequence[float]) -> list[Readout]:
        """One of all rows for each ridge.

        Raises:
            UserError: there are no rows, or a value was not finite.
        """
        return self._solve(self._parts[False].joined(self._parts[True]), ridges)

    def best(self, ridges: Sequence[float]) -> tuple[Readout, Values]:
        """The readout of all rows with the ridge whose readout of the others errs least on the rows held out.

        Returns:
            the readout; and (R,) the mean squared error of each ridge there, NaN where nothing was held out.

        Raises:
            UserError: as `readouts`; or there are several ridges, and nothing was held out.
        """
        held = self._parts[True]
        if not held.count:
            if len(ridges) > 1:
                raise UserError("`ridge` has several values and no rows are held out to choose by; hold some out")
            return self.readouts(ridges)[0], np.full(1, np.nan)
        found = np.array([held.error(self._residual(one)) for one in self._solve(self._parts[False], ridges)])
        best = int(np.nanargmin(found)) if np.isfinite(found).any() else 0
        return self.readouts([ridges[best]])[0], found

    def _residual(self, readout: Readout) -> Values:
        """(1 + F + O, O) that takes a kept row [1 A Y], less the shift, to Y - A W - b."""
        assert self._shift is not None
        F = self.features
        taken = np.concatenate([np.zeros((1, self.outputs)), -readout.weight, np.eye(self.outputs)])
        taken[0] = self._shift[1:] @ taken[1:] - readout.bias
        assert len(taken) == 1 + F + self.outputs
        return taken

    def _solve(self, part: _Kept, ridges: Sequence[float]) -> list[Readout]:
        if not part.count:
            raise UserError("there are no rows to fit the readout to; give more steps than are washed out and held out")
        assert self._shift is not None
        F = self.features
        mean, weights = part.solve(F, ridges)
        mean = mean + self._shift[1:]
        return [
            Readout(weight, mean[F:] - mean[:F] @ weight, float(ridge))
            for weight, ridge in zip(weights, ridges, strict=True)
        ]


class _Kept:
    """What is kept of rows [1 A Y]."""

    def __init__(self, columns: int) -> None:
        self.count, self.matrix = 0, np.zeros((0, columns))

    def add(self, rows: Values) -> None:
        raise NotImplementedError

    def joined(self, other: _Kept) -> _Kept:
        raise NotImplementedError

    def error(self, residual: Values) -> float:
        """The mean square of rows @ residual."""
        raise NotImplementedError

    def solve(self, F: int, ridges: Sequence[float]) -> tuple[Values, list[Values]]:
        """The mean of [A Y], and W for each ridge."""
        raise NotImplementedError


class _Products(_Kept):
    """Their products."""

    def __init__(self, columns: int) -> None:
        super().__init__(columns)
        self.matrix = np.zeros((columns, columns))

    def add(self, rows: Values) -> None:
        self.count += len(rows)
        self.matrix += rows.T @ rows  # numpy computes one triangle of it and copies it

    def joined(self, other: _Kept) -> _Kept:
        both = _Products(0)
        both.count, both.matrix = self.count + other.count, self.matrix
        if other.count:
            both.matrix = self.matrix + other.matrix
        return both

    def error(self, residual: Values) -> float:
        squares = np.einsum("fo,fo->o", residual, self.matrix @ residual)
        return float(squares.mean() / self.count)

    def solve(self, F: int, ridges: Sequence[float]) -> tuple[Values, list[Values]]:
        mean = self.matrix[0, 1:] / self.count
        centred = self.matrix[1:, 1:] - self.count * np.outer(mean, mean)
        return mean, solve_ridges(centred[:F, :F], centred[:F, F:], ridges)


class _Triangle(_Kept):
    """The triangle R of their QR factorisation; behind its first row, the mean's, that of the rows less their mean."""

    def add(self, rows: Values) -> None:
        self.count += len(rows)
        triangle: Values = np.linalg.qr(np.concatenate([self.matrix, rows]), mode="r")  # type: ignore[assignment]
        self.matrix = triangle

    def joined(self, other: _Kept) -> _Kept:
        both = _Triangle(0)
        both.count, both.matrix = self.count, self.matrix
        if other.count:
            both.add(other.matrix)
            both.count = self.count + other.count
        return both

    def error(self, residual: Values) -> float:
        return float(np.square(self.matrix @ residual).sum(axis=0).mean() / self.count)

    def solve(self, F: int, ridges: Sequence[float]) -> tuple[Values, list[Values]]:
        mean = self.matrix[0, 1:] / self.matrix[0, 0]
        _check_finite(self.matrix)
        left, sizes, right = np.linalg.svd(self.matrix[1 : F + 1, 1 : F + 1], full_matrices=False)
        inner = left.T @ self.matrix[1 : F + 1, F + 1 :]
        least = max(F, self.count) * np.finfo(np.float64).eps * sizes.max(initial=0)
        shares = [np.where(sizes > least, sizes / np.maximum(sizes**2 + r, least**2), 0.0) for r in ridges]
        return mean, [right.T @ (share[:, None] * inner) for share in shares]


def solve_ridges(products: Values, targets: Values, ridges: Sequence[float]) -> list[Values]:
    """(F, O) for each ridge: (products + ridge I)^-1 targets.

    Each ridge takes a Cholesky factorisation. Where that fails, since the products are singular to rounding, and where
    there are many ridges, all are solved by one decomposition into eigenvectors, and directions below rounding, F eps
    times the largest, are left out.

    Arguments:
        products: (F, F), symmetric.
        targets: (F, O).

    Raises:
        UserError: a value is not finite.
    """
    _check_finite(products, targets)
    right = torch.from_numpy(np.ascontiguousarray(targets))
    if len(ridges) < MANY:
        found = []
        for ridge in ridges:
            shifted = torch.from_numpy(products.copy())
            shifted.diagonal().add_(ridge)
            factor, failed = torch.linalg.cholesky_ex(shifted)
            if failed:
                break
            found.append(torch.cholesky_solve(right, factor).numpy())
        else:
            return found
    values, vectors = np.linalg.eigh(products)
    keep = values > len(values) * np.finfo(np.float64).eps * values.max(initial=0)
    values, vectors = values[keep], vectors[:, keep]
    inner = vectors.T @ targets
    return [vectors @ (inner / (values + ridge)[:, None]) for ridge in ridges]


def _check_finite(*given: Values) -> None:
    if not all(np.isfinite(one).all() for one in given):
        raise UserError("a state or a target is not finite; look for NaN in them, and for a reservoir that blows up")
