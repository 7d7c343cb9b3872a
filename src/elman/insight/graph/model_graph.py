"""The computational graph of a whole model over one input: its recurrent layer, its answers and their cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elman.errors import UserError
from elman.insight.graph.graph import Graph, computational_graph
from elman.insight.recording import recurrent_layers
from elman.insight.unrolled import Unrolled


def model_graph(model: nn.Module, unrolled: Unrolled, target: Tensor) -> Graph:
    """Write out the computational graph of what `unroll` gave: every product and sum a node, from x_t to C.

    Arguments:
        model: one whose answer is a linear layer of the last layer's state.
        unrolled: it, over one sequence.
        target: as it was given to `unroll`.

    Raises:
        UserError: a model that does more than that, one that also reads backwards, or a graph that is too large.
    """
    (layer,) = recurrent_layers(model).values()
    h0 = torch.stack([row.h0 for row in unrolled.layers])
    return computational_graph(layer, unrolled.x, target.cpu(), h0=h0, readout=_readout(model, unrolled))


@torch.no_grad()
def _readout(model: nn.Module, unrolled: Unrolled) -> nn.Linear | None:
    """Find the linear layer that makes y of h; None where y is h."""
    h = unrolled.layers[-1].h[-len(unrolled.y) :]
    if h.shape == unrolled.y.shape and torch.allclose(h, unrolled.y):
        return None
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.in_features == h.shape[-1]:
            y = module(h.to(module.weight)).cpu()
            if y.shape == unrolled.y.shape and torch.allclose(y, unrolled.y, rtol=1e-3, atol=1e-5):
                return module
    raise UserError(
        f"{type(model).__name__} does more than one linear layer between the last state and its answer: "
        "the graph is drawn of models that do not, such as one with `readout=last` in one direction"
    )
