"""Sequences of vectors with labels, as they were understood."""

from __future__ import annotations

from elman.data.description.facts import Description, Fact, spread
from elman.data.description.labels import balance_notes, class_facts
from elman.data.timeseries.classification import SequenceClasses


def describe_sequences(data: SequenceClasses, source: str, *, whole: bool = False) -> Description:
    """Sequences with labels.

    Arguments:
        source: the file, folder or name that they were read from.
        whole: also look at their balance and for sequences that come twice.
    """
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    labels = {name: part.labels.tolist() for name, part in parts.items()}
    facts = class_facts(data.classes, labels, "sequences", held_out=data.held_out)
    lengths = [length for part in parts.values() for length in part.lengths.tolist()]
    steps = spread(lengths)
    facts.append(
        Fact(
            "steps",
            {"least": min(lengths), "most": max(lengths)},
            steps,
            f"{min(lengths):,} to {max(lengths):,} steps" if min(lengths) < max(lengths) else f"{lengths[0]:,} steps",
        )
    )
    facts.append(Fact("channels", data.channels, brief=f"{data.channels} channel" + ("s" if data.channels > 1 else "")))
    notes: list[str] = []
    if whole:
        values = [value for part in parts.values() for value in part.values]
        least, most = min(float(one.min()) for one in values), max(float(one.max()) for one in values)
        facts.append(Fact("values", {"least": least, "most": most}, f"{least:.6g} to {most:.6g}"))
        notes += balance_notes(data.classes, labels)
        twice = len(values) - len({(one.shape, one.tobytes()) for one in values})
        notes += [f"{twice:,} sequences repeat another"] if twice else []
    return Description(source, "sequences with labels", tuple(facts), notes=tuple(notes))
