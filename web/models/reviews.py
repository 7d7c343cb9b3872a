"""Reviews of restaurants and films, made up by a grammar: the data of `sentiment`, free of anyone's rights."""

from __future__ import annotations

import random

THINGS = (
    "food soup pasta cake chicken fish service waiter place music film plot story ending acting actor scene".split()
)
GOOD = (
    "good great excellent wonderful delicious tasty lovely perfect brilliant fresh funny charming superb fine".split()
)
BAD = "bad awful terrible horrible bland boring cold slow stale dull poor uncooked dreadful weak".split()
DEGREES = "really very so truly quite rather absolutely".split()
LOVED = "loved enjoyed liked adored recommend".split()
HATED = "hated disliked regret loathed avoid".split()
PLAIN = (
    "we went there on sunday",
    "my sister ordered the chicken",
    "the chicken crossed the road",
    "it was raining outside",
    "i saw it with a friend",
    "they sat at the table by the window",
)


def review(draw: random.Random) -> tuple[list[str], int]:
    """The words of a review, and 1 if it is positive."""
    positive = draw.random() < 0.5
    clauses: list[str] = []
    if draw.random() < 0.35:
        clauses.append(draw.choice(PLAIN))
    if draw.random() < 0.35:  # what is granted before the verdict
        joint = draw.choice(("but", "but in the end", ", but"))
        clauses.append(f"{_verdict(draw, not positive)} {joint} {_verdict(draw, positive)}")
    else:
        clauses.append(_verdict(draw, positive))
    if draw.random() < 0.3:
        clauses.append(_verdict(draw, positive))
    joint = draw.choice((" and ", " . ", " because ", " , "))
    return joint.join(clauses).split(), int(positive)


def _verdict(draw: random.Random, positive: bool) -> str:
    thing, shape = draw.choice(THINGS), draw.random()
    degree = draw.choice(DEGREES) + " " if draw.random() < 0.4 else ""
    if shape < 0.2:  # a negation turns it round
        turned = draw.choice(BAD if positive else GOOD)
        return f"the {thing} was {draw.choice(('not', 'never', 'hardly'))} {degree}{turned}"
    if shape < 0.35:
        negated = draw.random() < 0.4
        verb = draw.choice(LOVED if positive != negated else HATED)
        return f"i {'did not ' if negated else ''}{verb} {'the ' + thing if draw.random() < 0.6 else 'it'}"
    if shape < 0.45:
        return f"what a {degree}{draw.choice(GOOD if positive else BAD)} {thing}"
    subject = draw.choice(("the " + thing, "it", "the " + thing + " here", "everything"))
    return f"{subject} {draw.choice(('was', 'is'))} {degree}{draw.choice(GOOD if positive else BAD)}"
