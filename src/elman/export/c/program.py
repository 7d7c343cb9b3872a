"""What every exported model has: a header that says how it is called, and its source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from elman.export.c.source import Source

HEAD = """/* {name}.{end}: {what}

   {about}

   Made by `elman export` from a run of the task {task}, step {step}; weights are {precision}.
   C99 and C++; no allocation, no dependency but the C library's mathematics. Each state belongs to one caller at a
   time; any number of states may be in use. */"""


class Program(NamedTuple):
    """A header and a source.

    Attributes:
        kind: how it is called: "steps", "whole" or "forecast".
        inputs, outputs: numbers of one input and of one output.
        tokens: whether an input is a token, of `inputs` different ones.
    """

    header: str
    source: str
    kind: str
    inputs: int
    outputs: int
    tokens: bool = False


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names in a comment, without what might end it."""
    some = list(names)
    shown = [
        "".join(c for c in name if c.isascii() and (c.isalnum() or c in " -_.,:()%+='"))[:40] for name in some[:most]
    ]
    return ", ".join(shown) + (", ..." if len(some) > most else "")


def header_text(name: str, body: str, head: str) -> str:
    """A header with its guard, for C and for C++."""
    guard = f"{name.upper()}_H"
    return (
        f'{head}\n#ifndef {guard}\n#define {guard}\n\n#ifdef __cplusplus\nextern "C" {{\n#endif\n\n'
        f"{body.strip()}\n\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    )


def program(
    source: Source,
    facts: dict[str, str],
    state: str,
    calls: str,
    *,
    kind: str,
    inputs: int,
    outputs: int,
    tokens: bool = False,
) -> Program:
    """A header with the state and the calls, and the source behind it."""
    name = source.name
    what = {"end": "h", "name": name, **facts}
    body = f"{state.strip()}\n\n{calls.strip()}"
    head = HEAD.format(**what)
    return Program(
        header_text(name, body, head), source.text(HEAD.format(**{**what, "end": "c"})), kind, inputs, outputs, tokens
    )
