"""What the training loop asks of a task: five methods, and nothing about what the task is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

Carry = tuple["Tensor", ...]
"""State carried from one step to the next, each tensor (layers, B, H): the batch is dimension 1."""


@dataclass(frozen=True)
class Loss:
    """The loss of one process's share of a batch, as a sum and what it was summed over.

    Sum and count are kept apart so that several processes together compute the mean that one would have.
    """

    total: Tensor  # () sum over the share
    count: int  # what `total` was summed over: characters, sequences, ...
    carry: Carry = ()  # the state to hand to the next step, cut from the graph


class Task(Protocol):
    """A task as the loop sees it."""

    @property
    def metric(self) -> str:
        """Name of the validation figure that decides which weights are best."""

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def unit(self) -> str:
        """What `Loss.count` counts, for the speed shown: "chars", "sequences"."""

    def build_model(self) -> nn.Module:
        """A new model; its initial weights come from torch's global random state."""

    def batch(self, step: int, rank: int, world: int) -> Any:
        """The share of process `rank` of `world` in the batch of `step`: the same for the same arguments, always."""

    def loss(self, model: nn.Module, batch: Any, carry: Carry) -> Loss: ...

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the validation part; draws no random numbers."""
