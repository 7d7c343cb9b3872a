"""The recurrence in ONNX: one RNN node, with the numbers of steps and sequences left open."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from elman.kernels.options import RecurrenceOptions
from elman.ops.general import onnx as general

_ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu"}


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What `torch.onnx.export(..., dynamo=True, custom_translation_table=translations())` needs to know.

    Needs the package onnxscript, as that function itself does. Export in evaluation mode.

    Raises, during the export:
        NotImplementedError: the recurrence has the identity connection or variational dropout, which ONNX's RNN
            has not; or, of what `elman.ops.general.onnx` writes as a Scan, noise or many networks.
    """
    onnx: Any = import_module("onnxscript").opset18

    def recurrence(
        x: Any,  # (T, B, I)
        h0: Any,  # (B, H)
        w_ih: Any,  # (H, I)
        w_hh: Any,  # (H, H)
        bias: Any,  # (H,) or None
        lengths: Any,  # (B,) or None
        mask: Any,
        *values: Any,
    ) -> tuple[Any, Any]:
        options = RecurrenceOptions(*values)
        if options.residual or mask is not None:
            what = "identity connection" if options.residual else "variational dropout"
            raise NotImplementedError(f"ONNX's RNN has no {what}; export a layer without it, or in evaluation mode")
        H = w_hh.shape[0]
        first, second = onnx.Constant(value_ints=[0]), onnx.Constant(value_ints=[1])
        both = None
        if bias is not None:  # ONNX keeps two, as torch does
            zero = onnx.CastLike(onnx.Constant(value_floats=[0.0] * H), bias)
            both = onnx.Unsqueeze(onnx.Concat(bias, zero, axis=0), first)
        h, h_last = onnx.RNN(
            x,
            onnx.Unsqueeze(w_ih, first),  # the first dimension is the direction
            onnx.Unsqueeze(w_hh, first),
            both,
            None if lengths is None else onnx.Cast(lengths, to=6),  # int32
            onnx.Unsqueeze(h0, first),
            activations=[_ACTIVATIONS[options.nonlinearity]],
            direction="reverse" if options.reverse else "forward",
            hidden_size=H,
        )
        last = onnx.Squeeze(h_last, first)
        if lengths is not None:  # after no step the state is the one before, of which ONNX says nothing
            none = onnx.Unsqueeze(onnx.Equal(lengths, onnx.Constant(value_ints=[0])), second)
            last = onnx.Where(none, h0, last)
        return onnx.Squeeze(h, second), last

    return {
        torch.ops.elman.recurrence.default: recurrence,
        torch.ops.elman.general_recurrences.default: general.translate,
    }
