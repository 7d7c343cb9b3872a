"""Penalties of neuroscience's networks, ready to be added to a loss: of rates and of connections."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def rate_penalty(
    h: Tensor,  # (T, B, H) or (B, T, H)
    lengths: Tensor | None = None,  # (B,)
    power: float = 2.0,
    batch_first: bool = False,
) -> Tensor:
    """The mean of |h|^power over units, sequences and the steps that they have (Sussillo et al. 2015, equation 5).

    Arguments:
        h: the layer's output.
        lengths: of the sequences; what lies past them does not count.
        power: 2 for the mean square, 1 for the mean size.
    """
    size = h.abs() ** power
    if lengths is None:
        return size.mean()
    steps = h.shape[1 if batch_first else 0]
    alive = lengths.to(h.device) > torch.arange(steps, device=h.device).unsqueeze(1)  # (T, B)
    alive = (alive.t() if batch_first else alive).unsqueeze(2)
    return (size * alive).sum() / (alive.sum() * h.shape[2]).clamp_min(1)


def connectivity_penalty(module: nn.Module, power: float = 1.0, cost: Tensor | None = None) -> Tensor:
    """The mean of cost * |W_hh|^power over the connections of all layers and directions of a module.

    Arguments:
        power: 1 makes connections sparse, 2 makes them small.
        cost: (H, H), what each connection costs, such as its length in space (Achterberg et al. 2023); one if not
            given.

    Raises:
        ValueError: the module has no W_hh.
    """
    names = getattr(module, "_all_weights", [[name for name in ("weight_ih", "weight_hh") if hasattr(module, name)]])
    weights = [getattr(module, name) for each in names for name in each if name.startswith("weight_hh")]
    if not weights:
        raise ValueError(f"{type(module).__name__} has no recurrent weights (weight_hh)")
    total = torch.stack([((w.abs() ** power) * (1 if cost is None else cost)).mean() for w in weights])
    return total.mean()
