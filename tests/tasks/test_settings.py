"""Every setting and option of every task: the value is taken or one line says what it must be, never a traceback."""

from __future__ import annotations

import typing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elman.errors import UserError
from elman.tasks import task_module, task_names
from elman.training.checks.ranges import ranges_of
from elman.training.settings import TrainingSettings

CLASSES = [getattr(task_module(name), kind) for name in task_names() for kind in ("Settings", "Options")]
ODD = [
    0,
    -1,
    1,
    0.5,
    1.5,
    -0.0,
    1e-320,
    1e999,
    -1e999,
    float("nan"),
    1e300,
    10**18,
    2**63,
    -(10**18),
    10**400,
    10**5000,
]
ODD += [True, False, None, "", "x", "1", (), (1,), ("a", "b"), [], ["a"], {}, b"x", object(), np.float64(0.5)]
FIELDS = [(kind, field.name) for kind in CLASSES for field in fields(kind)]


def kinds(kind: type[Any], name: str) -> set[type]:
    """The plain types that a field may have."""
    hint = typing.get_type_hints(kind)[name]
    return {hint, *typing.get_args(hint)}


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda value: getattr(value, "__module__", value))
def test_an_odd_value_is_taken_or_refused_in_one_line(kind: type[Any], name: str) -> None:
    allowed = kinds(kind, name)
    for value in ODD:
        try:
            made = getattr(kind(**{name: value}), name)
        except UserError as error:
            said = str(error)
            assert "\n" not in said
            assert "`" in said or name == "cell"
        else:
            assert not isinstance(made, bool) or bool in allowed, value
            assert not isinstance(made, str) or str in allowed or made in allowed or name == "calibrate", value
            if isinstance(made, int | float) and not isinstance(made, bool):
                assert made in ranges_of(kind)[name] or made == getattr(kind, "by_data", {}).get(name)


def test_every_number_has_a_range() -> None:
    for kind, name in FIELDS:
        if kinds(kind, name) & {int, float}:
            assert name in ranges_of(kind), f"{kind.__module__}: {name}"


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        ("speech", {"bands": 10**18}, "`bands` is 1000000000000000000; it must be at most 1,000"),
        ("speech", {"vary_ends": 0.5}, "`vary_ends` is 0.5; it must be at least 0 and below 0.5"),
        ("forecasting", {"horizon": -1}, "`horizon` is -1; it must be at least 1"),
        ("translation", {"max_length": "long"}, "`max_length` is 'long'; it must be a whole number"),
        ("language", {"tokens": "syllables"}, "`tokens` is 'syllables'; it must be one of characters, bpe, words"),
        ("captioning", {"lr": float("nan")}, "`lr` is nan; it must be above 0"),
        ("parity", {"hidden_size": True}, "`hidden_size` is True; it must be a whole number"),
    ],
)
def test_what_a_value_must_be(task: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        task_module(task).Settings(**given)
    assert str(error.value) == message


def test_what_python_writes_otherwise_is_the_same_setting() -> None:
    settings = task_module("language").Settings
    assert settings(data="a.txt", dropout=np.float32(0.5), steps=np.int64(7)) == settings(
        data=("a.txt",), dropout=0.5, steps=7
    )


def test_settings_of_another_package_may_have_a_path_and_numbers_without_a_range() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Settings(TrainingSettings):
        place: Path = Path("here")
        rate: float = 0.5

    assert Settings(place=Path("there")).place == Path("there")
    assert Settings(rate=-1e15).rate == -1e15
    for wrong in (float("nan"), float("inf"), 1e17, True, "x"):
        with pytest.raises(UserError, match="`rate` is"):
            Settings(rate=wrong)
