"""What may be done to a run folder on purpose, one after the other: every field, every tensor, every kind of file.

An attack changes one file of a run and leaves the others whole. A field of TOML or JSON gets each of a list of values,
or goes; a tensor in the header of a safetensors file gets another dtype, shape or place; a file becomes empty, another
kind of file, or one that never ends.
"""

from __future__ import annotations

import json
import os
import struct
import tomllib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz import runs

Attack = tuple[str, Callable[[Path], None]]
"""The file's name, and what is done to the path that has this name."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 10**5, 10**9, 2**31, 2**63, 10**18, 10**400, 0.5, 1.5, -0.25, 1e-9, 1e300),
    *(float("nan"), float("inf"), -float("inf"), "", "x", "0", "foo" * 2000, "\0", "../x", "/dev/zero", "\x1b[31m"),
    *("\ud800", [], {}, [[]], [0], [None], ["x", "x"], {"x": 1}, [1] * 10_000),
)
GONE = object()
DEEP = b"[" * 100_000
WHOLE = (b"", b"\0", b"{}", b"[]", b"null", b"5", b'"x"', b"\xff\xfe", b"\xef\xbb\xbf", b"x = ", DEEP, b"9" * 5000)
DTYPES = ("F64", "F16", "BF16", "I32", "I64", "U8", "BOOL", "F8_E4M3", "X", 5, None)
SHAPES: tuple[Any, ...] = ([], [0], [1], [-1], [2**31, 2**31], [2**62], [1.5], "x", None)
PLACES: tuple[Any, ...] = ([0, 0], [0, 2**62], [8, 4], [-4, 0], [0], "x", None)
FILES: dict[str, Callable[[Path], None]] = {}


def kind_of_file(make: Callable[[Path], None]) -> Callable[[Path], None]:
    """Note a way of putting something into the place of a file that was taken away."""
    FILES[make.__name__] = make
    return make


@kind_of_file
def nothing(path: Path) -> None:
    """The file is gone."""


@kind_of_file
def directory(path: Path) -> None:
    """A folder of that name."""
    path.mkdir()


@kind_of_file
def pipe(path: Path) -> None:
    """A pipe that nobody writes into."""
    os.mkfifo(path)


@kind_of_file
def endless(path: Path) -> None:
    """A link to a device that never ends."""
    path.symlink_to("/dev/zero")


@kind_of_file
def circle(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path.name)


@kind_of_file
def sparse(path: Path) -> None:
    """A file of 8 TB that takes no place."""
    with open(path, "wb") as file:
        file.truncate(8 << 40)


@kind_of_file
def unreadable(path: Path) -> None:
    """A file without permissions, which only root reads: empty for root."""
    path.touch()
    path.chmod(0)


@cache
def attacks(name: str) -> list[Attack]:
    """All that may be done to a run, file by file."""
    place = runs.whole(name) / runs.UNDER
    return [attack for path in sorted(place.iterdir()) if path.is_file() for attack in _of_file(path)]


def _of_file(path: Path) -> Iterator[Attack]:
    for make in FILES.values():
        yield path.name, partial(_replace, make)
    for raw in WHOLE:
        yield path.name, partial(_write, raw)
    whole = path.read_bytes()
    for share in (0.25, 0.5, 0.999):
        yield path.name, partial(_write, whole[: int(share * len(whole))])
    if path.suffix == ".safetensors":
        changed = map(_packed(whole), _headers(whole))
    elif path.suffix in (".json", ".toml"):
        value = json.loads(whole) if path.suffix == ".json" else tomllib.loads(whole.decode())
        write = _json if path.suffix == ".json" else _toml
        changed = (write(_with(value, place, new)) for new in (GONE, *VALUES) for place in _fields(value))
    else:
        rows = whole.splitlines(keepends=True)
        changed = (b"".join([*rows[:at], *new, *rows[at + 1 :]]) for at in range(len(rows)) for new in _rows(rows[at]))
    for raw in changed:
        yield path.name, partial(_write, raw)


def _replace(make: Callable[[Path], None], path: Path) -> None:
    path.unlink()
    make(path)


def _write(raw: bytes, path: Path) -> None:
    path.write_bytes(raw)


def _rows(row: bytes) -> Iterator[list[bytes]]:
    yield from ([], [row, row], [row.replace(b",", b"")], [b"," + row])
    for token in (b"", b"x", b"nan", b"1e999", b"-1", b"9" * 5000, b"\xff", b'"'):
        yield [token + b"," + row.partition(b",")[2]]


def _fields(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all nodes; of long lists and tables the first and the last two."""
    yield at
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys if len(keys) <= 40 else [*keys[:2], *keys[-2:]]:
        yield from _fields(value[key], (*at, key))


def _with(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new if new is not GONE else {}
    copy = value.copy()
    if len(at) == 1 and new is GONE:
        del copy[at[0]]
    else:
        copy[at[0]] = _with(value[at[0]], at[1:], new)
    return copy


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _toml(table: Any) -> bytes:
    """TOML by hand, since its writers refuse what an attacker would not."""
    lines = [f"{key} = {_toml_value(value)}" for key, value in table.items()] if isinstance(table, dict) else []
    return "\n".join(lines or [_toml_value(table)]).encode("utf-8", "surrogatepass")


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)  # inf and nan are TOML's own words
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def _headers(whole: bytes) -> Iterator[Any]:
    """The header of a safetensors file with one thing changed."""
    header = json.loads(whole[8 : 8 + struct.unpack("<Q", whole[:8])[0]])
    tensors = [name for name in header if name != "__metadata__"]
    for field, values in (("dtype", DTYPES), ("shape", SHAPES), ("data_offsets", PLACES)):
        for value in (GONE, *values):
            for name in tensors if len(tensors) <= 8 else [*tensors[:4], *tensors[-4:]]:
                yield _with(header, (name, field), value)
    for name in tensors:
        yield _with(header, (name,), GONE)
        yield {("x" if key == name else key): value for key, value in header.items()}
    yield header | {"more": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
    for at in _fields(header.get("__metadata__", {})):
        for value in (GONE, *VALUES):
            yield _with(header, ("__metadata__", *at), value) if "__metadata__" in header else header
    for key, text in header.get("__metadata__", {}).items():
        try:
            inner = json.loads(text)
        except ValueError:
            continue
        for at in _fields(inner):
            for value in (GONE, *VALUES):
                yield _with(header, ("__metadata__", key), json.dumps(_with(inner, at, value)))


def _packed(whole: bytes) -> Callable[[Any], bytes]:
    (size,) = struct.unpack("<Q", whole[:8])

    def pack(header: Any) -> bytes:
        raw = json.dumps(header).encode()
        return struct.pack("<Q", len(raw)) + raw + whole[8 + size :]

    return pack


def change(folder: Path, random: Random, name: str) -> Path:
    """Carry out one of the attacks on the run in a folder; the file that was attacked."""
    file, attack = random.choice(attacks(name))
    attack(folder / runs.UNDER / file)
    return folder / runs.UNDER / file
