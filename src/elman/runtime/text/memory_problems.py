"""Inputs of the memory problems as they are written: the bits of parity, marked numbers, symbols to be copied"""

from __future__ import annotations

import math

from elman.errors import UserError

BLANK, RECALL = 8, 9
"""Copy memory: nothing to remember, and the sign to write down what was to be remembered."""
SYMBOLS, REMEMBERED = 8, 10
"""Of how many kinds the symbols are, and how many are to be remembered."""


def read_bits(text: str) -> list[int]:
    """The bits of a string such as 1000010101, as parity takes them.

    Raises:
        UserError: the string is empty, or has something else than 0 and 1.
    """
    bits = text.strip()
    if not bits:
        raise UserError("there are no bits to read; give a string such as 1000010101")
    wrong = next((place for place, bit in enumerate(bits) if bit not in "01"), None)
    if wrong is not None:
        raise UserError(f"{bits[wrong]!r} at place {wrong + 1} of {bits[:60]!r} is neither 0 nor 1")
    return [int(bit) for bit in bits]


def read_marked(text: str) -> list[tuple[float, float]]:
    """Numbers such as "0.1 0.5* 0.3 0.8*", each with 1 where it is marked and 0 elsewhere, as adding takes them.

    Raises:
        UserError: a word is no number from 0 to 1, or other than two are marked.
    """
    pairs = [read_number(word, place) for place, word in enumerate(text.split(), 1)]
    marked = sum(mark for _, mark in pairs)
    if marked != 2:
        raise UserError(f"{marked:.0f} numbers are marked by a *; mark two, as in: 0.1 0.5* 0.3 0.8*")
    return pairs


def read_number(word: str, place: int) -> tuple[float, float]:
    """One of these numbers.

    Raises:
        UserError: it is no number from 0 to 1: says at which place.
    """
    try:
        value = float(word.removesuffix("*"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise UserError(f"{word[:40]!r} at place {place} is no number from 0 to 1")
    return value, float(word.endswith("*"))


def read_symbols(text: str) -> list[int]:
    """Ten digits such as 0123456712, as copy memory takes them.

    Raises:
        UserError: there are not ten, or one is not from 0 to 7.
    """
    symbols = text.strip()
    if len(symbols) != REMEMBERED or not all("0" <= symbol < str(SYMBOLS) for symbol in symbols):
        raise UserError(f"{symbols[:40]!r} is not {REMEMBERED} digits from 0 to {SYMBOLS - 1}, as 0123456712 is")
    return [int(symbol) for symbol in symbols]
