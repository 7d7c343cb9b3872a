"""One input to be inspected: as the model takes it, and as the user calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

BEGIN, END = "⊢", "⊣"
"""How the marks before and after a text that was written are drawn."""


@dataclass(frozen=True)
class InspectionExample:
    """What a task makes of one input: `elman.insight` takes `inputs`, `targets` and `tokens` as they are.

    Attributes:
        inputs: the model's arguments by name, for one sequence of T steps.
        tokens: T names, one for each step; where the input is a text, they make it up.
        targets: what each y_t should be, (T, ...), or (1, ...) where the model answers once; a whole number
            that is -100 stands for none.
        about: whose targets they are, where the user should know: "the cost is that of ..."; else empty.
        layer: the recurrent module whose steps these are, by its path, where the model has several.
        tracks: by name, T numbers that a hidden unit might follow; None for a text, which has its own.
    """

    inputs: dict[str, Any]
    tokens: tuple[str, ...]
    targets: Tensor
    about: str = ""
    tracks: Mapping[str, Sequence[float]] | None = None
    layer: str | None = None
