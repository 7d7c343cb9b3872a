"""What a hidden unit might track in a text: a number at every token, known without the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from elman.errors import UserError

_OPEN, _CLOSE = "([{", ")]}"


def text_tracks(tokens: Sequence[str]) -> dict[str, Tensor]:
    """Give, after each token has been read, the numbers that units of language models are known to track.

    - inside quotes: 1 from an opening quotation mark until the closing one; a blank line closes what was left
    open. - line length: characters since the last line break.
    - bracket depth: brackets opened and not yet closed.
    - distance to newline: characters until the next line break or the end of the text, 0 at the break itself.

    Arguments:
        tokens: characters, or longer pieces whose concatenation is the text.

    Returns:
        each (T,), float64.
    """
    text = "".join(tokens)
    ends = torch.tensor([len(token) for token in tokens]).cumsum(0) - 1
    tracks = {
        "inside quotes": _inside_quotes(text),
        "line length": _since_newline(text),
        "bracket depth": _depth(text),
        "distance to newline": _since_newline(text[::-1])[::-1],
    }
    # an empty token has read nothing new
    return {name: torch.tensor([*values, 0.0], dtype=torch.float64)[ends] for name, values in tracks.items()}


def _inside_quotes(text: str) -> list[float]:
    inside, found = False, []
    for k, c in enumerate(text):
        if c == '"':
            inside = not inside
        elif c in "“”":
            inside = c == "“"
        elif c == "\n" and text[k - 1 : k] == "\n":
            inside = False
        found.append(float(inside))
    return found


def _since_newline(text: str) -> list[float]:
    return _counted(text, lambda count, c: 0 if c == "\n" else count + 1)


def _depth(text: str) -> list[float]:
    return _counted(text, lambda count, c: max(0, count + (c in _OPEN) - (c in _CLOSE)))


def _counted(text: str, after: Callable[[int, str], int]) -> list[float]:
    count, found = 0, []
    for c in text:
        count = after(count, c)
        found.append(float(count))
    return found


def checked_track(name: str, values: Iterable[float], steps: int) -> Tensor:
    """Turn a sequence that the user supplies, such as zeros and ones, into (T,) float64.

    Raises:
        UserError: its length is not T, or it holds what is not a finite number.
    """
    try:
        track = torch.as_tensor(values if isinstance(values, Tensor) else list(values), dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the sequence {name!r} holds something that is not a number: give one number a token"
        ) from error
    if track.shape != (steps,):
        raise UserError(f"the sequence {name!r} has {track.numel()} numbers for {steps} tokens: give one for each")
    if not bool(track.isfinite().all()):
        raise UserError(f"the sequence {name!r} holds a number that is not finite: give 0 and 1, or other numbers")
    return track
