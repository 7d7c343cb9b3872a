"""JSON in and out: null for numbers that JSON does not have, lists for arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from pathlib import PurePath
from typing import Any

from elman.errors import optional_imports
from elman.training.task import Prediction

with optional_imports():
    import msgspec


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)


def encode_json(value: Any) -> bytes:
    """The bytes of a value."""
    return _ENCODER.encode(value)


@cache
def _names(kind: type[Prediction]) -> tuple[str, ...] | None:
    """The fields that stand in the JSON; None where the kind has a form of its own."""
    own = kind.to_json is not Prediction.to_json
    return None if own else tuple(field.name for field in fields(kind) if field.repr)


def plain_prediction(prediction: Prediction) -> dict[str, Any]:
    """What `Prediction.to_json` gives, but for what the encoder itself makes plain."""
    names = _names(type(prediction))
    return prediction.to_json() if names is None else {name: getattr(prediction, name) for name in names}


def encode_predictions(run: str, predictions: Sequence[Prediction], named: Callable[[str], str] = str) -> bytes:
    """The answer of `predict`.

    Arguments:
        named: gives an input's name as the user called it.
    """
    plain = [plain_prediction(one) for one in predictions]
    if named is not str:
        plain = [one | {"input": named(one["input"])} if isinstance(one.get("input"), str) else one for one in plain]
    return encode_json({"run": run, "predictions": plain})
