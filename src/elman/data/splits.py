"""Classes of labelled examples: names, numbers, and a part held out that has the same share of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

Place = Callable[[int], str]
"""Where a person finds the example of a number: file and line."""


def class_names(labels: Sequence[str], source: str, place: Place) -> tuple[str, ...]:
    """The distinct labels in order: as numbers where all are whole numbers, else alphabetically.

    Raises:
        UserError: there is one class only, or a class of one example, of which nothing can be held out.
    """
    return names_of(Counter(labels), source, lambda label: place(labels.index(label)))


def names_of(counts: Mapping[str, int], source: str, place: Callable[[str], str]) -> tuple[str, ...]:
    """The same by how often each label comes; `place` is where a label stands first. Raises as `class_names`."""
    if len(counts) < 2:
        if not counts:
            raise UserError(f"{source} has no examples; a classifier needs at least two classes, give some of each")
        only = f"every example is {next(iter(counts))!r}"
        raise UserError(f"{source}: {only}; a classifier needs at least two classes; give examples of another")
    for label, count in counts.items():
        if count == 1:
            raise UserError(
                f"class {label!r} has one example ({place(label)}); to learn and to check takes"
                " at least two; give more of them or take it out"
            )
    return tuple(sorted(counts, key=_order(counts)))


def numbered(labels: Sequence[str], classes: Sequence[str], place: Place) -> NDArray[np.int64]:
    """(N,) the number of each label among `classes`.

    Raises:
        UserError: a label is not among them.
    """
    numbers = {label: number for number, label in enumerate(classes)}
    for example, label in enumerate(labels):
        if label not in numbers:
            raise never_seen(label, classes, place(example))
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def never_seen(label: str, classes: Sequence[str], place: str) -> UserError:
    """The complaint about a label that is not among the classes."""
    shown = ", ".join(classes[:10]) + (" ..." if len(classes) > 10 else "")
    return UserError(f"{place}: label {label!r} was never seen in training, which had {shown}")


def stratified(labels: NDArray[np.int64], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out `share` of every class: at least one example of each, and never all of it.

    Returns:
        the indices that stay and the indices held out, each in rising order.

    Raises:
        UserError: the share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise UserError(f"the validation share is {share:g}; it must lie between 0 and 1, as 0.1 does")
    generator = np.random.default_rng(seed)
    held: list[NDArray[np.int64]] = []
    for label in np.flatnonzero(np.bincount(labels)):
        members = np.flatnonzero(labels == label)
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        held.append(generator.permutation(members)[:count])
    out = np.zeros(len(labels), dtype=np.bool_)
    out[np.concatenate(held)] = True
    return np.flatnonzero(~out), np.flatnonzero(out)


def folds(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """(N,) the fold in which each example is held out, from 0 to `count` - 1, with the same share of every class."""
    generator = np.random.default_rng(seed)
    found = np.zeros(len(labels), dtype=np.int64)
    begin = 0  # the next class goes on where the last one ended, so that folds have one size
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        found[members] = (begin + np.arange(len(members))) % count
        begin += len(members)
    return found


def _order(labels: Mapping[str, int]) -> Callable[[str], tuple[int, str]]:
    whole = all(label.lstrip("-").isdecimal() for label in labels)
    return (lambda label: (int(label), label)) if whole else (lambda label: (0, label))
