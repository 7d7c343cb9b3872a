"""Sequences of vectors brought to mean 0 and standard deviation 1, as the training part has them, or to a size of 1.

N sequences, T steps, I channels, W numbers in a scaled step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from elman.atomic_io import write_text
from elman.data.io.json_files import read_json
from elman.errors import UserError

Scale = Literal["channels", "all", "none", "series"]
LEAST_STD = 1e-6  # a channel that never changes is left at its size
LEAST_LOG_STD = 1e-3  # so are the logarithms of sizes that differ by less than a quarter of a per cent
LEAST_SHARE = 1e-12  # of a channel's largest root mean square: what is smaller counts as that
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Scaler:
    """What is taken from each of the W numbers of a step, and what it is then divided by: (W,) float32 each.

    W is I. With a `floor` each channel of a sequence is divided by its own root mean square before, and the logarithm
    of that to the base 10 stands beside it as a channel that does not change: W is 2 I.

    Attributes:
        difference: (W,) the usual size of a scaled channel's difference from step to step, where it was measured.
        floor: (I,) the least root mean square of each channel, where sequences are divided by their own.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    difference: NDArray[np.float32] | None = None
    floor: NDArray[np.float32] | None = None

    @property
    def channels(self) -> int:
        """I, the numbers of a step as it was measured."""
        return len(self.mean if self.floor is None else self.floor)

    @classmethod
    def fit(cls, sequences: Sequence[NDArray[np.float32]], scale: Scale) -> Scaler:
        """From sequences (T_n, I): for each channel by itself, for all as one, for each sequence, or nothing to do.

        Raises:
            UserError: `scale` is none of these.
        """
        if scale not in get_args(Scale):
            raise UserError(f"`scale` is {scale!r}; it is one of {', '.join(get_args(Scale))}")
        if scale == "series":
            return cls._fit_each(sequences)
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

    @classmethod
    def _fit_each(cls, sequences: Sequence[NDArray[np.float32]]) -> Scaler:
        """For sequences that are divided by their own sizes: what they are like then, and what the sizes are like."""
        sizes = np.stack([root_mean_square(one) for one in sequences])
        largest = sizes.max(axis=0)
        floor = np.maximum(LEAST_SHARE * np.where(largest > 0, largest, 1.0), TINY).astype(np.float32)
        logs = np.ma.masked_array(np.log10(np.maximum(sizes, floor)), sizes == 0)  # zeros have no size
        mean, std = logs.mean(axis=0).filled(0.0), logs.std(axis=0).filled(0.0)
        std = np.where(std < LEAST_LOG_STD, 1.0, std)
        steps = np.concatenate([one / np.maximum(size, floor) for one, size in zip(sequences, sizes, strict=True)])
        own = steps.std(axis=0)
        mean = np.concatenate([steps.mean(axis=0), mean]).astype(np.float32)
        std = np.concatenate([np.where(own < LEAST_STD, 1.0, own), std]).astype(np.float32)
        scaler = cls(mean, std, None, floor)
        differences = np.concatenate([np.diff(scaler(one).astype(np.float64), axis=0) for one in sequences])
        size = np.sqrt((differences**2).mean(axis=0)) if len(differences) else np.zeros(len(mean))
        return replace(scaler, difference=_never_zero(size))

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(T, I) to (T, W)."""
        if self.floor is None:
            return (values - self.mean) / self.std
        size = np.maximum(root_mean_square(values), self.floor)
        both = np.concatenate([values / size, np.broadcast_to(np.log10(size), values.shape)], axis=1)
        return ((both - self.mean) / self.std).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write all as JSON."""
        parts = {"mean": self.mean, "std": self.std, "difference": self.difference, "floor": self.floor}
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
        difference, floor = (
            _sizes_in(table, name, path, count) for name, count in (("difference", len(mean)), ("floor", len(mean) / 2))
        )
        return cls(mean, std, difference, floor)


def root_mean_square(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(I,) the size of each channel of values (T, I)."""
    size: NDArray[np.float64] = np.sqrt((values.astype(np.float64) ** 2).sum(axis=0) / max(len(values), 1))
    return size


def spread_of_sizes(sequences: Sequence[NDArray[np.float32]]) -> float:
    """How many times the 10 % quantile of the sequences' own root mean squares the 90 % quantile is.

    The largest of all channels. What is zero throughout has no size, and does not count; 1 where nothing has one.
    """
    sizes = np.stack([root_mean_square(one) for one in sequences]).T
    ratios = [1.0]
    for of_channel in sizes:
        known = of_channel[of_channel > 0]
        if len(known):
            low, high = np.quantile(known, [0.1, 0.9])
            ratios.append(float(high / low))
    return max(ratios)


def _sizes_in(table: dict[str, list[float]], name: str, path: Path, count: float) -> NDArray[np.float32] | None:
    """(count,) of a saved scaler, all above 0; None where it has none."""
    if name not in table:
        return None
    with np.errstate(over="ignore"):  # to infinity, which is refused
        sizes = np.array(table[name], dtype=np.float32)
    if sizes.shape != (count,) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise UserError(f"{path} is damaged: its `{name}` does not fit its means; restore it from a copy")
    return sizes


def _wide(value: NDArray[np.float64], channels: int) -> NDArray[np.float32]:
    return np.broadcast_to(value, (channels,)).astype(np.float32)


def _never_zero(size: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.where(size < LEAST_STD, 1.0, size).astype(np.float32)
