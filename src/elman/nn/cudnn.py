"""A whole layer by torch's own recurrent operation, which is cuDNN's on a GPU: what runs there until the Triton kernels
have been measured on one.

It knows neither lengths nor what else is this toolkit's own; that goes by `elman.ops.recurrence`. T steps, B sequences,
I inputs, H hidden units, L layers, D directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from elman.kernels import cudnn_serves
from elman.ops.autograd import PLAIN, is_untransformed

if TYPE_CHECKING:
    from elman.nn.rnn import RNN


def can_run(rnn: RNN, x: Tensor) -> bool:
    """Whether cuDNN gives for x (the data of a packed batch, or a padded one) what `rnn` promises."""
    if not cudnn_serves(x) or not is_untransformed() or type(x) not in PLAIN:
        return False
    own = rnn.layer_norm or rnn.residual or (rnn.training and (rnn.recurrent_dropout or rnn.locked_dropout))
    # outside training mode it has no backward pass
    return not own and (rnn.training or not torch.is_grad_enabled())


def run(
    rnn: RNN,
    x: Tensor,  # (T, B, I), or (rows, I) of a packed batch
    hx: Tensor | None,  # (L * D, B, H)
    batch_sizes: Tensor | None = None,  # (T,), of a packed batch
) -> tuple[Tensor, Tensor]:
    """The last layer's states, (T, B, D * H) or (rows, D * H), and every layer's last state, (L * D, B, H)."""
    weights = [rnn._weight(name) for names in rnn._all_weights for name in names]
    if hx is None:
        B = x.shape[1] if batch_sizes is None else int(batch_sizes[0])
        shape = len(rnn._all_weights), B, rnn.hidden_size
        hx = rnn.initial_state.expand(shape) if rnn.learned_h0 else x.new_zeros(shape)
    function: Any = torch._VF.rnn_tanh if rnn.nonlinearity == "tanh" else torch._VF.rnn_relu
    options = rnn.bias, rnn.num_layers, rnn.dropout, rnn.training, rnn.bidirectional
    if batch_sizes is not None:
        return cast(tuple[Tensor, Tensor], function(x, batch_sizes, hx.contiguous(), weights, *options))
    return cast(tuple[Tensor, Tensor], function(x, hx.contiguous(), weights, *options, False))
