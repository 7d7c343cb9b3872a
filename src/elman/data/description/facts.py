"""What was understood of data: facts by name, columns, what was decided, and what only the user can decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One thing that was found out.

    Attributes:
        name: for people and programs: "separator".
        value: as JSON has it.
        text: as people read it; empty where the value says it.
        brief: how the line says it that a training begins with; empty where it does not.
    """

    name: str
    value: Any
    text: str = ""
    brief: str = ""

    def shown(self) -> str:
        """The value in words."""
        return self.text or str(self.value)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: in the file's first line, or by its number.
        type: "whole numbers", "numbers", "dates", "texts", "empty".
        missing: how many of its cells are empty.
        distinct: how many different cells it has.
        range: the least and the largest, or the commonest cells.
    """

    name: str
    type: str
    missing: int
    distinct: int
    range: str


@dataclass(frozen=True)
class Description:
    """Data as they were understood.

    Attributes:
        source: the file, the folder, or the dataset's name.
        kind: in a few words: "texts with labels".
        facts: in the order in which they are read.
        columns: of a table; empty where there is none.
        notes: what was decided and might surprise.
        questions: what only the user can decide, each with the settings in backticks that decide it.
        settings: what training must be told beside the data.
    """

    source: str
    kind: str
    facts: tuple[Fact, ...]
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    def brief(self) -> str:
        """The description in one line."""
        return f"{self.source}: {self.kind}; " + "; ".join(fact.brief for fact in self.facts if fact.brief)

    def to_json(self) -> dict[str, Any]:
        """The parts by name; of a fact its value."""
        return {
            "source": self.source,
            "kind": self.kind,
            "facts": {fact.name: fact.value for fact in self.facts},
            "columns": [asdict(column) for column in self.columns],
            "notes": list(self.notes),
            "questions": list(self.questions),
            "settings": self.settings,
        }


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a row, of many the first ones."""
    return ", ".join(names[:most]) + (f", ... ({len(names):,} in all)" if len(names) > most else "")


def spread(numbers: Sequence[float]) -> str:
    """The least, the middle and the largest of some numbers."""
    ordered = sorted(numbers)
    least, middle, most = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    return f"{least:,.6g}" if least == most else f"{least:,.6g} to {most:,.6g}, half of them up to {middle:,.6g}"


def size_of(count: float) -> str:
    """A number of bytes in words."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
