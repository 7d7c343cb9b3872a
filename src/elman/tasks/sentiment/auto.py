"""Settings of `sentiment` that follow from the data: a pure function from what the texts are like to choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from elman.tasks.sentiment.settings import Settings
from elman.training.settings import Choice

FOLDS = 10
FEW, MANY = 1_000, 5_000
"""Texts up to which there is cross-validation, and single words from which on a larger network has enough to learn."""
LONG = 100
"""Tokens of a text on average, above which five networks would take minutes."""
MOST_TOKENS = 500_000
"""Tokens of all texts up to which there are several networks."""
MOST_COUNTED = 30_000_000
"""Characters of all texts up to which n-grams are counted."""
SINGLE_WORDS = 2.0
"""Words in a text, on average, below which it is read by characters."""


@dataclass(frozen=True)
class TextFacts:
    """What the training texts are like.

    Attributes:
        examples: how many there are, those included that could be held out.
        words: of a text between blanks, on average.
        characters: of a text, on average.
        classes: how many there are.
        own_validation: whether the data come with a validation part.
    """

    examples: int
    words: float
    characters: float
    classes: int
    own_validation: bool


def choose(facts: TextFacts, settings: Settings) -> list[Choice]:
    """What the data say of settings that are left open."""
    found = dict(_chosen(facts, settings))
    return [Choice(name, value, reason) for name, (value, reason) in found.items() if name in settings.left_open()]


def _chosen(facts: TextFacts, s: Settings) -> Iterator[tuple[str, tuple[Any, str]]]:
    count = facts.examples
    kind = s.tokens
    if kind == "auto":
        kind = "characters" if facts.words < SINGLE_WORDS and not s.vectors else "words"
        yield "tokens", (kind, f"{facts.words:.1f} words in a text, on average")
    beside = count * facts.characters <= MOST_COUNTED
    why = "few texts hold what a network needs to learn of words that are rare" if beside else "too many to count"
    yield "ngrams", ("beside" if beside else "none", f"{count * facts.characters:,.0f} characters in all: {why}")
    characters, few = kind == "characters", count <= FEW
    tokens = min(s.max_length, facts.characters if characters else facts.words)
    members = s.members or ((5 if tokens <= LONG else 3) if few else 3 if tokens * count <= MOST_TOKENS else 1)
    if s.folds > 0 and s.members == 0:
        members = max(members, 2)
    texts = f"{count:,} texts of {tokens:.0f} {'characters' if characters else 'words'}"
    yield "members", (members, texts)
    folds = s.folds if s.folds >= 0 else FOLDS if members > 1 and few and not facts.own_validation else 0
    few_reason = f"{count:,} texts are too few to hold a part of them out for good"
    yield "folds", (folds, few_reason if folds else "the data have a validation part, or enough to hold one out")
    yield "hidden_size", (256 if characters and count > MANY else 64 if few else 128, texts)
    yield "embedding_size", (64 if characters else 128, f"what is embedded is {kind}")
    yield "dropout", (0.3 if characters else 0.5, f"there are {'few' if characters else 'many'} {kind}")
    plenty = characters and count > MANY
    rare = "characters are never rare" if plenty else f"of {count:,} texts, no single token is to be leant upon"
    yield "word_dropout", (0.0 if plenty else 0.1, rare)
    yield "lr", (4e-3 if characters and not plenty else 2e-3, texts)
    batch = s.batch_size or (32 if few else 64)
    yield "batch_size", (batch, f"{count:,} texts")
    least = 2_000 if characters else 300 if few else 400
    steps = s.steps or int(min(max(least, 15 * count / batch), 5_000))
    yield "steps", (steps, f"{steps * batch / count:.0f} times through {count:,} texts")
    reason = "at the end alone: nothing is chosen on few examples" if folds else "a tenth of the steps"
    yield "eval_every", (steps if folds else max(1, steps // 10), reason)


def candidates(s: Settings) -> list[dict[str, Any]]:
    """Changes of settings found from the data that may do better: sizes, rates, dropout, rare words."""
    return [
        {"hidden_size": 2 * s.hidden_size},
        {"embedding_size": max(8, s.embedding_size // 2)} if s.vectors is None else {"hidden_size": 3 * s.hidden_size},
        {"readout": "mean-max" if s.readout != "mean-max" else "max"},
        {"lr": 2 * s.lr},
        {"lr": s.lr / 2},
        {"dropout": max(0.0, s.dropout - 0.2)},
        {"word_dropout": s.word_dropout + 0.1},
        {"min_count": 2},
    ]
