"""How a text that has an end is written: greedy, by sampling, or by a beam."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.errors import UserError

if TYPE_CHECKING:
    from elman.kernels.decoder import SamplingParams


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How a text that has an end is written. Greedy, unless a temperature or a beam is given.

    Arguments:
        temperature, top_k, top_p: as in `SamplingParams`.
        beam: unfinished texts that are kept side by side; 1 keeps one.
        length_penalty: texts are compared by their log-probability divided by length^this: 0 favours short texts, 1
            compares the mean of their tokens.
        max_length: tokens after which a text is cut, its end mark among them.

    Raises:
        UserError: a value outside its range, or a beam together with a temperature.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    beam: int = 1
    length_penalty: float = 1.0
    max_length: int = 100

    def __post_init__(self) -> None:
        self.sampling(seed=1)
        for name, least in (("beam", 1), ("max_length", 1), ("length_penalty", 0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise UserError(f"`{name}` is {value}; it must be at least {least}")
        if self.beam > 1 and self.temperature > 0:
            raise UserError(
                f"`beam={self.beam}` searches for the best text and `temperature={self.temperature:g}` samples one; "
                "leave one out"
            )

    def sampling(self, seed: int) -> SamplingParams:
        """How a token is drawn where there is no beam."""
        from elman.kernels.decoder import SamplingParams  # which imports torch, that settings do without

        return SamplingParams(self.temperature, self.top_k, self.top_p, seed)
