"""How a run scales what it reads: the mean that is taken away, and the size that is divided by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.runtime.files import COPY, numbers_in, read_json
from elman.runtime.tensors import Floats


class Scaler:
    """What is taken from each of I channels, and what it is then divided by: (I,) float32 each."""

    def __init__(self, mean: Floats, std: Floats) -> None:
        self.mean, self.std = mean, std

    @classmethod
    def load(cls, path: Path) -> Scaler:
        """Read a run's `scaler.json`.

        Raises:
            UserError: the file is missing or damaged.
        """
        table = read_json(path, "means and sizes of channels")
        with np.errstate(over="ignore"):  # to infinity, which is refused
            mean, std = (np.array(numbers_in(table, name, path), np.float32) for name in ("mean", "std"))
        good = len(mean) and mean.shape == std.shape and np.isfinite(mean).all() and np.isfinite(std).all()
        if not (good and (std > 0).all()):
            raise UserError(f"{path} is damaged: its means and sizes do not fit each other, or are no sizes; {COPY}")
        return cls(mean, std)

    def __call__(self, values: Floats) -> Floats:
        """(T, I) to (T, I)."""
        return (values - self.mean) / self.std
