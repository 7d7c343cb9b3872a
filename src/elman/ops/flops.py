"""What the recurrence costs, for `torch.utils.flop_counter.FlopCounterMode`: its products, a multiply-add being two.

T steps, B sequences, I inputs, H hidden units.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch

from elman.kernels.torch_private import dispatch_modes

Shape = Sequence[int]


def tell_flop_counters() -> None:
    """Make the counters that are active, and those to come, know the operators; does nothing while there is none.

    It is called when an operator is about to run, since torch's module of counters takes long to import.
    """
    module: Any = sys.modules.get("torch.utils.flop_counter")
    if module is None:
        return
    counters = [mode.counter.flop_registry for mode in dispatch_modes() if hasattr(mode, "counter")]
    for packet, formula in FORMULAS.items():
        if packet not in module.flop_registry:
            module.register_flop_formula(packet)(formula)
        for registry in counters:
            registry.setdefault(packet, module.flop_registry[packet])


def _forward(x: Shape, h0: Shape, *_: Any, **__: Any) -> int:
    T, B, I = x
    H = h0[1]
    return 2 * T * B * H * (I + H)


def _adjoint(grad_h: Any, grad_h_last: Any, h: Shape, needs: Sequence[bool], x: Shape, *_: Any, **__: Any) -> int:
    T, B, I = x
    H = h[2]
    of_x, of_h0, of_w_ih, of_w_hh, _of_bias = needs
    through_time = T if of_h0 else T - 1
    return 2 * B * H * (through_time * H + T * (I * of_x + I * of_w_ih + H * of_w_hh))


FORMULAS = {torch.ops.elman.recurrence: _forward, torch.ops.elman.recurrence_adjoint: _adjoint}
"""The operators of `custom_ops` -> their formula, of shapes in the place of tensors."""
