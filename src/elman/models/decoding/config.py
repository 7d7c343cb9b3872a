"""How a text is written, as a person asks for it: greedy, temperature, top-k, top-p, or a beam."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.errors import UserError

if TYPE_CHECKING:
    from elman.kernels.decoder import SamplingParams


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

    def drawing(self, seed: int) -> SamplingParams:
        """The same for the machine that draws."""
        from elman.kernels.decoder import SamplingParams

        return SamplingParams(self.temperature, self.top_k, self.top_p, seed)


@dataclass(frozen=True, kw_only=True)
class Decoding(Choice):
    """How a text that has an end is written. Greedy, unless a temperature or a beam is given.

    Arguments:
        beam: how many unfinished texts are kept side by side; 1 keeps one.
        length_penalty: texts are compared by their log-probability divided by length^this: 0 favours short texts, 1
            compares the mean of their tokens.
        max_length: tokens after which a text is cut, its end mark among them.

    Raises:
        UserError: a figure outside its range, or a beam together with a temperature.
    """

    temperature: float = 0.0
    beam: int = 1
    length_penalty: float = 1.0
    max_length: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("beam", 1), ("max_length", 1), ("length_penalty", 0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise UserError(f"--{name.replace('_', '-')} is {value}; it must be at least {least}")
        if self.beam > 1 and self.temperature > 0:
            raise UserError(f"--beam {self.beam} looks for the best text and --temperature draws one; leave one out")
