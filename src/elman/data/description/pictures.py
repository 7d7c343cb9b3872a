"""Pictures and their captions, as they were understood."""

from __future__ import annotations

from pathlib import Path

from elman.data.description.facts import Description, Fact, listed, spread
from elman.data.image.captions import Captions
from elman.data.io.files import composed


def describe_captions(told: Captions, pictures: list[Path], source: str, *, alone: bool) -> Description:
    """Captions, and the pictures that they are of.

    Arguments:
        pictures: their files; empty where they are not known.
        alone: whether it was not said where the pictures, or their features, are.
    """
    counts = [len(texts) for texts in told.texts.values()]
    words = [len(text.split()) for texts in told.texts.values() for text in texts]
    total, each = f"{sum(counts):,} captions of {len(counts):,} pictures", f"{spread(counts)} of each"
    facts = [
        Fact("captions", sum(counts), f"{total}, {each}", total),
        Fact("words in a caption", {"most": max(words)}, spread(words)),
    ]
    notes, questions, settings = [], [], {}
    if told.parts:
        parts = sorted(set(told.parts.values()))
        facts.append(Fact("parts", parts, f"named by the file: {listed(parts)}"))
    if pictures:
        names = {composed(path.name) for path in pictures}
        facts.insert(0, Fact("pictures", len(pictures), f"{len(pictures):,}", f"{len(pictures):,} pictures"))
        if lost := sorted(told.texts.keys() - names):
            notes.append(f"{len(lost):,} pictures with captions are not there; the first is {lost[0]}")
        if bare := sorted(names - told.texts.keys()):
            notes.append(f"{len(bare):,} pictures have no caption; the first is {bare[0]}")
    elif alone:
        questions.append("name the folder of the pictures, or a file of their features, with `data`")
        settings = {"data": "PICTURES", "captions": source}
    return Description(
        source, "captions of pictures", tuple(facts), notes=tuple(notes), questions=tuple(questions), settings=settings
    )
