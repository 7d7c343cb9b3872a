"""How a run scales what it reads: the mean that is taken away, and the size that is divided by.

T steps, I channels, W numbers in a scaled step.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elman.errors import UserError
from elman.runtime.files import COPY, numbers_in, read_json
from elman.runtime.tensors import Floats


class Scaler:
    """What is taken from each of the W numbers of a step, and what it is then divided by: (W,) float32 each.

    Arguments:
        floor: (I,) the least root mean square of each channel, where a sequence is divided by its own before, and the
            logarithms of these stand beside it, W being 2 I; None where W is I.
    """

    def __init__(self, mean: Floats, std: Floats, floor: Floats | None = None) -> None:
        self.mean, self.std, self.floor = mean, std, floor

    @property
    def channels(self) -> int:
        """I, the numbers of a step as it was measured."""
        return len(self.mean if self.floor is None else self.floor)

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
        if "floor" not in table:
            return cls(mean, std)
        with np.errstate(over="ignore"):
            floor = np.array(numbers_in(table, "floor", path), np.float32)
        if 2 * len(floor) != len(mean) or not (np.isfinite(floor).all() and (floor > 0).all()):
            raise UserError(f"{path} is damaged: its `floor` does not fit its means; {COPY}")
        return cls(mean, std, floor)

    def __call__(self, values: Floats) -> Floats:
        """(T, I) to (T, W)."""
        if self.floor is None:
            return (values - self.mean) / self.std
        wide = values.astype(np.float64)
        size = np.maximum(np.sqrt((wide**2).sum(axis=0) / max(len(wide), 1)), self.floor)
        both = np.concatenate([wide / size, np.broadcast_to(np.log10(size), wide.shape)], axis=1)
        scaled: Floats = ((both - self.mean) / self.std).astype(np.float32)
        return scaled
