"""How good transcripts are: error rates of words and characters."""

from __future__ import annotations

from collections.abc import Sequence

from elman.errors import optional_imports


def error_rates(given: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    """The rates of a whole part.

    Arguments:
        given: N transcripts.
        truth: what was said, likewise.

    Returns:
        "wer" and "cer": the edits (Levenshtein 1966) that turn the transcripts into the truth, of words and of
        characters, per word and character of the truth; "whole_right": the share of transcripts without an error.
    """
    with optional_imports():
        from torchmetrics.functional.text import char_error_rate, word_error_rate

    right = sum(one == other for one, other in zip(given, truth, strict=True))
    return {
        "wer": float(word_error_rate(list(given), list(truth))),
        "cer": float(char_error_rate(list(given), list(truth))),
        "whole_right": right / len(truth),
    }
