"""How to choose the next token, as a person asks for it: greedy, temperature, top-k, top-p."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.errors import UserError

if TYPE_CHECKING:
    from elman.kernels.stack import Drawing


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The order is temperature, then top-k, then top-p.

    Arguments:
        temperature: divides the logits; 0 is greedy.
        top_k: keep this many of the most probable tokens; 0 keeps all.
        top_p: keep the smallest set of tokens whose probability reaches this (Holtzman et al. 2020); 1 keeps all.

    Raises:
        UserError: a figure outside its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"--temperature is {self.temperature}; it must be 0 (greedy) or more")
        if self.top_k < 0:
            raise UserError(f"--top-k is {self.top_k}; it must be 0 (all tokens) or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"--top-p is {self.top_p}; it must be above 0 and at most 1")

    def drawing(self, seed: int) -> Drawing:
        """The same for the machine that draws."""
        from elman.kernels.stack import Drawing

        return Drawing(self.temperature, self.top_k, self.top_p, seed)
