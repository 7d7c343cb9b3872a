"""Characters that would command a terminal rather than stand on it, written out."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of text
    r"\u2028\u2029\ud800-\udfff]"  # line breaks of Unicode; bytes of a file name that are no UTF-8
)


def printable(text: str) -> str:
    """The same text with control characters written out (\\x1b), so that no foreign text commands the terminal.

    Line breaks and tabs stay.
    """
    return _CONTROL.sub(_escape, text)


def printable_json(text: str) -> str:
    """JSON with the same characters in its strings as JSON writes them: \\u001b."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
