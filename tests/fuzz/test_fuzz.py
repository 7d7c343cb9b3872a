"""The short form: a few files for each reader and each run, the same every time. `make fuzz` is the long form."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elman.errors import UserError
from tests.fuzz import runs
from tests.fuzz.judging import ATTACKED, READ, REFUSED, RUN, TRACEBACK, attempt, verdict
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import readers

FEW = settings(max_examples=15, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
RUNS = [name + "+" * (number % 2) for number, name in enumerate(runs.expected())]


@pytest.mark.parametrize("name", readers())
def test_a_reader_refuses_in_one_line(name: str) -> None:
    @FEW
    @given(random=st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        assert attempt(name, random) in (READ, REFUSED)

    check()


@pytest.mark.parametrize("name", RUNS)
def test_a_run_refuses_in_one_line(name: str) -> None:
    assert attempt(RUN + name, Random(f"short {name}")) in (READ, REFUSED)


@pytest.mark.parametrize("name", RUNS)
def test_an_attacked_run_refuses_in_one_line(name: str) -> None:
    for number in range(3):
        assert attempt(ATTACKED + name, Random(f"short {name} {number}")) in (READ, REFUSED)


@pytest.mark.parametrize("name", readers())
def test_whole_files_are_read(name: str, tmp_path: Path) -> None:
    """Where the files to start from are refused themselves, nothing behind the first check is ever tried."""
    target = readers()[name]
    for file, raw in (target.make() | target.also()).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(raw)
    assert verdict(lambda: target.act(tmp_path)) == READ


def test_a_fault_is_seen() -> None:
    def fail(error: BaseException) -> str:
        def act() -> None:
            raise error

        return verdict(act)

    assert fail(UserError("one line")) == REFUSED
    assert fail(UserError("")).startswith(TRACEBACK)
    assert fail(IndexError("x")).startswith(TRACEBACK)
    assert fail(MemoryError()).startswith(TRACEBACK)


def test_what_packs_still_fits_after_its_inside_was_changed() -> None:
    """A third of the changed safetensors and more have a header of the length that is said, and JSON in it."""
    (raw,) = readers()["features safetensors"].make().values()
    fits = 0
    for seed in range(100):
        changed = mutated(raw, Random(seed))
        if len(changed) > 8 and changed != raw:
            (size,) = struct.unpack("<Q", changed[:8])
            try:
                fits += isinstance(json.loads(changed[8 : 8 + size]), dict)
            except (ValueError, RecursionError, OverflowError):
                continue
    assert fits > 33
