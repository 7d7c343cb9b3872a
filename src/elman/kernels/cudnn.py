"""A whole network by torch's own recurrent operation, which is cuDNN's on a GPU: what runs there until the Triton
kernels have been measured on one.

It knows neither lengths nor what else is this toolkit's own; that runs by the backends after it. T steps, B sequences,
I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from elman.kernels.options import PLAIN_TYPES, RecurrenceOptions
from elman.kernels.protocols import NetworkSettings
from elman.kernels.torch_private import rnn_relu, rnn_tanh


def why_unavailable(device: torch.device) -> str:
    """Why there is no cuDNN; empty where there is."""
    cudnn: Any = torch.backends.cudnn
    return "" if cudnn.is_available() else "torch was built without cuDNN"


def why_unsupported(options: RecurrenceOptions, dtype: torch.dtype) -> str:
    """What cuDNN's recurrent operation lacks."""
    if options.residual:
        return "cuDNN has no identity connection"
    if dtype not in torch.backends.cudnn.CUDNN_TENSOR_DTYPES:
        return f"cuDNN does not compute in {dtype}"
    return ""


def detail() -> str:
    """What the backend is made of."""
    return "cuDNN"


def takes(x: Tensor, settings: NetworkSettings) -> bool:
    """Whether it runs x now: it is not switched off, and outside training mode it has no backward pass."""
    return (
        type(x) in PLAIN_TYPES and torch.backends.cudnn.enabled and (settings.training or not torch.is_grad_enabled())
    )


def run(
    x: Tensor,  # (T, B, I), or (rows, I) of a packed batch
    h0: Tensor,  # (L * D, B, H)
    weights: Sequence[Tensor],  # in the order of torch.nn.RNN's parameters
    settings: NetworkSettings,
    batch_sizes: Tensor | None = None,  # (T,), of a packed batch
) -> tuple[Tensor, Tensor]:
    """The last layer's states, (T, B, D * H) or (rows, D * H), and every layer's last state, (L * D, B, H)."""
    function = rnn_tanh if settings.nonlinearity == "tanh" else rnn_relu
    options = settings.bias, settings.num_layers, settings.dropout, settings.training, settings.bidirectional
    if batch_sizes is not None:
        return cast(tuple[Tensor, Tensor], function(x, batch_sizes, h0.contiguous(), weights, *options))
    return cast(tuple[Tensor, Tensor], function(x, h0.contiguous(), weights, *options, False))
