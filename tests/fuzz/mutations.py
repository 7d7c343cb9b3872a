"""What is done to a file: bytes, numbers, lines, the nodes of its JSON, what its container holds."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

TOKENS = (
    *(b"", b"0", b"-1", b"-0", b"1e999", b"1e-999", b"NaN", b"inf", b"true", b"null", b"None", b"0x10", b"1_0", b"1e5"),
    *(b"9" * 20, b"9" * 5000, b"0x" + b"f" * 5000, b"2147483648", b"4294967296", b"18446744073709551616", b"0.1"),
    *(
        "１".encode(),
        "é".encode(),
        "e\u0301".encode(),
        "\u2028".encode(),
        b"\xed\xa0\x80",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ),
    *(b"\0", b'"', b'""', b"'", b"\r", b"\n", b"\r\n\r\n", b"\t", b",", b";", b":", b"=", b"#", b"@", b"@data", b"%s"),
    *(b"../", b"/", b"a" * 300, b"x" * 200_000, b"[" * 100_000, b'{"a":' * 20_000, b"[]", b"{}", b"\x1b[31m"),
    *(b"2020-01-01", b"9999-12-31 23:59:59", b"1e18", b"train", b"?", b"<pad>", b"\\ud800"),
)
INTEGERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 10**9, 2**31, 2**63, 10**30, 1.5, 1e300, 1e-300, float("nan"), float("inf"), "", "x"),
    *("x" * 300, "\ud800", "\0", "../x", "-", [], {}, [[]], [None], {"x": {}}, [1] * 1000, "e\u0301"),
)
LARGEST = 4 << 20
"""Bytes: a larger text that is one is worked through, however long that takes."""
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")

Mutation = Callable[[bytes, Random], bytes]


def mutated(raw: bytes, random: Random) -> bytes:
    """The file changed in one to four ways; now and then inside of what it packs."""
    inside = _container(raw) if random.random() < 0.5 else None
    if inside is not None:
        return inside(raw, random)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        raw = random.choice(MUTATIONS)(raw, random)
    return raw[:LARGEST]


def _place(raw: bytes, random: Random) -> int:
    """A place in the file, more often near its beginning, where headers are."""
    most = len(raw) if random.random() < 0.5 else min(len(raw), 64)
    return random.randint(0, most)


def _range(raw: bytes, random: Random) -> tuple[int, int]:
    begin = _place(raw, random)
    return begin, min(len(raw), begin + random.choice((1, 2, 4, 8, 30, 300, 5000)))


def _flip(raw: bytes, random: Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(random.choice((1, 1, 3, 20)) if raw else 0):
        changed[min(_place(raw, random), len(raw) - 1)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _truncate(raw: bytes, random: Random) -> bytes:
    return raw[: _place(raw, random)]


def _delete(raw: bytes, random: Random) -> bytes:
    begin, end = _range(raw, random)
    return raw[:begin] + raw[end:]


def _repeat(raw: bytes, random: Random) -> bytes:
    begin, end = _range(raw, random)
    return raw[:end] + raw[begin:end] * random.choice((1, 1, 5, 200)) + raw[end:]


def _splice(raw: bytes, random: Random) -> bytes:
    begin, end = _range(raw, random)
    place = _place(raw, random)
    return raw[:place] + raw[begin:end] + raw[place:]


def _insert(raw: bytes, random: Random) -> bytes:
    place = _place(raw, random)
    return raw[:place] + random.choice(TOKENS) + raw[place:]


def _integer(raw: bytes, random: Random) -> bytes:
    """A number of a binary header."""
    size, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    value = random.choice((*INTEGERS, random.getrandbits(64))) & ((1 << 8 * size) - 1)
    place = _place(raw, random)
    return raw[:place] + value.to_bytes(size, "little" if order == "little" else "big") + raw[place + size :]


def _number(raw: bytes, random: Random) -> bytes:
    """A number of a text."""
    found = list(_NUMBER.finditer(raw[:20_000]))
    if not found:
        return _insert(raw, random)
    one = random.choice(found)
    return raw[: one.start()] + random.choice(TOKENS) + raw[one.end() :]


def _field(raw: bytes, random: Random) -> bytes:
    """A field of a table: what stands between two separators."""
    found = list(re.finditer(rb"[^,;\t\n:|=]+", raw[:20_000]))
    if not found:
        return _insert(raw, random)
    one = random.choice(found)
    return raw[: one.start()] + random.choice(TOKENS) + raw[one.end() :]


def _lines(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    if random.random() < 0.3:
        lines[one : one + 1] = [lines[one]] * random.choice((0, 2, 1000))
    return b"\n".join(lines)


def _whole(_: bytes, random: Random) -> bytes:
    return random.choice(TOKENS)


def _json(raw: bytes, random: Random) -> bytes:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return _number(raw, random)
    return json.dumps(_node(value, random)).encode()


def _node(value: Any, random: Random, depth: int = 0) -> Any:
    """One node of a JSON value exchanged, taken out or doubled; JSON inside a text is JSON too."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.dumps(_node(json.loads(value), random))
        except ValueError:
            return value
    if isinstance(value, dict | list) and value and random.random() < (1 if not depth else 0.8):
        key = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        act = random.random()
        copy: Any = value.copy()
        if act < 0.1:
            del copy[key]
        elif act < 0.15 and isinstance(copy, dict):
            copy[random.choice(("", "x", "x" * 300))] = copy.pop(key)
        else:
            copy[key] = _node(value[key], random, depth + 1)
        return copy
    if isinstance(value, int | float) and random.random() < 0.5:
        return random.choice((value + 1, -value, value * 1000, 0, value / 2 if abs(value) < 1e300 else 1.5))
    return random.choice(VALUES)


def _container(raw: bytes) -> Mutation | None:
    """What changes the inside of a packed file, so that the outside still fits."""
    if raw.startswith(b"\x1f\x8b"):
        return _inside_gzip
    if raw.startswith(b"PK\x03\x04"):
        return _inside_zip
    if raw[8:9] == b"{":
        return _inside_safetensors
    return None


def _inside_gzip(raw: bytes, random: Random) -> bytes:
    return gzip.compress(mutated(gzip.decompress(raw), random), 1, mtime=0)


def _inside_zip(raw: bytes, random: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        members = [(entry.filename, packed.read(entry)) for entry in packed.infolist()]
    which = random.randrange(len(members))
    name, content = members[which]
    act = random.random()
    if act < 0.7:
        members[which] = (name, mutated(content, random))
    elif act < 0.8:
        members[which] = (random.choice(("", "x", name.upper(), "../x.npy")), content)
    elif act < 0.9:
        members.append(members[which])
    else:
        del members[which]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as packed:
        for name, content in members:
            packed.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _inside_safetensors(raw: bytes, random: Random) -> bytes:
    (size,) = struct.unpack("<Q", raw[:8])
    header = _json(raw[8 : 8 + size], random)
    return struct.pack("<Q", len(header)) + header + raw[8 + size :]


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _truncate, _delete, _repeat, _splice, _insert, _insert, _integer, _integer, _number, _number),
    *(_field, _field, _lines, _whole, _json, _json),
)
