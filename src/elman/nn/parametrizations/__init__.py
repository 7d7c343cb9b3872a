"""Constraints of the recurrent weights as parametrisations, which `torch.nn.utils.parametrize` composes with its own.

W_hh (H, H): row i is what unit i receives, column j what unit j sends. `constrain` puts constraints on every layer and
direction of a module:

    constrain(rnn, Dale(signs(100, 0.8)), Mask(mask))

`elman.nn.init` has starts to match; `orthogonal` is torch's own parametrisation, by the exponential or by Cayley.
"""

from elman.nn.parametrizations.apply import constrain, orthogonal
from elman.nn.parametrizations.connections import Fixed, Mask, NoSelfConnection, block_mask
from elman.nn.parametrizations.dale import Dale, signs
from elman.nn.parametrizations.low_rank import LowRank
from elman.nn.parametrizations.non_normal import NonNormal
from elman.nn.parametrizations.norms import NormBound, SpectralRadius

__all__ = [
    "Dale",
    "Fixed",
    "LowRank",
    "Mask",
    "NoSelfConnection",
    "NonNormal",
    "NormBound",
    "SpectralRadius",
    "block_mask",
    "constrain",
    "orthogonal",
    "signs",
]
