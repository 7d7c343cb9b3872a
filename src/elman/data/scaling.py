"""Sequences of vectors brought to mean 0 and standard deviation 1, as the training part has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_text
from elman.data.io.json_files import read_json
from elman.errors import UserError

Scale = Literal["channels", "all", "none"]
LEAST_STD = 1e-6  # a channel that never changes is left at its size


@dataclass(frozen=True)
class Scaler:
    """What is taken from each of the I channels, and what it is then divided by: (I,) float32 each.

    Attributes:
        difference: (I,) the usual size of a scaled channel's difference from step to step, where it was measured.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    difference: NDArray[np.float32] | None = None

    @classmethod
    def fit(cls, sequences: Sequence[NDArray[np.float32]], scale: Scale) -> Scaler:
        """From sequences (T_n, I): for each channel by itself, for all as one, or nothing to be done."""
        channels = sequences[0].shape[1]
        differences = np.concatenate([np.diff(one.astype(np.float64), axis=0) for one in sequences])
        size = np.sqrt((differences**2).mean(axis=0)) if len(differences) else np.zeros(channels)
        if scale == "none":
            return cls(np.zeros(channels, np.float32), np.ones(channels, np.float32), _never_zero(size))
        steps = np.concatenate(sequences).astype(np.float64)
        axis = 0 if scale == "channels" else None
        mean, std = np.asarray(np.mean(steps, axis=axis)), np.std(steps, axis=axis)
        std = np.where(std < LEAST_STD, 1.0, std)
        return cls(_wide(mean, channels), _wide(std, channels), _never_zero(size / std))

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(T, I) to (T, I)."""
        return (values - self.mean) / self.std

    def save(self, path: Path) -> None:
        """Write all as JSON."""
        parts = {"mean": self.mean, "std": self.std, "difference": self.difference}
        table = {name: part.tolist() for name, part in parts.items() if part is not None}
        write_text(path, json.dumps(table) + "\n")

    @classmethod
    def load(cls, path: Path) -> Scaler:
        """Read a saved scaler.

        Raises:
            UserError: the file is missing or damaged.
        """
        table = read_json(path, dict[str, list[float]], "means and sizes of channels")
        with np.errstate(over="ignore"):  # to infinity, which is refused
            mean, std = (np.array(table.get(name, []), dtype=np.float32) for name in ("mean", "std"))
        if not len(mean) or mean.shape != std.shape:
            raise UserError(f"{path} is damaged: it holds {len(mean)} means, {len(std)} sizes; restore it from a copy")
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise UserError(f"{path} is damaged: a mean is not finite, or a size not above 0; restore it from a copy")
        if "difference" not in table:
            return cls(mean, std)
        size = np.array(table["difference"], dtype=np.float32)
        if size.shape != mean.shape or not (np.isfinite(size).all() and (size > 0).all()):
            raise UserError(f"{path} is damaged: its differences do not fit its means; restore it from a copy")
        return cls(mean, std, size)


def _wide(value: NDArray[np.float64], channels: int) -> NDArray[np.float32]:
    return np.broadcast_to(value, (channels,)).astype(np.float32)


def _never_zero(size: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.where(size < LEAST_STD, 1.0, size).astype(np.float32)
