"""How a network that answers parity does it: two clusters of states; a one flips between them, a zero stays."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elman.errors import UserError
from elman.insight.state_space import StateSpace


@dataclass(frozen=True)
class ParityStates:
    """The two clusters, and how each bit moves the state between them.

    A state belongs to the cluster whose centre is nearer.

    Attributes:
        centres: (2, H) the mean state after an even and after an odd number of ones.
        odd: (T, B) whether the number of ones so far is odd.
        cluster: (T, B) 0 or 1, the nearer centre.
        real: (T, B) which steps lie inside their sequence.
        right: share of states that lie in the cluster of their own parity.
        flips: share of ones after which the state is in the other cluster than before; nan without ones.
        stays: share of zeros after which it is in the same one; nan without zeros.
        separation: distance of the centres over the states' mean distance from their own.
    """

    centres: Tensor
    odd: Tensor
    cluster: Tensor
    real: Tensor
    right: float
    flips: float
    stays: float
    separation: float

    @property
    def finding(self) -> str:
        """What the network does, in one sentence."""
        moves = f"a 1 flips it in {self.flips:.1%} of cases, a 0 leaves it in {self.stays:.1%}"
        if self.right > 0.99 and min(self.flips, self.stays) > 0.99:
            return f"Two clusters hold the answer: {moves}"
        return f"No two clean clusters: {self.right:.1%} of states lie on their own side; {moves}"


def parity_states(space: StateSpace, bits: Tensor) -> ParityStates:
    """Sort the states of a layer by the parity of the ones read so far.

    Arguments:
        space: what `states` found on a batch of strings.
        bits: (T, B) the strings, zeros and ones; what lies past a string's length does not count.

    Raises:
        UserError: bits of another shape or with other values, or all states of one parity.
    """
    real, bits = space.real, bits.cpu()
    if bits.shape != real.shape:
        raise UserError(
            f"the bits have shape {tuple(bits.shape)}, the states (T, B) = {tuple(real.shape)}: they must agree"
        )
    ones = (bits == 1) & real
    if not bool((ones | (bits == 0) | ~real).all()):
        raise UserError("the bits hold something other than 0 and 1")
    odd = ones.cumsum(0) % 2 == 1
    if not bool((odd & real).any()) or not bool((~odd & real).any()):
        raise UserError("all states have the same parity: give strings that contain a 1 but do not all begin with one")
    centres = torch.stack([space.h[~odd & real].mean(0), space.h[odd & real].mean(0)])
    distances = (space.h[:, :, None] - centres).norm(dim=-1)
    cluster = distances.argmin(-1)
    moved, follows = cluster[1:] != cluster[:-1], real[1:]
    own = distances.gather(-1, odd.long()[..., None])[..., 0]
    gap = float((centres[0] - centres[1]).norm())
    return ParityStates(
        centres=centres,
        odd=odd,
        cluster=cluster,
        real=real,
        right=_share((cluster == odd)[real]),
        flips=_share(moved[ones[1:] & follows]),
        stays=1 - _share(moved[~ones[1:] & follows]),
        separation=gap / max(float(own[real].mean()), 1e-300),
    )


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())
