"""What a digest of data depends on, and that it stays what it is: runs of earlier versions are compared by it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from elman.training.checks.data_digest import digest


def plainly(value: Any) -> bytes:
    """What is hashed of a value, by its definition: kind and size, then content."""
    if isinstance(value, list | tuple):
        return f"({len(value)}".encode() + b"".join(map(plainly, value))
    if isinstance(value, np.ndarray):
        return f"{value.dtype.str}{value.shape}:".encode() + value.tobytes()
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        return f"s{len(raw)}:".encode() + raw
    return f"{type(value).__name__}{value!r}:".encode()


@pytest.mark.parametrize(
    "value",
    [
        ["2020-01-01", "2020-01-02"],
        [f"2020-01-01 {second:08}" for second in range(10_000)],
        ["a", "", "bc"],
        ["é", "b"],
        ["\ud800", "b"],
        ["a", 1, "b", "c", None, ["d"], np.arange(3)],
        [],
        ["1", ["1"], ("1", 2.5)],
    ],
    ids=["of one length", "many", "of several", "beyond ASCII", "half a pair", "mixed", "none", "nested"],
)
def test_texts_are_hashed_as_one_by_one(value: list[Any]) -> None:
    assert digest({"part": [value]})["part"].sha256 == hashlib.sha256(plainly(value)).hexdigest()


def test_texts_that_are_cut_elsewhere_are_others() -> None:
    assert digest({"part": [["ab", "c"]]}) != digest({"part": [["a", "bc"]]})
    assert digest({"part": [["ab", "cd"]]}) != digest({"part": [["abc", "d"]]})
