"""One sequence put to a classifier, to be looked into: its cost is that of the answer that it gives itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from elman.insight.example import InspectionExample


def example_of_own_prediction(
    model: nn.Module,
    x: Tensor,
    tokens: Sequence[str],
    classes: Sequence[str],
    tracks: Mapping[str, Sequence[float]] | None = None,
) -> InspectionExample:
    """A sequence whose class is unknown: C = -log p of the class that the model finds likeliest.

    Arguments:
        x: (T, ...) the sequence as the input layer takes it.
    """
    x = x.to(next(model.parameters()).device)
    inputs = {"x": x.unsqueeze(1), "lengths": torch.tensor([len(x)], device=x.device)}
    with torch.no_grad():
        probability, given = model(**inputs)[0].softmax(-1).max(-1)
    about = f"C is the cost of the network's own answer, {classes[int(given)]} ({float(probability):.1%})"
    return InspectionExample(inputs, tuple(tokens), given.reshape(1), about, tracks)
